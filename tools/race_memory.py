"""Peak memory raced: the kernel's figure against the profiler's, and against itself in five fresh processes.

Exits with 1 where it repeats or agrees less well than promised.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys

NETWORKS = ("resnet50", "vgg16", "densenet121", "mobilenet_v2")
BATCHES = (1, 16)
REPEATS, AGREES = 0.001, 0.01
"""How far (relative) the figures of fresh processes may lie apart, and their median from the profiler's."""
STEP = 2 * 32 * 4096
"""Bytes that they may lie apart in any case: the kernel counts in steps of 32 pages, at both ends."""

Figures = dict[str, int]


def figures(network: str, batch: int) -> Figures:
    """Both figures (B) of a torchvision network, taken in this process."""
    import torchvision.models

    from pytest_archbench.meters.memory import peak_memory
    from pytest_archbench.records import Architecture, Conditions, Reading, Settings

    build = getattr(torchvision.models, network)
    answer = peak_memory(Architecture(network, network, build), Conditions("cpu", batch), Settings())
    for metric, reading in answer.items():
        if not isinstance(reading, Reading):
            raise SystemExit(f"{metric}: {reading}")
    return {metric: int(reading.samples[0]) for metric, reading in answer.items() if isinstance(reading, Reading)}


def afresh(network: str, batch: int) -> Figures:
    """The same in a process of its own."""
    said = subprocess.run(
        [sys.executable, __file__, "--one", network, str(batch)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    found: Figures = json.loads(said.stdout)
    return found


def race(processes: int) -> bool:
    """Print a row for every network and batch size; whether all of them kept the promise."""
    print("| network | batch | kernel, MB | spread | profiler, MB | spread | kernel against profiler |")
    print("|---|---|---|---|---|---|---|")
    kept = True
    for network in NETWORKS:
        for batch in BATCHES:
            runs = [afresh(network, batch) for _ in range(processes)]
            kernel, profiler = (sorted(run[name] for run in runs) for name in ("peak_host_memory", "peak_memory"))
            middle, theirs = kernel[processes // 2], profiler[processes // 2]
            apart = middle / theirs - 1
            print(
                f"| {network} | {batch} | {middle / 1e6:.1f} | {spread(kernel):.3%}"
                f" | {theirs / 1e6:.1f} | {spread(profiler):.3%} | {apart:+.2%} |",
                flush=True,
            )
            kept = kept and spread(kernel) <= max(REPEATS, STEP / middle) and abs(apart) <= AGREES
    return kept


def spread(ordered: list[int]) -> float:
    """Largest less smallest, relative to the one in the middle."""
    return (ordered[-1] - ordered[0]) / ordered[len(ordered) // 2]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--processes", type=int, default=5, help="how often each is measured")
    parser.add_argument("--one", nargs=2, metavar=("NETWORK", "BATCH"), help="print the figures of one as JSON")
    asked = parser.parse_args()
    if asked.one:
        print(json.dumps(figures(asked.one[0], int(asked.one[1]))))
    elif not race(asked.processes):
        raise SystemExit(
            f"worse than promised: fresh processes within {REPEATS:.1%} or {STEP} B, the profiler within {AGREES:.0%}"
        )


if __name__ == "__main__":
    main()
