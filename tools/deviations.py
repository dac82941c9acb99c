"""The rules of deviations.toml: which documented reason holds for a published figure that differs from ours."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

import tomli

from pytest_archbench.records import Baseline

Ingredients = Mapping[str, int]
Lookup = Callable[[str, int], Ingredients | None]
"""(network, input size) -> its ingredients, or None where it does not run at that size."""

ROUNDINGS: dict[str, Callable[[float], int]] = {"down": math.floor, "up": math.ceil}


@dataclass(frozen=True, slots=True)
class Rule:
    """One reason why a count differs, and when it holds; deviations.toml says what the fields mean."""

    source: str
    metric: str
    id: str
    text: str = ""
    architectures: Sequence[str] = ("*",)
    sizes: Sequence[int] = ()
    note: str = ""
    printed: Sequence[str] = ()
    counts: Mapping[str, float] = field(default_factory=dict)
    change: Sequence[float] = ()
    within: float = 0.0
    rounding: str = ""
    digits: int = 0
    like: str = ""
    at: int = 0

    def __post_init__(self) -> None:
        if bool(self.counts) == bool(self.change):
            raise ValueError(f"rule {self.source} {self.id}: give either counts or change")

    def speaks_of(self, figure: Baseline, size: int) -> bool:
        """Whether the rule is about this figure at all."""
        return (
            (figure.source, figure.metric) == (self.source, self.metric)
            and any(fnmatchcase(figure.architecture, pattern) for pattern in self.architectures)
            and (not self.sizes or size in self.sizes)
            and (not self.printed or figure.printed in self.printed)
            and self.note in figure.note
        )

    def holds(self, figure: Baseline, size: int, ours: float, lookup: Lookup) -> bool:
        """Whether the figure's value follows from this reason."""
        if self.change:
            low, high = self.change
            return low <= (figure.value - ours) / ours <= high
        found = lookup(self.like or figure.architecture, self.at or size)
        return found is not None and self._reproduces(figure, sum(found.get(n, 0) * k for n, k in self.counts.items()))

    def _reproduces(self, figure: Baseline, value: float) -> bool:
        if self.rounding:
            unit = figure.value / float(figure.printed) * 10.0 ** -len(figure.printed.partition(".")[2])
            return ROUNDINGS[self.rounding](value / unit) == round(figure.value / unit)
        if self.digits:
            place = 10.0 ** (math.floor(math.log10(value)) + 1 - self.digits)
            return round(value / place) == round(figure.value / place)
        return abs(value - figure.value) <= figure.precision + self.within * value


def rules(path: Path) -> list[Rule]:
    """The rules of a file, every rule with the text of its id; raises ValueError where an id has none or two."""
    texts: dict[tuple[str, str], str] = {}
    found = []
    for table in tomli.loads(path.read_text(encoding="utf-8"))["rule"]:
        key = (table["source"], table["id"])
        text = texts.setdefault(key, table.get("text", ""))
        if not text or table.get("text", text) != text:
            raise ValueError(f"{path}: {' '.join(key)}: expected one text, in the first rule of the id")
        found.append(Rule(**(table | {"text": text})))
    return found


def reason(all_rules: Sequence[Rule], figure: Baseline, size: int, ours: float, lookup: Lookup) -> Rule | None:
    """The first rule that speaks of the figure and holds."""
    speaking = (rule for rule in all_rules if rule.speaks_of(figure, size))
    return next((rule for rule in speaking if rule.holds(figure, size, ours, lookup)), None)
