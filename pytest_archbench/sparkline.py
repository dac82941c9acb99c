"""A series as a row of signs, one for each night, for one line of a terminal or of a document. Pure."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from pytest_archbench.records import Number


@dataclass(frozen=True, slots=True)
class Signs:
    """``levels`` from the lowest to the highest, and what stands for a night without a value."""

    levels: str
    gap: str


BLOCKS = Signs("▁▂▃▄▅▆▇█", "·")
DIGITS = Signs("12345678", ".")
"""For a terminal that has no block elements (Unicode's U+2581 to U+2588)."""
BORDER = "|"
"""Between two nights that do not compare."""
ALARM, DOUBT = MARKS = ("!", "?")
"""What may be said of a night, the worst first: it raised an alarm, or its value is in doubt."""


@dataclass(frozen=True, slots=True)
class Night:
    """A value, None where the case was not measured that night, and a sign of ``MARKS`` or an empty text."""

    value: Number | None
    mark: str = ""


def signs(encoding: str | None) -> Signs:
    """Those that a terminal of this encoding can show."""
    try:
        f"{BLOCKS.levels}{BLOCKS.gap}".encode(encoding or "ascii")
    except (LookupError, UnicodeEncodeError):
        return DIGITS
    return BLOCKS


def drawn(stretches: Sequence[Sequence[Night]], width: int, signs: Signs = BLOCKS, least: float = 0.0) -> list[str]:
    """The signs of stretches of nights that compare, and below them the marks where there are any.

    At most ``width`` signs: of more nights several make one sign, their median; borders are given up where there are
    too many. The height goes from the lowest value to the highest, or is ``least`` (relative to their
    middle) around the middle where that is more, so that mere noise does not fill it.
    """
    cells = _fitting([each for each in stretches if each], width)
    known = [night.value for stretch in cells for night in stretch if night.value is not None]
    if not known:
        return []
    scale = _Scale.of(known, least)
    values = BORDER.join("".join(_sign(night, scale, signs) for night in stretch) for stretch in cells)
    marks = " ".join("".join(night.mark or " " for night in stretch) for stretch in cells).rstrip()
    return [values, marks] if marks else [values]


def _fitting(stretches: Sequence[Sequence[Night]], width: int) -> list[list[Night]]:
    """The nights as at most ``width`` cells, borders included."""
    if 2 * len(stretches) - 1 > width:
        stretches = [[night for stretch in stretches for night in stretch]]
    nights, room = sum(map(len, stretches)), width - (len(stretches) - 1)
    shares = ([max(1, len(each) * share // nights) for each in stretches] for share in range(min(room, nights), -1, -1))
    cells = next(each for each in shares if sum(each) <= room)
    return [_parted(stretch, number) for stretch, number in zip(stretches, cells, strict=True)]


def _parted(nights: Sequence[Night], number: int) -> list[Night]:
    """``number`` nights, each of about equally many."""
    borders = [len(nights) * at // number for at in range(number + 1)]
    return [_merged(nights[start:end]) for start, end in pairwise(borders)]


def _merged(nights: Sequence[Night]) -> Night:
    values = [night.value for night in nights if night.value is not None]
    mark = next((sign for sign in MARKS if any(night.mark == sign for night in nights)), "")
    return Night(statistics.median(values) if values else None, mark)


@dataclass(frozen=True, slots=True)
class _Scale:
    """What the lowest and the highest sign stand for, in ``unit``, which keeps differences of any floats finite."""

    low: float
    high: float
    unit: float

    @classmethod
    def of(cls, values: Sequence[Number], least: float) -> _Scale:
        unit = float(max(map(abs, values))) or 1.0
        low, high = min(values) / unit, max(values) / unit
        middle = (low + high) / 2
        reach = max(high - low, least * abs(middle)) / 2
        return cls(middle - reach, middle + reach, unit)

    def share(self, value: Number) -> float:
        """Where a value lies, from 0 to 1; in the middle where all are equal."""
        span = self.high - self.low
        return min(1.0, max(0.0, (value / self.unit - self.low) / span)) if span > 0 else 0.5


def _sign(night: Night, scale: _Scale, signs: Signs) -> str:
    if night.value is None:
        return signs.gap
    return signs.levels[min(len(signs.levels) - 1, math.floor(scale.share(night.value) * len(signs.levels)))]
