"""Counting raced: parameters and MACs of the 44 networks of Bianco et al. by every counter, in one process and one run.

Each counter is given a constructor, as its user would have it: building is part of the time, imports are not.
Counters take turns network by network, so that the machine's moods fall on all of them alike.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import io
import logging
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

import bench_suite.suites  # noqa: F401  (enters the suites)
from pytest_archbench import inputs
from pytest_archbench.meters.counts import count_on_meta
from pytest_archbench.registry import ARCHITECTURES, SUITES

BIANCO = """
alexnet bn_inception caffe_resnet101 densenet121 densenet161 densenet169 densenet201 dpn131 dpn68 dpn98
fb_resnet152 googlenet_caffe inception_resnet_v2 inception_v3 inception_v4 mobilenet_v1_100 mobilenet_v2_100
nasnet_a_large nasnet_a_mobile resnet101 resnet152 resnet18 resnet34 resnet50 resnext101_32x4d resnext101_64x4d
se_resnet101 se_resnet152 se_resnet50 se_resnext101_32x4d se_resnext50_32x4d senet154 shufflenet_g8
squeezenet1_0 squeezenet1_1 vgg11 vgg11_bn vgg13 vgg13_bn vgg16 vgg16_bn vgg19 vgg19_bn xception
""".split()  # noqa: SIM905  one name a line would be a page
"""The networks of the paper, by the keys of the catalogue."""

Count = Callable[[Callable[[], nn.Module], Any], float]
COUNTERS: dict[str, Count] = {}


def counter(name: str) -> Callable[[Count], Count]:
    def register(count: Count) -> Count:
        COUNTERS[name] = count
        return count

    return register


@counter("archbench")
def archbench(build: Callable[[], nn.Module], shape: Any) -> float:
    return count_on_meta(build, shape).macs


@counter("torch FlopCounterMode, meta")
def flop_counter_meta(build: Callable[[], nn.Module], shape: Any) -> float:
    with torch.device("meta"):
        model = build()
    return _flop_counter(model, "meta", shape)


@counter("torch FlopCounterMode, CPU")
def flop_counter_cpu(build: Callable[[], nn.Module], shape: Any) -> float:
    return _flop_counter(build(), "cpu", shape)


def _flop_counter(model: nn.Module, device: str, shape: Any) -> float:
    model.eval().requires_grad_(False)
    sum(parameter.numel() for parameter in model.parameters())
    with torch.no_grad(), FlopCounterMode(display=False) as mode:
        model(*_tensors(shape, device))
    return float(mode.get_total_flops()) / 2


@counter("fvcore")
def fvcore(build: Callable[[], nn.Module], shape: Any) -> float:
    from fvcore.nn import FlopCountAnalysis, parameter_count

    model = build().eval()
    parameter_count(model)
    analysis = FlopCountAnalysis(model, _tensors(shape))
    return float(analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False).total())


@counter("ptflops")
def ptflops(build: Callable[[], nn.Module], shape: Any) -> float:
    from ptflops import get_model_complexity_info

    macs, _ = get_model_complexity_info(build(), shape, as_strings=False, print_per_layer_stat=False, verbose=False)
    return float(macs)


@counter("thop")
def thop(build: Callable[[], nn.Module], shape: Any) -> float:
    from thop import profile

    macs, _ = profile(build().eval(), inputs=_tensors(shape), verbose=False)
    return float(macs)


@counter("torchinfo")
def torchinfo(build: Callable[[], nn.Module], shape: Any) -> float:
    from torchinfo import summary

    return float(summary(build(), input_size=(1, *shape), verbose=0).total_mult_adds)


@counter("calflops")
def calflops(build: Callable[[], nn.Module], shape: Any) -> float:
    from calflops import calculate_flops

    _, macs, _ = calculate_flops(
        build().eval(), (1, *shape), output_as_string=False, print_results=False, print_detailed=False
    )
    return float(macs)


@counter("torchprofile")
def torchprofile(build: Callable[[], nn.Module], shape: Any) -> float:
    from torchprofile import profile_macs

    model = build().eval()
    sum(parameter.numel() for parameter in model.parameters())
    macs: Any = profile_macs(model, _tensors(shape))
    return float(macs)


def _tensors(shape: Any, device: str = "cpu") -> tuple[Any, ...]:
    return inputs.make(shape, 1, device)[0]


def race(names: list[str], rounds: int) -> dict[str, dict[str, tuple[float, float]]]:
    """Seconds (median of rounds) and MACs by counter and network."""
    results: dict[str, dict[str, tuple[float, float]]] = {name: {} for name in COUNTERS}
    for place, network in enumerate(names):
        entry = ARCHITECTURES[network]
        turn = list(COUNTERS)[place % len(COUNTERS) :] + list(COUNTERS)[: place % len(COUNTERS)]
        for name in turn:
            times, macs = [], float("nan")
            for _ in range(rounds):
                gc.collect()
                start = time.perf_counter()
                with contextlib.redirect_stdout(io.StringIO()):
                    macs = COUNTERS[name](entry.build, entry.input_shape)
                times.append(time.perf_counter() - start)
            results[name][network] = statistics.median(times), macs
        print(f"\r{place + 1}/{len(names)} {network:24}", end="", file=sys.stderr)
    print(file=sys.stderr)
    return results


def report(results: dict[str, dict[str, tuple[float, float]]]) -> None:
    ours = results["archbench"]
    total = sum(seconds for seconds, _ in ours.values())
    print(f"{'counter':30}{'seconds':>10}{'times slower':>14}{'by network':>12}{'MACs against ours':>24}")
    for name, found in results.items():
        seconds = sum(each for each, _ in found.values())
        ratio = statistics.median(found[network][0] / ours[network][0] for network in ours)
        off = [found[network][1] / ours[network][1] - 1 for network in ours]
        spread = f"{min(off):+.1%} .. {max(off):+.1%}"
        print(f"{name:30}{seconds:10.2f}{seconds / total:14.1f}{ratio:12.1f}{spread:>24}")


def warm_up() -> None:
    """Imports and first-call costs of every counter, on the smallest network, outside the race."""
    entry = ARCHITECTURES["squeezenet1_1"]
    for count in COUNTERS.values():
        with contextlib.redirect_stdout(io.StringIO()):
            count(entry.build, entry.input_shape)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=1, help="repetitions, of which the median counts")
    parser.add_argument("--networks", nargs="*", default=BIANCO)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    torch.set_num_threads(1)
    list(SUITES["seeds"]())
    warm_up()
    print(f"{len(arguments.networks)} networks, {arguments.rounds} round(s), 1 thread, torch {torch.__version__}")
    report(race(arguments.networks, arguments.rounds))


if __name__ == "__main__":
    main()
