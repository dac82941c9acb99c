"""What a user can ask for: one table of options, read from the command line, the ini file and pyproject.toml alike.

Standard library only and quick to import: every pytest run of someone who has the plugin installed imports it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_archbench.protocols import Learning
    from pytest_archbench.records import Settings


class OptionError(ValueError):
    """An option has a value it cannot have; the message names it and says what it expects."""


@dataclass(frozen=True, slots=True)
class Option:
    """One option: ``--archbench-<name>``, ini ``archbench_<name>``, ``[tool.archbench] <name>``. One that has ``bare``
    is typed alone, and then has that value.
    """

    name: str
    default: str
    help: str
    parse: Callable[[str], Any]
    bare: str = ""

    @property
    def flag(self) -> str:
        return f"--archbench-{self.name}"

    @property
    def key(self) -> str:
        """Its name as a Python identifier, in ini files and in ``Options``."""
        return self.name.replace("-", "_")


@dataclass(frozen=True, slots=True)
class Budget:
    """What an evaluation may cost: no more than so many ``images`` (0: all), and the ``risk`` of a wrong verdict for
    ending as soon as one is certain (0: never).
    """

    images: int = 0
    risk: float = 0.0


@dataclass(frozen=True, slots=True)
class Shard:
    """One part of a run that several machines share: ``number`` (from 1) of ``of``."""

    number: int
    of: int


@dataclass(frozen=True, slots=True)
class Options:
    """Every option's value, parsed; times in seconds, ``precision`` relative. Empty ``metric``: all that need no data.

    ``loaders``: -1 where the machine decides; ``epochs``: 0 where the recipe does.
    """

    device: tuple[str, ...]
    arch: tuple[str, ...]
    suite: tuple[str, ...]
    metric: tuple[str, ...]
    batch_size: tuple[int, ...]
    runtime: tuple[str, ...]
    dtype: tuple[str, ...]
    memory_format: tuple[str, ...]
    threads: int
    counter: str
    time_budget: float
    precision: float
    timeout: float
    processes: int
    out: Path
    baselines: Path
    history: Path | None
    nights: int
    shard: Shard | None
    against: str
    against_python: str
    tolerance: float
    imagenet: Path | None
    data: Path | None
    download: bool
    weights: Path | None
    weights_tag: tuple[str, ...]
    accuracy_budget: Budget
    evaluation_batch: int
    loaders: int
    amp: str
    epochs: int
    seed: int
    ranks: int

    def settings(self, root: Path, keep: Path) -> Settings:
        """How to measure; folders are taken from ``root``, and what is half done is kept in ``keep``."""
        from pytest_archbench.records import Settings  # records take longer to define than all of this file

        names = {field.name for field in fields(Settings)} & {field.name for field in fields(self)}
        return Settings(**{name: getattr(self, name) for name in names}, learning=self._learning(root, keep))

    def _learning(self, root: Path, keep: Path) -> Learning:
        from pytest_archbench.protocols import Learning

        names = {field.name for field in fields(Learning)} & {field.name for field in fields(self)}
        given: dict[str, Any] = {name: getattr(self, name) for name in names}
        there = {name: str(root / given[name]) if given[name] else "" for name in PLACES}
        budget = self.accuracy_budget
        return Learning(**{**given, **there}, images=budget.images, risk=budget.risk, keep=str(keep))


PLACES = ("imagenet", "data", "weights")
"""Options that name folders of what accuracy is taken with."""


_SECONDS = {"us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "": 1.0, "min": 60.0, "m": 60.0, "h": 3600.0}


def names(text: str) -> tuple[str, ...]:
    """``"a, b"`` -> ``("a", "b")``; order kept, repetitions dropped."""
    return tuple(dict.fromkeys(part for part in re.split(r"[,\s]+", text) if part))


def counts(text: str) -> tuple[int, ...]:
    """``"1,8,32"`` -> ``(1, 8, 32)``, sorted; each at least 1."""
    return tuple(sorted({count(part) for part in names(text)}))


MOST = 2**31 - 1
"""What torch can take for a number of threads, and more images than any memory holds."""


def among(*choices: str) -> Callable[[str], tuple[str, ...]]:
    """A parser of lists of ``choices``."""

    def listed(text: str) -> tuple[str, ...]:
        found = names(text)
        if not found or not set(found) <= set(choices):
            raise ValueError(f"expected one or more of {', '.join(choices)}")
        return found

    return listed


def count(text: str) -> int:
    """A whole number from 1 to ``MOST``."""
    if not re.fullmatch("[0-9]{1,10}", text) or not 1 <= int(text) <= MOST:
        raise ValueError(f"expected a whole number from 1 to {MOST}")
    return int(text)


def few(text: str) -> int:
    """A whole number from 1 to 100."""
    if (number := count(text)) > 100:
        raise ValueError("expected a whole number from 1 to 100")
    return number


def duration(text: str) -> float:
    """``"10s"``, ``"500ms"``, ``"2min"`` or bare seconds -> seconds, more than 0."""
    match = re.fullmatch(r"([0-9.]+)\s*([a-zµ]*)", text.strip())
    try:
        seconds = float(match[1]) * _SECONDS[match[2]] if match else 0.0
    except (KeyError, ValueError):
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise ValueError(
            f"expected a time above 0 such as 10s, 500ms or 2min (units: {', '.join(filter(None, _SECONDS))})"
        )
    return seconds


def fraction(text: str) -> float:
    """``"1%"`` or ``"0.01"`` -> 0.01; above 0 and below 1."""
    text = text.strip()
    try:
        value = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        value = 0.0
    if not 0 < value < 1:
        raise ValueError("expected a fraction above 0 % and below 100 %, such as 1% or 0.01")
    return value


def maybe_folder(text: str) -> Path | None:
    """A path, None for an empty text."""
    return Path(text) if text.strip() else None


def nights(text: str) -> int:
    """A whole number from 5 on: fewer values do not say how far one can be trusted."""
    if (number := count(text)) < 5:
        raise ValueError("expected a whole number from 5 on")
    return number


def shard(text: str) -> Shard | None:
    """``"1/4"`` -> the first of four parts; None for an empty text."""
    if not text.strip():
        return None
    number, slash, of = text.strip().partition("/")
    try:
        found = Shard(count(number), few(of))
    except ValueError:
        found = None
    if not slash or found is None or found.number > found.of:
        raise ValueError("expected a part of as many, 1/4 to 4/4, of 100 at most")
    return found


def budget(text: str) -> Budget:
    """``"1%"``, ``"5000"`` or both with a comma between them -> a risk, a number of images; neither for no text."""
    images: list[str] = []
    risks: list[str] = []
    for part in names(text):
        (images if re.fullmatch("[0-9]+", part) else risks).append(part)
    if max(len(images), len(risks)) > 1:
        raise ValueError("expected one risk and one number of images, such as 1%,5000")
    return Budget(sum(map(count, images)), sum(map(fraction, risks)))


def perhaps(text: str) -> int:
    """A whole number from 1 to ``MOST``, 0 for an empty text."""
    return count(text) if text.strip() else 0


def whole(text: str) -> int:
    """A whole number from 0 to ``MOST``."""
    try:
        return 0 if text == "0" else count(text)
    except ValueError:
        raise ValueError(f"expected a whole number from 0 to {MOST}") from None


def loaders(text: str) -> int:
    """A whole number from 0 to 100, -1 for ``auto``."""
    if text == "auto":
        return -1
    if not re.fullmatch("[0-9]{1,3}", text) or int(text) > 100:
        raise ValueError("expected auto or a whole number from 0 to 100")
    return int(text)


AMP = ("", "bfloat16", "float16")
"""Types of mixed precision, and none."""


def mixed(text: str) -> str:
    """A type of mixed precision, an empty text for none."""
    if text.strip() not in AMP:
        raise ValueError(f"expected {' or '.join(filter(None, AMP))}")
    return text.strip()


def yes(text: str) -> bool:
    """``yes`` or ``no``."""
    if text not in ("yes", "no"):
        raise ValueError("expected yes or no")
    return text == "yes"


def word(text: str) -> str:
    return text.strip()


def folder(text: str) -> Path:
    """A path; an empty text is none, though ``Path`` would take it for the current folder."""
    if not text.strip():
        raise ValueError("expected a folder; the current one is called .")
    return Path(text)


RUNTIMES = ("eager", "compile", "onnxruntime", "tensorrt")
DTYPES = ("float32", "float16", "bfloat16")
"""The first is the network's own, which hardly ever is another."""
FORMATS = ("contiguous", "channels_last")

OPTIONS = (
    Option("device", "cpu", "where to run, a list: cpu, cuda, cuda:1, jetson, mps, xpu, auto", names),
    Option("arch", "", "architectures, a list of names or globs (resnet*, vgg16); all of the suites without it", names),
    Option("suite", "", "seeds, torchvision, timm, blocks, user, ... (default: seeds and your own)", names),
    Option(
        "metric",
        "",
        "params, macs, latency, peak_memory, ...; or counts, memory, accuracy, training (default: all but these two)",
        names,
    ),
    Option("batch-size", "1", "batch sizes of measured metrics, a list", counts),
    Option("runtime", RUNTIMES[0], f"what runs a network, a list: {', '.join(RUNTIMES)}", among(*RUNTIMES)),
    Option("dtype", DTYPES[0], f"types to compute in, a list: {', '.join(DTYPES)}", among(*DTYPES)),
    Option("memory-format", FORMATS[0], f"memory formats, a list: {', '.join(FORMATS)}", among(*FORMATS)),
    Option("threads", "1", "threads that torch may use on the CPU", count),
    Option("counter", "archbench", "who counts: archbench, or fvcore as a second opinion", word),
    Option("time-budget", "2s", "time to sample one latency case", duration),
    Option("precision", "1%", "stop sampling when the median is known this well", fraction),
    Option("timeout", "10min", "a measuring process that answers nothing for so long is ended", duration),
    Option("processes", "1", "spread a timed case over so many processes; 5 or more to judge it by", few),
    Option("out", "reports", "folder of the journal and the report", folder),
    Option("baselines", "baselines/devices", "folder of the runs that were promoted", folder),
    Option("history", "", "folder of earlier journals to judge against, such as reports/previous", maybe_folder),
    Option("nights", "20", "how many of these a value is judged by, the latest; 5 or more", nights),
    Option("shard", "", "this machine's part of the networks: 1/4 (default: all of them)", shard),
    Option("against", "", "a git revision of your project to be measured against, in turn with it", word),
    Option("against-python", "", "another environment's Python to be measured against, in turn with it", word),
    Option("tolerance", "2%", "how much slower than what it is measured against is no regression", fraction),
    Option("imagenet", "", "folder of ImageNet's validation images, or of your own in its layout", maybe_folder),
    Option("data", "", "folder of torchvision's data sets: MNIST, CIFAR-10, STL-10, Food-101", maybe_folder),
    Option("download", "no", "fetch data sets and weights that are not here (default: no)", yes, bare="yes"),
    Option("weights", "", "folder of files of weights, named by architecture: resnet50.pth", maybe_folder),
    Option("weights-tag", "", "which published weights, a list: IMAGENET1K_V2, a1_in1k (default: the first)", names),
    Option("accuracy-budget", "", "risk at which an evaluation may stop early, images at most: 1%,5000", budget),
    Option("evaluation-batch", "64", "images per pass of an evaluation", count),
    Option("loaders", "auto", "processes that prepare images", loaders),
    Option("amp", "", "mixed precision: bfloat16 or float16 (default: none)", mixed),
    Option("epochs", "", "epochs of a training (default: what its recipe says)", perhaps),
    Option("seed", "0", "of initial weights and of every random order", whole),
    Option("ranks", "1", "processes that train one network together, one GPU each", few),
)


def parse(given: Mapping[str, tuple[str, str]]) -> Options:
    """Options from texts: ``{key: (text, where it was given)}``; what is missing has its default.

    Raises: OptionError naming option, place, value and what was expected.
    """
    values = {}
    for option in OPTIONS:
        text, place = given.get(option.key, (option.default, "the default"))
        try:
            values[option.key] = option.parse(text)
        except ValueError as error:
            raise OptionError(f"{option.flag} ({place}): got {text!r}; {error}") from None
        if option.default and values[option.key] in ((), ""):
            raise OptionError(f"{option.flag} ({place}): got {text!r}; expected at least one value")
    return Options(**values)


def as_text(value: Any) -> str:
    """A TOML value as the text one would type: lists joined by commas. Raises ValueError for tables and booleans."""
    if isinstance(value, list):
        return ",".join(as_text(item) for item in value)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"expected a text, a number or a list of them; got {value!r}")
    return str(value)
