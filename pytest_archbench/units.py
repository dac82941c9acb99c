"""Units are data: base units inside (s, B, J, MAC, count, fraction), scaled only when read or printed."""

from __future__ import annotations

import math

from pytest_archbench.records import Number

PREFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""), (1e-3, "m"), (1e-6, "µ"), (1e-9, "n"))
BINARY_PREFIXES = ((2.0**30, "Gi"), (2.0**20, "Mi"), (2.0**10, "Ki"), (1.0, ""))

BARE = ("nat",)
"""Units that nobody puts a prefix before."""

MACS_PER_FLOP = 0.5
"""One multiply-add is one MAC and two FLOPs: a multiplication and an addition."""


def readable(value: Number | None, unit: str, digits: int = 4) -> str:
    """A value for a reader: ``readable(4089184256, "MAC") == "4.089 GMAC"``; ``not measured`` for None."""
    if value is None:
        return "not measured"
    if unit == "fraction":
        return f"{value * 100:.{max(digits - 2, 0)}f} %"
    if unit in BARE:
        return f"{value:.{digits}g} {unit}"
    prefixes = BINARY_PREFIXES if unit == "B" else PREFIXES
    name = "" if unit == "count" else unit
    if value == 0:
        return f"0 {name}".strip()
    scale, prefix = next(((s, p) for s, p in prefixes if abs(value) >= s), prefixes[-1])
    if isinstance(value, int) and scale == 1.0:
        return f"{value} {name}".strip()
    return f"{_significant(value / scale, digits)} {prefix}{name}".strip()


def both(before: Number, after: Number, unit: str) -> tuple[str, str]:
    """Two values for a reader, with all digits where fewer would show no difference."""
    here, there = readable(before, unit), readable(after, unit)
    return (f"{before} {unit}", f"{after} {unit}") if here == there and before != after else (here, there)


def _significant(value: float, digits: int) -> str:
    """``value`` with ``digits`` significant places, never in exponent form: 714.2, 4.089, 61.10."""
    whole = len(str(int(abs(value))))
    return f"{value:.{max(digits - whole, 0)}f}"


def relative_change(ours: Number | None, theirs: Number) -> float | None:
    """(ours - theirs) / theirs; None where ours was not measured or theirs is 0."""
    return None if ours is None or theirs == 0 else (ours - theirs) / theirs


def relative(change: float | None) -> str:
    """A relative change for a reader: ``relative(0.082) == "+8.2 %"``."""
    if change is None:
        return "no change defined"
    percent = change * 100
    digits = 1 if abs(percent) >= 0.1 or percent == 0 else 3
    return f"{percent:+.{digits}f} %"


def parse_bytes(value: float | str) -> float:
    """``"1GB"``, ``"700 MiB"`` or a number of bytes -> bytes, at least 0. Raises ValueError."""
    scales = {f"{prefix}B": scale for scale, prefix in (*PREFIXES[:5], *BINARY_PREFIXES)}
    text = str(value).strip()
    number = text.rstrip("kKMGTiB").strip()
    try:
        found = float(number) * scales[text[len(number) :].strip() or "B"]
    except (KeyError, ValueError):
        found = math.nan
    if not 0 <= found < math.inf:
        raise ValueError(f"expected bytes such as 700MiB or 1GB; got {value!r}")
    return found
