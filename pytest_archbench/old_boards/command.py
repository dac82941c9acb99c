"""The options of the script, and what is a mistake in them."""

import argparse
import re
from typing import List, NoReturn, Optional

from pytest_archbench.old_boards.energy import WINDOW
from pytest_archbench.old_boards.rows import UNITS

SECONDS = {"us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "": 1.0, "min": 60.0, "m": 60.0, "h": 3600.0}
"""Units of a time, those of ``pytest_archbench.options``."""


class Parser(argparse.ArgumentParser):
    """Says a mistake in one sentence."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}\n")


def parser() -> Parser:
    """All options."""
    made = Parser(
        description="Measures networks on this board, with Python 3.6 and torch 1.4 or later. Each measurement has a "
        "process of its own; every number is on disk as soon as it is there.",
        epilog="exit status: 0 all done, 1 something failed, 2 a mistake in the command",
    )
    what = "torchvision's constructor (resnet18), package.module:function, or a TorchScript file (net.pt); NAME=... "
    made.add_argument("networks", metavar="NETWORK", nargs="+", help=what + "gives it another name")
    made.add_argument("--batch-size", type=_counts, default=[1], help="a list: 1,2,4 (default: 1)")
    made.add_argument("--device", type=devices, default=["cuda"], help="a list: cuda, cuda:1, cpu (default: cuda)")
    made.add_argument("--input", type=_counts, default=[3, 224, 224], help="of one image (default: 3,224,224)")
    metrics = "a list of " + ", ".join(UNITS)
    made.add_argument("--metric", type=_metrics, default=[], help=metrics + " (default: all that can be had here)")
    made.add_argument("--threads", type=_count, default=1, help="threads of torch on the CPU (default: 1)")
    made.add_argument(
        "--time-budget", type=_duration, default=2.0, help="of a latency's samples: 2s, 300ms (default: 2s)"
    )
    made.add_argument("--precision", type=_amount, default=0.01, help="relative, of the median (default: 0.01)")
    made.add_argument(
        "--window", type=_long_enough, default=WINDOW, help=f"of energy, {WINDOW:g}s at least (default: {WINDOW:g}s)"
    )
    made.add_argument("--timeout", type=_duration, default=600.0, help="of one measurement (default: 10min)")
    made.add_argument("--out", help="new folder of the journal (default: archbench-TIME)")
    return made


def _list(text: str) -> List[str]:
    found = [each.strip() for each in text.split(",")]
    if not all(found) or len(set(found)) != len(found):
        raise argparse.ArgumentTypeError(f"expected a list with commas, nothing twice; got {text!r}")
    return found


def _count(text: str) -> int:
    if not text.strip().isdigit() or not 1 <= int(text) < 2**31:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1 on; got {text!r}")
    return int(text)


def _counts(text: str) -> List[int]:
    return [_count(each) for each in text.split(",")]


def _amount(text: str) -> float:
    try:
        value: Optional[float] = float(text)
    except ValueError:
        value = None
    if value is None or not 0 < value < 1e6:
        raise argparse.ArgumentTypeError(f"expected a number above 0; got {text!r}")
    return value


def _duration(text: str) -> float:
    """Seconds of ``2s``, ``300ms``, ``10min``, or of a bare number."""
    found = re.fullmatch(r"([0-9.]+)\s*([a-zµ]*)", text.strip())
    try:
        seconds = float(found.group(1)) * SECONDS[found.group(2)] if found else 0.0
    except (KeyError, ValueError):
        seconds = 0.0
    if not 0 < seconds < 1e6:
        units = ", ".join(filter(None, SECONDS))
        raise argparse.ArgumentTypeError(f"expected a time such as 2s or 300ms (units: {units}); got {text!r}")
    return seconds


def _long_enough(text: str) -> float:
    seconds = _duration(text)
    if seconds < WINDOW:
        reason = "the ends of a shorter one are too little known"
        raise argparse.ArgumentTypeError(f"expected {WINDOW:g}s or longer; got {text!r}: {reason}")
    return seconds


def devices(text: str) -> List[str]:
    """Devices by one name each."""
    names = ["cuda" if name == "cuda:0" else name for name in _list(text)]
    for name in names:
        kind, _, number = name.partition(":")
        if not (name in ("cpu", "cuda", "jetson") or (kind == "cuda" and number.isdigit())):
            raise argparse.ArgumentTypeError(f"expected cpu, cuda, cuda:1 or jetson; got {name!r}")
    return list(dict.fromkeys(names))


def _metrics(text: str) -> List[str]:
    for name in _list(text):
        if name not in UNITS:
            raise argparse.ArgumentTypeError(f"expected a list of {', '.join(UNITS)}; got {name!r}")
    return _list(text)
