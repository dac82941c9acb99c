"""What may be demanded of a network that is to be chosen: one table, read by the command's options and by the choice.

Standard library only and quick to import: the help of the command is made of it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from pytest_archbench import options, units


@dataclass(frozen=True, slots=True)
class Bound:
    """A demand: the option, the column of the report's frame, which side of the value is refused, how it is written.

    ``parse`` reads the text a user writes into ``unit``, the base unit of the column; it raises ValueError.
    """

    option: str
    column: str
    side: Literal["max", "min"]
    parse: Callable[[str], float]
    form: str
    unit: str

    @property
    def key(self) -> str:
        """The option as a Python identifier and as a heading of a table."""
        return self.option.removeprefix("--").replace("-", "_")

    def admits(self, value: float, bound: float) -> bool:
        """Whether a value keeps to a bound, which is inclusive.

        What is written in decimals and scaled differs from the same number computed otherwise by its last bits: as far
        as that the two are equal.
        """
        beyond = value > bound if self.side == "max" else value < bound
        return not beyond or math.isclose(value, bound, rel_tol=1e-12)


_SCALES = {"": Decimal(1), "k": Decimal(10**3), "M": Decimal(10**6), "G": Decimal(10**9), "T": Decimal(10**12)}


def amount(text: str) -> float:
    """``"5M"``, ``"1.8G"`` or ``"61_100_840"`` -> a number, above 0. Raises ValueError."""
    match = re.fullmatch(r"([0-9]+(?:_[0-9]+)*(?:\.[0-9]+)?)\s*([kMGT]?)", text.strip())
    found = float(Decimal(match[1]) * _SCALES[match[2]]) if match else 0.0
    if not 0 < found < math.inf:
        raise ValueError("expected a number above 0 such as 30, 5M or 1.8G")
    return found


def with_unit(parse: Callable[[str], float], example: str) -> Callable[[str], float]:
    """``parse``, for a text that names its unit: whether 20 is 20 ms or 20 s nobody can know. Raises ValueError."""

    def parsed(text: str) -> float:
        if not any(map(str.isalpha, text)):
            raise ValueError(f"expected a number with its unit, such as {example}")
        return parse(text)

    return parsed


duration = with_unit(options.duration, "20ms")
amount_of_bytes = with_unit(units.parse_bytes, "700MiB")


def fraction(text: str) -> float:
    """``"75%"`` or ``"0.75"`` -> 0.75, above 0 and at most 1. Raises ValueError."""
    if text.strip() in ("1", "1.0", "100%"):
        return 1.0
    try:
        return options.fraction(text)
    except ValueError:
        raise ValueError("expected a fraction such as 0.75 or 75%") from None


BOUNDS = {
    bound.key: bound
    for bound in (
        Bound("--max-latency", "latency", "max", duration, "time of one batch, such as 20ms", "s"),
        Bound("--min-throughput", "throughput", "min", amount, "images per second, such as 30", "img/s"),
        Bound("--max-memory", "peak_memory", "max", amount_of_bytes, "peak memory, such as 1GB or 700MiB", "B"),
        Bound("--max-energy", "energy", "max", amount, "joules per image, such as 0.5", "J"),
        Bound("--min-top1", "top1", "min", fraction, "top-1 accuracy, such as 0.75 or 75%", "fraction"),
        Bound("--min-top5", "top5", "min", fraction, "top-5 accuracy, such as 0.92 or 92%", "fraction"),
        Bound("--max-params", "params", "max", amount, "parameters, such as 5M", "count"),
        Bound("--max-macs", "macs", "max", amount, "multiply-accumulates of one image, such as 600M", "MAC"),
        Bound("--max-model-size", "model_size", "max", amount_of_bytes, "weights and buffers, such as 20MB", "B"),
    )
}
"""Every bound by its key, in the order of the help."""
