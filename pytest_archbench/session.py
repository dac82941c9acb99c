"""A run inside pytest, from ``--archbench`` to the exit code. Imported only when the option is given."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock, Timeout

from pytest_archbench import against, environment, hooks, nodes, outputs, own, plan, store
from pytest_archbench.against import Opponent
from pytest_archbench.arena import Arena
from pytest_archbench.catalogue import CatalogueError
from pytest_archbench.certainty import is_certain
from pytest_archbench.checks import PROPERTY
from pytest_archbench.claims import FEWEST
from pytest_archbench.files import as_file
from pytest_archbench.meters import Part, meter_of
from pytest_archbench.options import OPTIONS
from pytest_archbench.plan import Plan
from pytest_archbench.progress import Progress, summarise
from pytest_archbench.records import Architecture, Case
from pytest_archbench.registry import UnknownName
from pytest_archbench.replay import Beside
from pytest_archbench.resume import Recorded
from pytest_archbench.runner import Runner
from pytest_archbench.yardsticks import Yardsticks

MISTAKES = (*plan.USER_MISTAKES, store.JournalError, own.OwnBaselineError, against.NoOpponent)
LEARNED = "learned"
"""Folder in ``--archbench-out`` of checkpoints, trained weights and what became of each image, by run."""
FREE = ("keep", "download", "loaders")
"""Of what is asked for with a learning: what a resumed run may ask for otherwise, since no result depends on it."""
MISTAKE = "archbench_mistake"
"""Under which an xdist worker hands its controller a sentence for the user."""
RUN = "archbench_run"
"""Under which a controller tells its xdist workers the name of the run, by which they know its journal."""


def start(config: pytest.Config, chosen: tuple[str, ...]) -> Session:
    """Plan the run and put its hooks in place.

    Raises: pytest.UsageError (exit code 4) for whatever the user can mend, in one sentence.
    """
    try:
        planned = plan.make(_given(config), config.rootpath / "pyproject.toml", _hooked(config))
        session = Session(config, planned, chosen)
    except MISTAKES as error:
        raise pytest.UsageError(f"archbench: {error.args[0]}") from None
    config.pluginmanager.register(session, "archbench-session")
    config.pluginmanager.register(session.beside(), "archbench-beside")
    return session


def _hooked(config: pytest.Config) -> list[Architecture]:
    """The architectures that hooks return. Raises: CatalogueError where that is anything else."""
    found: list[Architecture] = []
    for answer in config.hook.pytest_archbench_architectures(config=config):
        entries: Sequence[Any] = answer if isinstance(answer, list | tuple) else [None]
        if not all(isinstance(entry, Architecture) for entry in entries):
            raise CatalogueError(
                f"hook pytest_archbench_architectures: expected a list of Architecture; got {answer!r}"
            )
        found += entries
    return found


def _given(config: pytest.Config) -> dict[str, tuple[str, str]]:
    """Option texts from the command line, else from the ini file."""
    given = {}
    for option in OPTIONS:
        typed, written = config.getoption(f"archbench_{option.key}"), config.getini(f"archbench_{option.key}")
        if typed is not None:
            given[option.key] = (str(typed), "command line")
        elif written is not None:
            given[option.key] = plan.as_given(written, f"{config.inipath}: archbench_{option.key}")
    return given


class Session:
    """The hooks of a bench run. Measuring happens where tests run; journal and report where reports arrive."""

    def __init__(self, config: pytest.Config, planned: Plan, chosen: tuple[str, ...]) -> None:
        self.config = config
        self.plan = planned
        self.published = planned.published
        self.out = config.rootpath / planned.options.out
        self.progress = Progress(config, planned.options.time_budget)
        self.resuming = bool(config.getoption("archbench_resume"))
        self._closing = ExitStack()
        config.add_cleanup(self._closing.close)  # a run that is refused has no other end
        opponent = self._opponent()
        self._header = self._facts(opponent)
        self.recorded = Recorded.of(self.out, self._header) if self.resuming else Recorded()
        self._is_worker = hasattr(config, "workerinput")
        self._name = self.recorded.run or getattr(config, "workerinput", {}).get(RUN, self._header["run"])
        self.settings = planned.options.settings(config.rootpath, self.out / LEARNED / as_file(self._name))
        self.runner = Runner(self.settings)
        self.yardsticks = self._yardsticks()
        self.arena = self._arena(opponent)
        self._chosen = chosen
        if chosen and config.args_source != pytest.Config.ArgsSource.ARGS:
            config.args = []  # nothing else was asked for: leave the folder uncollected
        self._journal: store.Journal | None = None
        self._journalled: frozenset[str] = frozenset()
        self._lock = FileLock(self.out / ".lock", timeout=0)
        self._names = Counter(architecture.name for architecture in planned.architectures)
        self._run: store.Run | None = None
        self._rendered: list[Path] = []
        self._faults: list[str] = []
        self._unrendered = ""
        self._made = False

    def beside(self) -> Beside:
        """The hooks for pytest-benchmark."""
        return Beside(self.config, self._header, self.out / outputs.BENCHMARK_JSON)

    def _facts(self, opponent: Opponent | None) -> dict[str, Any]:
        """The journal's first line; what may not differ in a resumed run stands under its environment."""
        devices = {device.name: {"kind": device.kind, **device.fingerprint} for device in self.plan.devices}
        header = environment.header(devices, self.config.rootpath)
        asked = {key: getattr(self.plan.options, key) for key in ("threads", "counter", "processes")}
        against = {"against": dict(opponent.facts)} if opponent else {}
        learning = {"learning": self._asked_of_learning()} if self.plan.learns else {}
        left_out = {"left_out": list(self.plan.left_out)} if self.plan.left_out else {}
        return {**header, **left_out, "environment": {**header["environment"], **asked, **against, **learning}}

    def _asked_of_learning(self) -> dict[str, Any]:
        """What evaluations and trainings were asked for with that decides about their results, as plain data."""
        asked = asdict(self.plan.options.settings(self.config.rootpath, self.out).learning)
        deciding = {name: value for name, value in asked.items() if name not in FREE}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in deciding.items()}

    def _opponent(self) -> Opponent | None:
        """The other side that was asked for. Raises: NoOpponent."""
        options, root = self.plan.options, self.config.rootpath
        if self.config.getoption("collectonly") or not (options.against or options.against_python):
            return None
        if options.against:
            return against.revision(root, options.against, against.instrument({}, self._closing), self._closing)
        packages = {self.plan.package.name: self.plan.package}
        return against.environment(root, options.against_python, against.instrument(packages, self._closing))

    def _arena(self, opponent: Opponent | None) -> Arena | None:
        return Arena(opponent, self.settings, self.plan.options.tolerance, self._header) if opponent else None

    def _yardsticks(self) -> Yardsticks:
        """Promoted values and earlier runs. Raises: OwnBaselineError, JournalError."""
        options, root = self.plan.options, self.config.rootpath
        folder = root / options.history if options.history else None
        return Yardsticks.of(self._header, root / options.baselines, folder, options.nights, without=self.recorded.run)

    def distinct(self, name: str) -> str:
        """``name`` for a model of the user's, numbered where it is taken: two models must not share measurements."""
        self._names[name] += 1
        return name if self._names[name] == 1 else f"{name} ({self._names[name]})"

    def pytest_report_header(self) -> list[str]:
        """Which networks are left out of a run that evaluates or trains."""
        return [f"archbench: left out: {said}" for said in self.plan.left_out]

    def is_settled(self, case: Case, part: Part) -> bool:
        """Whether an evaluation may end with this part: every verdict of its metrics that were asked for is certain."""
        return is_certain(case, part, self.plan.metrics, self.published, self.yardsticks, self.settings)

    # Collecting

    def parametrize(self, metafunc: pytest.Metafunc) -> None:
        """Give a test every case of its metric, or a stand-in where there is none."""
        marker = metafunc.definition.get_closest_marker("archbench")
        metric = marker.kwargs.get("metric") if marker else None
        where = metafunc.definition.nodeid
        if metric is None:
            pytest.fail(f"{where}: archbench_case needs @pytest.mark.archbench(metric=...)", pytrace=False)
        try:
            meter_of(metric)
        except UnknownName as error:
            pytest.fail(f"{where}: {error.args[0]}", pytrace=False)
        # pytest would have an opinion of its own on an empty set of parameters, which an ini option can make an error.
        cases = self.plan.cases(metric)
        metafunc.parametrize(nodes.CASE, cases or [None], ids=[case.id for case in cases] or ["none"])

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, session: pytest.Session, items: list[pytest.Item]) -> None:
        """Add the packaged suite; leave out what is no bench case, and what was not asked for."""
        claims = self._wants_claims()
        packaged = list(nodes.packaged(session, self.plan.package, claims=claims)) if self._wants_packaged() else []
        kept = [*filter(nodes.is_bench, items), *self._choose(packaged)]
        remaining = set(kept)
        if dropped := [item for item in (*items, *packaged) if item not in remaining]:
            self.config.hook.pytest_deselected(items=dropped)
        items[:] = kept

    def _wants_packaged(self) -> bool:
        """Whether no path narrows the run."""
        typed = self.config.args_source == pytest.Config.ArgsSource.ARGS
        here = {self.config.rootpath, self.config.invocation_params.dir}
        return bool(self._chosen) or not typed or any(Path(arg).resolve() in here for arg in self.config.args)

    def _wants_claims(self) -> bool:
        """Whether the run is wide enough to conclude from, every metric of enough networks, or they are asked for."""
        wide = not self.plan.options.metric and len(self.plan.architectures) >= FEWEST
        return nodes.CLAIMS in map(nodes.module, self._chosen) if self._chosen else wide

    def _choose(self, packaged: list[pytest.Item]) -> list[pytest.Item]:
        """What node ids on the command line name, all without them. Raises: pytest.UsageError."""
        try:
            return nodes.chosen(packaged, self._chosen) if self._chosen else packaged
        except pytest.UsageError as error:
            if not self._is_worker:
                raise
            # xdist would swallow the error: the controller is told, and raises it.
            self.config.workeroutput[MISTAKE] = str(error)  # type: ignore[attr-defined]
            return []

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """End the run with the mistake that an xdist worker found in the command line."""
        if mistake := getattr(node, "workeroutput", {}).get(MISTAKE):
            raise pytest.UsageError(mistake)

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tell an xdist worker which run it works for."""
        node.workerinput[RUN] = self._name

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self.progress.expect([item.nodeid for item in session.items])

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: list[str]) -> None:
        self.progress.expect(ids)

    # Running

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self) -> None:
        """Claim the output folder before anything is measured; a run that only collects touches nothing."""
        if self._is_worker or self.config.getoption("collectonly"):
            return
        try:
            was_there = self.out.exists()
            self.out.mkdir(parents=True, exist_ok=True)
            self._made = not was_there
            self._lock.acquire()
        except Timeout:
            advice = "wait for it or give this one --archbench-out"
            raise pytest.UsageError(f"archbench: another run writes to {self.out}; {advice}") from None
        except OSError as error:
            advice = "name a folder that can be written to with --archbench-out"
            raise pytest.UsageError(f"archbench: {self.out} cannot be written to: {error.strerror}; {advice}") from None

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logstart(self, nodeid: str) -> None:
        if self.plan.learns and not self._is_worker:
            self._opened()  # a run that is killed in its first case, hours later, is known by its journal
        self.progress.begin(nodeid)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Journal what a case measured as soon as its test has ended."""
        if self._is_worker:
            return
        self.progress.clear()
        if report.when == "call":
            for name, text in report.user_properties:
                if name == PROPERTY:
                    self._write(json.loads(str(text)))
        if report.when == "teardown":
            self.progress.end(report.nodeid)

    def _write(self, row: dict[str, Any]) -> None:
        journal = self._opened()
        if _text(row) not in self._journalled:
            with self._writing():
                journal.append(row)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """End the run where its journal cannot be written."""
        try:
            yield
        except OSError as error:
            reason = f"{self.out / store.JOURNAL}: {error.strerror}; what was written before is whole"
            pytest.exit(f"archbench: the journal cannot be written: {reason}", returncode=pytest.ExitCode.USAGE_ERROR)

    def _opened(self) -> store.Journal:
        """The journal, opened at the first measurement, so that a run that only collects touches nothing."""
        if self._journal is not None:
            return self._journal
        with self._writing():
            self._journal = self._open()
        return self._journal

    def _open(self) -> store.Journal:
        if self.resuming and (self.out / store.JOURNAL).exists():
            self._journalled = frozenset(map(_text, store.read(self.out).rows))
        return store.Journal(self.out, self._header, resume=self.resuming)

    def so_far(self) -> store.Run:
        """What this run has journalled by now, in an xdist worker what its controller has; no rows before the first.

        A journal of another run, which this one would set aside, is none of its own; nor is one that is damaged.
        """
        nothing = store.Run({**self._header, "run": self._name}, ())
        try:
            found = store.read(self.out)
        except store.JournalError:
            return nothing
        return found if found.header["run"] == self._name else nothing

    # Ending

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """End the measuring processes; render what was journalled."""
        self.runner.close()
        if self.arena is not None:
            self.arena.close()
        self.progress.clear()
        if self._journal is not None:
            self._journal.close()
            self._render(session)
        self._lock.release()
        if self._journal is None and self._made:  # nothing was measured: leave nothing
            Path(self._lock.lock_file).unlink(missing_ok=True)
            self.out.rmdir()

    def _render(self, session: pytest.Session) -> None:
        self._run = store.read(self.out)
        if not self._run.rows:  # interrupted in its first case
            return
        try:
            give = partial(hooks.given, self.config)
            self._rendered, self._faults = outputs.publish(self._run, self.out, self.published, give=give)
        except OSError as error:
            advice = f"the journal is whole: mend it and run archbench report {self.out}"
            where = error.filename2 or error.filename or self.out
            self._unrendered = f"the report cannot be written: {where}: {error.strerror}; {advice}"
        except Exception as error:  # noqa: BLE001  a fault of ours in the report must not cost the run its verdict
            where = f"{self.out / store.JOURNAL} is whole: keep it, and tell us"
            self._unrendered = f"the report cannot be drawn: {type(error).__name__}: {error}; {where}"
        if self._unrendered or self._faults:
            session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._run is not None:
            summarise(terminalreporter, outputs.latest(self._run), [self.out / store.JOURNAL, *self._rendered])
        for reason in self.yardsticks.left_out:
            terminalreporter.write_line(f"left out of the history: {reason}", yellow=True)
        for fault in filter(None, [*self._faults, self._unrendered]):
            terminalreporter.write_line(fault, red=True)


def _text(row: Mapping[str, Any]) -> str:
    """A row as text that equal rows share."""
    return json.dumps(row, sort_keys=True)
