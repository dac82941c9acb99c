"""What asv runs: the cases that a project's settings choose, measured by the meters that pytest uses.

asv has no options of its own for a suite, so variables come before ``[tool.archbench]``: ``ARCHBENCH_ARCH`` is
``--archbench-arch``. asv runs this under a package name of its own: what lies beside is imported relatively.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from functools import cache
from pathlib import Path

from pytest_archbench import plan
from pytest_archbench.meters import CannotMeasure, timing
from pytest_archbench.meters.latency import Stopwatch
from pytest_archbench.options import OPTIONS, OptionError
from pytest_archbench.plan import Plan
from pytest_archbench.records import Case, Measurement, Number
from pytest_archbench.registry import near
from pytest_archbench.runner import Runner, device_lock

METRICS = ("params", "macs", "latency", "peak_memory", "top1_accuracy")
"""What is measured: which of them in a run is asv's to say (``asv run --bench``)."""

PREFIX = "ARCHBENCH_"
ASKED_OF_PYTEST = frozenset(
    ("metric", "precision", "out", "baselines", "history", "nights", "shard", "against", "against_python", "tolerance")
)
"""Options that say nothing here: asv has its own way to choose, to sample, to store and to compare."""
ONE_OF_EACH = ("device", "runtime", "dtype", "memory_format")
"""Options that are no parameter of a benchmark. What tells series apart is the machine, the network and the batch."""
ASKED_OF_ASV = ("discover", "check", "run", "run_server")
"""What asv starts a process of this suite for (``asv/benchmark.py``)."""

_held = ExitStack()
"""The lock of the device that this process measures on, until it ends."""


def project(folder: Path) -> Path:
    """The ``pyproject.toml`` of the nearest folder upwards that has one; that of ``folder``, absent, where none has."""
    places = [each / "pyproject.toml" for each in (folder, *folder.parents)]
    return next((place for place in places if place.is_file()), places[0])


def given(environment: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Option texts from variables, and which gave them. Raises: OptionError for a variable that is no option's."""
    known = {PREFIX + option.key.upper(): option.key for option in OPTIONS if option.key not in ASKED_OF_PYTEST}
    names = [name for name in environment if name.startswith(PREFIX)]
    if unknown := [name for name in names if name not in known]:
        raise OptionError(f"{unknown[0]}: no setting of a run of asv: {near(unknown[0], known)}")
    return {known[name]: (environment[name], name) for name in names}


def make(pyproject: Path, environment: Mapping[str, str]) -> Plan:
    """The plan of a run of asv. Raises: what ``plan.make`` does; OptionError for several of one of ``ONE_OF_EACH``."""
    planned = plan.make({**given(environment), "metric": ("", "asv")}, pyproject, ())
    for name in ONE_OF_EACH:
        asked = getattr(planned.options, name) if name != "device" else [each.name for each in planned.devices]
        if len(asked) > 1:
            raise OptionError(
                f"--archbench-{name.replace('_', '-')}: expected one in a run of asv; got {', '.join(asked)}: "
                "run each with a name of its own: asv run --machine NAME"
            )
    return replace(planned, metrics=METRICS)


def folder(arguments: Sequence[str]) -> Path:
    """The folder of benchmarks, which asv's program is given after what it has to do; the current one is any other.

    Nothing else tells, alike for discovering and running: in an existing environment asv sets no variable, and imported
    from a folder of the user's this file lies elsewhere.
    """
    return Path(arguments[2]) if arguments[1:2] and arguments[1] in ASKED_OF_ASV else Path.cwd()


@cache
def root() -> Path:
    """The folder of the project."""
    return project(folder(sys.argv)).parent


@cache
def chosen() -> Plan:
    """The plan of this run. Raises: SystemExit with a sentence for whatever the user can mend: asv prints it."""
    try:
        return make(root() / "pyproject.toml", os.environ)
    except plan.USER_MISTAKES as error:
        raise SystemExit(f"archbench: {error.args[0]}") from None


def networks() -> list[str]:
    """Names of the networks."""
    return [entry.name for entry in chosen().architectures]


def batch_sizes() -> list[int]:
    return list(chosen().options.batch_size)


def case(metric: str, model: str, batch_size: int = 1) -> Case:
    """The very case that pytest would measure."""
    found = chosen().cases(metric)
    return next(each for each in found if (each.architecture.name, each.conditions.batch_size) == (model, batch_size))


@cache
def measured(metric: str, model: str, batch_size: int = 1) -> Number:
    """The value of a case, in the metric's unit. Raises: NotImplementedError, RuntimeError."""
    with tempfile.TemporaryDirectory() as keep:  # nothing that was learned at another commit counts
        runner = Runner(chosen().options.settings(root(), Path(keep)))
        with closing(runner):
            return value(runner.measure(case(metric, model, batch_size)))


def value(found: Measurement) -> Number:
    """The value of a measurement.

    Raises: NotImplementedError, by which asv skips a case, where there is none or it is known to be too small;
    RuntimeError, by which a case fails, for any other reason and for a value that nothing can be concluded from.
    """
    said = f"{found.architecture} {found.metric}"
    if found.status == "skipped":
        raise NotImplementedError(f"{said}: {found.message}")
    if found.uncounted:
        raise NotImplementedError(f"{said}: operators without a formula: {', '.join(found.uncounted)}")
    if found.value is None or found.imprecise:
        raise RuntimeError(f"{said}: {found.status}: {found.message or found.imprecise}")
    return found.value


@cache
def stopwatch(model: str, batch_size: int) -> Stopwatch:
    """A network on its device, warmed up and alone there. Raises: NotImplementedError where it cannot run there."""
    asked = case("latency", model, batch_size)
    _held.enter_context(device_lock(asked.conditions.device))
    try:
        watch = Stopwatch(asked.architecture, asked.conditions)
    except CannotMeasure as reason:
        raise NotImplementedError(f"{model} latency: {reason}") from None
    timing.warm_up(watch, chosen().options.time_budget)
    return watch
