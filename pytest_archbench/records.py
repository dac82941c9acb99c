"""The nouns: frozen records that carry everything from a network to a verdict.

Standard library only. A record refuses wrong values when it is made, so nothing downstream checks twice.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from pytest_archbench.protocols import IMAGENET, Learning, Outcomes, Recipe, Weights

Better = Literal["lower", "higher", "equal"]
Status = Literal["ok", "skipped", "oom", "timeout", "crashed", "failed"]
Outcome = Literal[
    "passed",
    "regressed",
    "improved",
    "deviates",
    "known deviation",
    "no baseline",
    "incomparable",
    "inconclusive",
]

Number = int | float
REDUCED = ("float16", "bfloat16")
"""Types that a network can be asked to compute in instead of its own."""


class InvalidRecord(ValueError):
    """A record was given a value it cannot hold."""


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise InvalidRecord(message)


def _require_one_of(what: str, value: object, allowed: object) -> None:
    choices = get_args(allowed)
    _require(value in choices, f"{what}: expected one of {', '.join(choices)}; got {value!r}")


@dataclass(frozen=True, slots=True)
class Metric:
    """A quantity: its unit, which direction is better, and how far a value may move unremarked.

    ``better = "equal"`` is a property of the graph: any change is a finding.
    ``tolerance`` is relative (0.05 = 5 %). ``per_device`` is False where no device can change the value. ``resolution``
    is how far, in ``unit``, the instrument itself may be off.
    """

    name: str
    unit: str
    better: Better
    tolerance: float = 0.0
    per_device: bool = True
    description: str = ""
    resolution: float = 0.0

    def __post_init__(self) -> None:
        _require_one_of(f"metric {self.name}: better", self.better, Better)
        _require(
            math.isfinite(self.tolerance) and self.tolerance >= 0,
            f"metric {self.name}: tolerance must be a finite fraction >= 0; got {self.tolerance!r}",
        )


@dataclass(frozen=True, slots=True)
class Architecture:
    """A network that can be built: ``build()`` returns a ``torch.nn.Module`` and works on the meta device.

    ``input_shape`` is what ``pytest_archbench.inputs`` understands: one shape without the batch dimension,
    ``(channels, height, width)``; several shapes; a mapping of names to shapes; or a callable
    ``batch_size -> tensors``; ``None`` means the built model says it (``default_cfg``), else 3 x 224 x 224.
    ``topology`` is the key under which published figures are kept: entries that differ in input size
    alone share it. ``provider`` names the library the implementation comes from, or ``archbench``.

    ``dataset`` is what it classifies. ``weights`` lists those that were published for it, the ones that are taken where
    none are asked for first; ``recipe`` is how it is trained where there are none.
    """

    name: str
    family: str
    build: Callable[[], Any]
    input_shape: Any = (3, 224, 224)
    paper: str = ""
    provider: str = "archbench"
    topology: str = ""
    aliases: tuple[str, ...] = ()
    suites: tuple[str, ...] = ("seeds",)
    dataset: str = IMAGENET
    weights: Callable[[], Sequence[Weights]] | None = None
    recipe: Recipe | None = None

    @property
    def is_users_own(self) -> bool:
        """Whether the user declared it or a hook of theirs returned it, so that its code may change between runs."""
        return "user" in self.suites

    def __post_init__(self) -> None:
        _require(bool(self.name), "architecture: the name is empty")
        _require(callable(self.build), f"architecture {self.name}: build must be callable; got {self.build!r}")
        if not self.topology:
            object.__setattr__(self, "topology", self.name)


@dataclass(frozen=True, slots=True)
class Device:
    """A place to run: ``name`` as asked for (``cuda:0``), ``kind`` (``cuda``), ``model`` as it calls itself."""

    name: str
    kind: str
    model: str = "unknown"
    fingerprint: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Conditions:
    """Under what a number was taken. Two numbers compare only under equal conditions."""

    device: str
    batch_size: int = 1
    input_shape: Any = (3, 224, 224)
    dtype: str = "float32"
    threads: int = 1
    memory_format: str = "contiguous"
    runtime: str = "eager"

    @property
    def variant(self) -> str:
        """What makes it another variant than eager, contiguous and in the network's own type: ``compile-bfloat16``.

        A network whose own type is a reduced one is that variant.
        """
        others = (self.runtime != "eager", self.dtype in REDUCED, self.memory_format != "contiguous")
        named = zip((self.runtime, self.dtype, self.memory_format), others, strict=True)
        return "-".join(name for name, is_other in named if is_other)

    @property
    def names(self) -> tuple[str, ...]:
        """Device, batch size and, if it is one, variant: ``("cpu", "bs1", "compile-bfloat16")``."""
        return (self.device, f"bs{self.batch_size}", *filter(None, [self.variant]))

    def __post_init__(self) -> None:
        _require(self.batch_size >= 1, f"conditions: batch_size must be at least 1; got {self.batch_size}")
        _require(self.threads >= 1, f"conditions: threads must be at least 1; got {self.threads}")


@dataclass(frozen=True, slots=True)
class Case:
    """What is asked: one metric of one architecture under stated conditions."""

    architecture: Architecture
    metric: str
    conditions: Conditions

    @property
    def id(self) -> str:
        """Stable name of the case's architecture, device, batch size and variant: ``resnet50-cpu-bs1-compile``."""
        return "-".join([self.architecture.name, *self.conditions.names])


@dataclass(frozen=True, slots=True)
class Reading:
    """What a meter read: raw samples in the metric's unit, and what a reader must know to use them.

    ``input_shape`` is the input that was fed, as plain data; ``dtype`` the type the network computed in.
    ``reference``, ``machine`` and ``disturbed`` are those of ``Trial``; ``outcomes``, ``epochs``, ``protocol`` and
    ``imprecise`` those of ``Measurement``.
    """

    samples: tuple[Number, ...]
    convention: str = ""
    uncounted: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    input_shape: Any = None
    dtype: str = "float32"
    reference: tuple[float, ...] = ()
    machine: Mapping[str, float | None] = field(default_factory=dict)
    disturbed: tuple[str, ...] = ()
    outcomes: Outcomes | None = None
    epochs: tuple[Number, ...] = ()
    protocol: Mapping[str, Any] = field(default_factory=dict)
    imprecise: str = ""


@dataclass(frozen=True, slots=True)
class Trial:
    """One process's part in a measurement: a process has a bias that more samples of it do not remove.

    ``reference`` holds the times (s) of the fixed reference workload, taken between the samples; ``machine`` what else
    the machine did meanwhile (``pytest_archbench.machine``), None where it does not tell; ``disturbed`` the sentences
    about what of it makes the samples doubtful.
    """

    samples: tuple[Number, ...]
    reference: tuple[float, ...] = ()
    machine: Mapping[str, float | None] = field(default_factory=dict)
    disturbed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Settings:
    """How to measure, as asked for by options. Times in seconds, ``precision`` relative.

    ``processes``: over how many processes a timed case is spread.
    """

    counter: str = "archbench"
    time_budget: float = 2.0
    precision: float = 0.01
    timeout: float = 600.0
    processes: int = 1
    learning: Learning = field(default_factory=Learning)


@dataclass(frozen=True, slots=True)
class Measurement:
    """What one meter found for one architecture; the raw ``samples`` are kept, the value is derived.

    ``trials`` are the parts of a measurement that others may disturb, times and energies, whose samples make up
    ``samples`` in their order; a count has none. ``left_out`` are trials that were disturbed and taken again.
    ``imprecise`` says how far a time stayed behind the precision asked for, or why nothing can be concluded from
    anything else: ``doubt``.

    ``convention`` says what was counted or timed. ``uncounted`` names the operators a counter met and had
    no formula for; a measurement that lists any cannot pass. ``message`` is the reason of any status but ok.

    ``outcomes`` says of a proportion, image by image, what it is of. ``epochs`` holds the value after each epoch of a
    training, the last one being the sample. ``protocol`` says of what is learned how it was taken: data set, weights,
    preprocessing, recipe, as plain data.
    """

    architecture: str
    metric: str
    unit: str
    status: Status
    conditions: Conditions
    samples: tuple[Number, ...] = ()
    convention: str = ""
    uncounted: tuple[str, ...] = ()
    message: str = ""
    notes: tuple[str, ...] = ()
    trials: tuple[Trial, ...] = ()
    left_out: tuple[Trial, ...] = ()
    imprecise: str = ""
    outcomes: Outcomes | None = None
    epochs: tuple[Number, ...] = ()
    protocol: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        where = f"measurement {self.architecture} {self.metric}"
        _require_one_of(f"{where}: status", self.status, Status)
        if self.status == "ok":
            _require(bool(self.samples), f"{where}: status ok needs at least one sample")
            _require(all(math.isfinite(s) for s in self.samples), f"{where}: a sample is not finite")
        else:
            _require(not self.samples, f"{where}: status {self.status} cannot carry samples")
            _require(bool(self.message), f"{where}: status {self.status} needs a message that says why")
        if self.trials:
            parts = tuple(sample for trial in self.trials for sample in trial.samples)
            _require(parts == self.samples, f"{where}: the trials' samples are not the samples")

    @property
    def subject(self) -> str:
        """What a sentence is about: ``resnet18 latency``, ``resnet18 latency bfloat16``."""
        return " ".join(filter(None, [self.architecture, self.metric, self.conditions.variant]))

    @property
    def doubt(self) -> str:
        """Why nothing can be concluded from the value, or an empty text.

        A time that is ``imprecise`` is not in doubt: the interval of its median says how well it is known. What is
        timed has the reference workload beside it.
        """
        return "" if any(trial.reference for trial in self.trials) else self.imprecise

    @property
    def value(self) -> Number | None:
        """The median of the samples, in ``unit``; of several trials the median of their medians, each process counting
        once. None where nothing was measured, never 0.
        """
        if len(self.trials) > 1:
            return statistics.median(statistics.median(trial.samples) for trial in self.trials)
        return statistics.median(self.samples) if self.samples else None


@dataclass(frozen=True, slots=True)
class KnownDeviation:
    """Why a published figure differs from ours, and our value (base unit) when that was established."""

    reason: str
    expected: Number


@dataclass(frozen=True, slots=True)
class Baseline:
    """One figure to compare with.

    ``value`` and ``precision`` are in the metric's base unit; ``precision`` is half a unit of the last
    printed place plus the reading error of a chart, ``below``/``above`` included. ``printed`` and
    ``printed_unit`` are what the source prints. ``device``, ``batch_size`` and ``input_size`` are None
    where the source states none.
    """

    architecture: str
    metric: str
    value: float
    precision: float
    unit: str
    printed: str
    printed_unit: str
    source: str
    reference: str = ""
    convention: str = ""
    input_size: int | None = None
    device: str | None = None
    batch_size: int | None = None
    note: str = ""
    known: KnownDeviation | None = None


@dataclass(frozen=True, slots=True)
class Point:
    """One run's value of one series, to judge or to be judged against: a row of a journal with its run's facts.

    ``value`` is in the metric's ``unit``. ``trials`` holds per process the quartile of the samples on the fast side, in
    that unit, and the median of the reference workload's times (s) or None; empty for counts. ``uncertainty`` is half
    the width of the 95 % interval of the median relative to it, None where it is not known. ``fingerprint`` holds by
    dotted name what must be equal before two values compare: ``device.model``, ``packages.torch``. ``outcomes`` and
    ``doubt`` are those of the measurement; ``alarmed``: its run judged it worse than its own past.
    """

    architecture: str
    metric: str
    unit: str
    value: Number
    run: str
    commit: str
    started: str
    conditions: Conditions
    convention: str = ""
    trials: tuple[tuple[float, float | None], ...] = ()
    uncertainty: float | None = None
    fingerprint: Mapping[str, Any] = field(default_factory=dict)
    outcomes: Outcomes | None = None
    doubt: str = ""
    alarmed: bool = False

    @property
    def subject(self) -> str:
        """What a sentence is about: ``resnet18 latency``, ``resnet18 latency bfloat16``."""
        return " ".join(filter(None, [self.architecture, self.metric, self.conditions.variant]))


@dataclass(frozen=True, slots=True)
class Verdict:
    """One sentence about one measurement and one baseline. ``change`` is relative: (ours - theirs) / theirs."""

    outcome: Outcome
    reason: str
    source: str = ""
    baseline: str = ""
    unit: str = ""
    change: float | None = None

    def __post_init__(self) -> None:
        _require_one_of("verdict: outcome", self.outcome, Outcome)
        _require(bool(self.reason), f"verdict {self.outcome}: a verdict needs its sentence")
