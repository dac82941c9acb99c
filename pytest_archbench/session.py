"""A run inside pytest, from ``--archbench`` to the exit code. Imported only when the option is given."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock, Timeout

from pytest_archbench import environment, nodes, outputs, plan, store
from pytest_archbench.checks import PROPERTY
from pytest_archbench.meters import meter_of
from pytest_archbench.options import OPTIONS
from pytest_archbench.plan import Plan
from pytest_archbench.progress import Progress, summarise
from pytest_archbench.registry import UnknownName
from pytest_archbench.resume import Recorded
from pytest_archbench.runner import Runner


def start(config: pytest.Config, chosen: tuple[str, ...]) -> Session:
    """Plan the run and put its hooks in place.

    Raises: pytest.UsageError (exit code 4) for whatever the user can mend, in one sentence.
    """
    try:
        own = [entry for entries in config.hook.pytest_archbench_architectures(config=config) for entry in entries]
        session = Session(config, plan.make(_given(config), config.rootpath / "pyproject.toml", own), chosen)
    except (*plan.USER_MISTAKES, store.JournalError) as error:
        raise pytest.UsageError(f"archbench: {error.args[0]}") from None
    config.pluginmanager.register(session, "archbench-session")
    return session


def _given(config: pytest.Config) -> dict[str, tuple[str, str]]:
    """Option texts from the command line, else from the ini file."""
    given = {}
    for option in OPTIONS:
        typed, written = config.getoption(f"archbench_{option.key}"), config.getini(f"archbench_{option.key}")
        if typed is not None:
            given[option.key] = (str(typed), "command line")
        elif written is not None:
            given[option.key] = (str(written), f"{config.inipath}: archbench_{option.key}")
    return given


class Session:
    """The hooks of a bench run. Measuring happens where tests run; journal and report where reports arrive."""

    def __init__(self, config: pytest.Config, planned: Plan, chosen: tuple[str, ...]) -> None:
        self.config = config
        self.plan = planned
        self.published = planned.published
        self.out = config.rootpath / planned.options.out
        self.runner = Runner(planned.options.settings)
        self.progress = Progress(config)
        self.resuming = bool(config.getoption("archbench_resume"))
        self.recorded = Recorded.of(self.out, self._header()) if self.resuming else Recorded()
        self._from_controller: dict[str, Any] | None = getattr(config, "workerinput", None)
        self._chosen = tuple(self._from_controller["archbench_chosen"]) if self._from_controller else chosen
        self._journal: store.Journal | None = None
        self._lock = FileLock(self.out / ".lock", timeout=0)
        self._rendered: list[Path] = []

    def _header(self) -> dict[str, Any]:
        devices = {device.name: {"kind": device.kind, **device.fingerprint} for device in self.plan.devices}
        return environment.header(devices, self.config.rootpath)

    # Collecting

    def parametrize(self, metafunc: pytest.Metafunc) -> None:
        """Give a test every case of its metric; module scope puts the metrics of one case side by side."""
        marker = metafunc.definition.get_closest_marker("archbench")
        metric = marker.kwargs.get("metric") if marker else None
        where = metafunc.definition.nodeid
        if metric is None:
            raise pytest.UsageError(f"{where}: archbench_case needs @pytest.mark.archbench(metric=...)")
        try:
            meter_of(metric)
        except UnknownName as error:
            raise pytest.UsageError(f"{where}: {error.args[0]}") from None
        cases = self.plan.cases(metric)
        metafunc.parametrize("archbench_case", cases, ids=[case.id for case in cases], scope="module")

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, session: pytest.Session, items: list[pytest.Item]) -> None:
        """Add the packaged suite; leave out what is no bench case, and metrics that were not asked for."""
        pool = [*items, *(nodes.packaged(session, self.plan.package) if self._wants_packaged() else ())]
        ours = [item for item in pool if nodes.is_bench(item)]
        if self._chosen:
            ours = nodes.chosen(ours, self._chosen)
        kept = set(ours)
        if dropped := [item for item in items if item not in kept]:
            self.config.hook.pytest_deselected(items=dropped)
        items[:] = ours

    def _wants_packaged(self) -> bool:
        """Whether no path narrows the run; an xdist worker is told, since its paths are spelt out."""
        if self._from_controller is not None:
            return bool(self._from_controller["archbench_packaged"])
        typed = self.config.args_source == pytest.Config.ArgsSource.ARGS
        here = {self.config.rootpath, self.config.invocation_params.dir}
        return bool(self._chosen) or not typed or any(Path(arg).resolve() in here for arg in self.config.args)

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tell an xdist worker what it cannot see."""
        node.workerinput["archbench_packaged"] = self._wants_packaged()
        node.workerinput["archbench_chosen"] = list(self._chosen)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self.progress.expect([item.nodeid for item in session.items])

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: list[str]) -> None:
        self.progress.expect(ids)

    # Running

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self.progress.begin(nodeid)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Journal what a case measured as soon as its test has ended."""
        if self._from_controller is not None:
            return
        if report.when == "call":
            for name, text in report.user_properties:
                if name == PROPERTY:
                    self._write(json.loads(str(text)))
        if report.when == "teardown":
            self.progress.end(report.nodeid)

    def _write(self, row: dict[str, Any]) -> None:
        try:
            journal = self._journal or self._open()
            journal.append(row)
        except Timeout:
            reason = f"another run writes to {self.out}; wait for it or give this one --archbench-out"
            pytest.exit(f"archbench: {reason}", returncode=pytest.ExitCode.USAGE_ERROR)
        except OSError as error:
            reason = f"{self.out / store.JOURNAL}: {error.strerror}; what was written before is whole"
            pytest.exit(f"archbench: the journal cannot be written: {reason}", returncode=pytest.ExitCode.USAGE_ERROR)

    def _open(self) -> store.Journal:
        """Open the journal at the first measurement, so that a run that only collects touches nothing."""
        self.out.mkdir(parents=True, exist_ok=True)
        self._lock.acquire()
        self._journal = store.Journal(self.out, self._header(), resume=self.resuming)
        return self._journal

    # Ending

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        """End the measuring processes; render what was journalled."""
        self.runner.close()
        self.progress.clear()
        if self._journal is None:
            return
        self._journal.close()
        self._rendered = outputs.publish(store.read(self.out), self.out, self.published)
        self._lock.release()

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._journal is not None:
            summarise(terminalreporter, store.read(self.out), [self._journal.path, *self._rendered])
