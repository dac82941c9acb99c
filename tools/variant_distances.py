"""How far variants of the packaged networks are off the networks themselves: what the tolerances are chosen by.

Every network with random weights, one image, on the CPU; some minutes. ``python tools/variant_distances.py 'resnet*'``
takes some of them.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

from pytest_archbench import plan
from pytest_archbench.meters import CannotMeasure
from pytest_archbench.meters.agreement import TOLERANCES, WrongOutput
from pytest_archbench.meters.running import prepare
from pytest_archbench.records import Architecture, Conditions

VARIANTS = {
    "channels_last": {"memory_format": "channels_last"},
    "float16": {"dtype": "float16"},
    "bfloat16": {"dtype": "bfloat16"},
}
UNLIMITED = dict.fromkeys(TOLERANCES, float("inf"))


def distance(entry: Architecture, variant: str) -> float | str:
    """||variant - own|| / ||own|| of a network's outputs, or why there is none."""
    under = Conditions("cpu", 1, entry.input_shape, **VARIANTS[variant])  # type: ignore[arg-type]
    try:
        (note,) = prepare(entry, under).notes
    except (CannotMeasure, WrongOutput) as reason:
        return str(reason)
    return float(note.split()[1])


def main() -> None:
    warnings.simplefilter("ignore")
    pattern = sys.argv[1] if len(sys.argv) > 1 else ""
    chosen = plan.make({"arch": (pattern, "NAME")}, Path("pyproject.toml"), ()).architectures
    allowed = dict(TOLERANCES)
    TOLERANCES.update(UNLIMITED)  # to see how far, and not only whether
    worst: dict[str, tuple[float, str]] = {}
    for entry in chosen:
        found = {variant: distance(entry, variant) for variant in VARIANTS}
        print(f"{entry.name:24}", "  ".join(f"{variant} {off}" for variant, off in found.items()), flush=True)
        numbers = {variant: (off, entry.name) for variant, off in found.items() if isinstance(off, float)}
        worst |= {variant: max(pair, worst.get(variant, pair)) for variant, pair in numbers.items()}
    for variant, (off, name) in worst.items():
        limit = allowed.get(variant, allowed["float32"])
        print(f"{variant}: {off:.2g} at most ({name}), {limit:g} is allowed")


if __name__ == "__main__":
    main()
