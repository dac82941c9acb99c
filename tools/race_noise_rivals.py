"""The protocols that the noise race compares with: pytest-benchmark, torch.utils.benchmark and a loop as timm has it.

Each is run as its user runs it, in a process of its own that times a network unchanged and slowed, one after the other.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

from race_noise_networks import SLOWED, UNCHANGED, Asked, passes

Raw = dict[str, Any]
Times = Callable[[Callable[[], Any], float], list[float]]
"""(forward pass, s) -> times of it (s)."""

TEST = """\
import pytest
from race_noise_networks import passes

PASSES = passes({network!r}, {fraction!r})


@pytest.mark.parametrize("kind", {order!r})
def test_forward(benchmark, kind):
    benchmark(PASSES[kind])
"""
LEAST_ROUNDS = 5
FIRST, LEAST_STEPS = 10, 40
"""Passes of timm's loop that are not timed, and that are."""


def pytest_benchmark(asked: Asked, fraction: float, order: Sequence[str]) -> dict[str, Raw]:
    """Times (s) of its rounds, calibrated, as its JSON has them."""
    with tempfile.TemporaryDirectory(prefix="race-noise-") as folder:
        test, said = Path(folder, "test_forward.py"), Path(folder, "benchmark.json")
        test.write_text(TEST.format(network=asked.network, fraction=fraction, order=tuple(order)), encoding="utf-8")
        options = [f"--benchmark-max-time={asked.seconds}", f"--benchmark-min-rounds={LEAST_ROUNDS}"]
        plugins = ["-p", "no:archbench", "-p", "no:cacheprovider"]
        command = ["-m", "pytest", "-q", "-c", os.devnull, "--rootdir", folder, *plugins, *options]
        _run("pytest-benchmark", [*command, f"--benchmark-json={said}", str(test)])
        found = json.loads(said.read_text(encoding="utf-8"))["benchmarks"]
    return {each["params"]["kind"]: {"samples": each["stats"]["data"]} for each in found}


def torch_benchmark(asked: Asked, fraction: float, order: Sequence[str]) -> dict[str, Raw]:
    return _alone("torch", asked, fraction, order)


def timm_loop(asked: Asked, fraction: float, order: Sequence[str]) -> dict[str, Raw]:
    return _alone("timm", asked, fraction, order)


def _alone(protocol: str, asked: Asked, fraction: float, order: Sequence[str]) -> dict[str, Raw]:
    """This file in a process of its own."""
    said = _run(protocol, [__file__, protocol, asked.network, str(asked.seconds), str(fraction), *order])
    found: dict[str, Raw] = json.loads(said)
    return found


def _run(protocol: str, arguments: Sequence[str]) -> str:
    """What a Python said that finds these files. Raises: RuntimeError with its last words."""
    paths = (str(Path(__file__).parent), os.environ.get("PYTHONPATH", ""))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    ended = subprocess.run([sys.executable, *arguments], env=environment, capture_output=True, text=True, check=False)
    if ended.returncode:
        last = " / ".join((ended.stdout + ended.stderr).strip().splitlines()[-5:])
        raise RuntimeError(f"{protocol}: its process ended with status {ended.returncode}, expected 0: {last}")
    return ended.stdout


def by_torch(forward: Callable[[], Any], seconds: float) -> list[float]:
    from torch.utils.benchmark import Timer

    timer = Timer("forward()", globals={"forward": forward}, num_threads=1)
    return list(timer.blocked_autorange(min_run_time=seconds).times)


def by_timm(forward: Callable[[], Any], seconds: float) -> list[float]:
    for _ in range(FIRST):
        forward()
    samples: list[float] = []
    start = perf_counter()
    while len(samples) < LEAST_STEPS or perf_counter() - start < seconds:
        before = perf_counter()
        forward()
        samples.append(perf_counter() - before)
    return samples


TIMES: dict[str, Times] = {"torch": by_torch, "timm": by_timm}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("protocol", choices=TIMES)
    parser.add_argument("network")
    parser.add_argument("seconds", type=float)
    parser.add_argument("fraction", type=float)
    parser.add_argument("order", nargs="+", choices=(UNCHANGED, SLOWED))
    asked = parser.parse_args()
    forward = passes(asked.network, asked.fraction)
    print(json.dumps({kind: {"samples": TIMES[asked.protocol](forward[kind], asked.seconds)} for kind in asked.order}))


if __name__ == "__main__":
    main()
