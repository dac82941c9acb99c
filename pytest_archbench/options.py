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
    from pytest_archbench.records import Settings


class OptionError(ValueError):
    """An option has a value it cannot have; the message names it and says what it expects."""


@dataclass(frozen=True, slots=True)
class Option:
    """One option: ``--archbench-<name>``, ini ``archbench_<name>``, ``[tool.archbench] <name>``."""

    name: str
    default: str
    help: str
    parse: Callable[[str], Any]

    @property
    def flag(self) -> str:
        return f"--archbench-{self.name}"

    @property
    def key(self) -> str:
        """Its name as a Python identifier, in ini files and in ``Options``."""
        return self.name.replace("-", "_")


@dataclass(frozen=True, slots=True)
class Options:
    """Every option's value, parsed; times in seconds, ``precision`` relative. Empty ``metric``: all there are."""

    device: tuple[str, ...]
    arch: tuple[str, ...]
    suite: tuple[str, ...]
    metric: tuple[str, ...]
    batch_size: tuple[int, ...]
    threads: int
    counter: str
    time_budget: float
    precision: float
    timeout: float
    processes: int
    out: Path
    baselines: Path
    history: Path | None
    against: str
    against_python: str
    tolerance: float

    @property
    def settings(self) -> Settings:
        from pytest_archbench.records import Settings  # records take longer to define than all of this file

        return Settings(**{field.name: getattr(self, field.name) for field in fields(Settings)})


_SECONDS = {"ms": 1e-3, "s": 1.0, "": 1.0, "min": 60.0, "m": 60.0, "h": 3600.0}


def names(text: str) -> tuple[str, ...]:
    """``"a, b"`` -> ``("a", "b")``; order kept, repetitions dropped."""
    return tuple(dict.fromkeys(part for part in re.split(r"[,\s]+", text) if part))


def counts(text: str) -> tuple[int, ...]:
    """``"1,8,32"`` -> ``(1, 8, 32)``, sorted; each at least 1."""
    return tuple(sorted({count(part) for part in names(text)}))


MOST = 2**31 - 1
"""What torch can take for a number of threads, and more images than any memory holds."""


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
    match = re.fullmatch(r"([0-9.]+)\s*([a-z]*)", text.strip())
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


def word(text: str) -> str:
    return text.strip()


def folder(text: str) -> Path:
    """A path; an empty text is none, though ``Path`` would take it for the current folder."""
    if not text.strip():
        raise ValueError("expected a folder; the current one is called .")
    return Path(text)


OPTIONS = (
    Option("device", "cpu", "where to run, a list: cpu, cuda, cuda:1, mps, jetson, auto", names),
    Option("arch", "", "architectures, a list of names or globs (resnet*, vgg16); all of the suites without it", names),
    Option("suite", "", "seeds, torchvision, timm, blocks, user, ... (default: seeds and your own)", names),
    Option(
        "metric",
        "",
        "params, macs, activations, model_size, latency, throughput, peak_memory, ... (default: all)",
        names,
    ),
    Option("batch-size", "1", "batch sizes of measured metrics, a list", counts),
    Option("threads", "1", "threads that torch may use on the CPU", count),
    Option("counter", "archbench", "who counts: archbench, or fvcore as a second opinion", word),
    Option("time-budget", "2s", "time to sample one latency case", duration),
    Option("precision", "1%", "stop sampling when the median is known this well", fraction),
    Option("timeout", "10min", "a measuring process that answers nothing for so long is ended", duration),
    Option("processes", "1", "spread a timed case over so many processes; 5 or more to judge it by", few),
    Option("out", "reports", "folder of the journal and the report", folder),
    Option("baselines", "baselines/devices", "folder of the runs that were promoted", folder),
    Option("history", "", "folder of earlier journals to judge against, such as reports/previous", maybe_folder),
    Option("against", "", "a git revision of your project to be measured against, in turn with it", word),
    Option("against-python", "", "another environment's Python to be measured against, in turn with it", word),
    Option("tolerance", "2%", "how much slower than what it is measured against is no regression", fraction),
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
        if option.default and not values[option.key]:
            raise OptionError(f"{option.flag} ({place}): got {text!r}; expected at least one value")
    return Options(**values)


def as_text(value: Any) -> str:
    """A TOML value as the text one would type: lists joined by commas. Raises ValueError for tables and booleans."""
    if isinstance(value, list):
        return ",".join(as_text(item) for item in value)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"expected a text, a number or a list of them; got {value!r}")
    return str(value)
