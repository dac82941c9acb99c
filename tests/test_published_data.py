"""The published figures themselves: all there, each with its place, each deviation needed, none undocumented."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import bench_suite.suites  # noqa: F401  the import enters the suites
from pytest_archbench.baselines import Published, key_of, load, matching
from pytest_archbench.counting import Counts, count, on_meta
from pytest_archbench.judge import judge
from pytest_archbench.outcomes import RESULTS
from pytest_archbench.records import Architecture, Baseline, Conditions, Measurement, Metric
from pytest_archbench.registry import SUITES

PUBLISHED = Path(__file__).parent.parent / "baselines" / "published"
DOCS = " ".join((PUBLISHED.parents[1] / "docs" / "published.md").read_text(encoding="utf-8").split())
README = " ".join((PUBLISHED.parents[1] / "README.md").read_text(encoding="utf-8").split())
COUNTED = {
    "params": Metric("params", "count", "equal", per_device=False),
    "macs": Metric("macs", "MAC", "equal", per_device=False),
    "activations": Metric("activations", "count", "equal", per_device=False),
    "model_size": Metric("model_size", "B", "equal", per_device=False),
}
BIANCO = (
    "alexnet", "bn_inception", "caffe_resnet101", "densenet121", "densenet161", "densenet169", "densenet201", "dpn131",
    "dpn68", "dpn98", "fb_resnet152", "googlenet_caffe", "inception_resnet_v2", "inception_v3", "inception_v4",
    "mobilenet_v1_100", "mobilenet_v2_100", "nasnet_a_large", "nasnet_a_mobile", "resnet101", "resnet152", "resnet18",
    "resnet34", "resnet50", "resnext101_32x4d", "resnext101_64x4d", "se_resnet101", "se_resnet152", "se_resnet50",
    "se_resnext101_32x4d", "se_resnext50_32x4d", "senet154", "shufflenet_g8", "squeezenet1_0", "squeezenet1_1", "vgg11",
    "vgg11_bn", "vgg13", "vgg13_bn", "vgg16", "vgg16_bn", "vgg19", "vgg19_bn", "xception",
)  # fmt: skip
"""The 44 networks of the paper."""

AT_LEAST = {
    "albanie": 457, "alfengyuan": 72, "bertmoons": 77, "bianco2018": 1252, "bianco2018_repo": 118, "cadene": 116,
    "calflops": 63, "canziani2016": 55, "condensenet_official": 9, "densenet_official": 12, "densenet_paper": 40,
    "dpn_official": 56, "fb_resnet_torch": 20, "hei4": 232, "jcjohnson": 210, "jolibrain": 259,
    "kaiminghe_resnet": 14, "keras": 85, "mobilenets_paper": 48, "mobilenetv2_paper": 22, "osmr": 244, "ranet":
    10, "resnext_official": 13, "rwightman_dpn": 93, "senet_official": 18, "shufflenet_official": 53,
    "shufflenet_paper": 74, "single_model_repos": 20, "sovrasov": 302, "szagoruyko": 21, "tf_slim": 204, "thop":
    46, "timm": 1652, "torchvision": 246, "torchvision_suite": 400, "zhao2023": 196,
}  # fmt: skip
"""How many figures of each source speak of the catalogue: none may get lost."""


@pytest.fixture(scope="module")
def published() -> Published:
    return load(PUBLISHED)


def figures(published: Published) -> Iterator[Baseline]:
    return iter(published.figures)


def test_no_figure_got_lost(published: Published) -> None:
    found = {name: source.figures for name, source in published.sources.items()}
    print(*(f"{name}: {number} figures" for name, number in found.items()), sep="\n")  # noqa: T201  shown with -s
    assert {name: found.get(name, 0) for name in AT_LEAST if found.get(name, 0) < AT_LEAST[name]} == {}


def test_every_figure_names_its_place(published: Published) -> None:
    assert [figure for figure in figures(published) if not figure.reference.strip()] == []


def test_no_deviation_is_superfluous(published: Published) -> None:
    known = [(f, f.known.expected) for f in figures(published) if f.known]
    assert len(known) > 400
    assert [figure for figure, expected in known if abs(expected - figure.value) <= figure.precision] == []


def test_every_reason_is_given_for_some_figure(published: Published) -> None:
    stated = {(name, text) for name, source in published.sources.items() for text in source.reasons.values()}
    given = {(figure.source, figure.known.reason) for figure in figures(published) if figure.known}
    assert stated == given


def test_deviations_are_documented_for_properties_of_the_graph_only(published: Published) -> None:
    assert {figure.metric for figure in figures(published) if figure.known} <= set(COUNTED)


def test_every_network_of_the_paper_has_two_sources(published: Published) -> None:
    assert len(BIANCO) == 44
    sources = {
        (n, m): {b.source for b in published.baselines.get((n, m), ())} for n in BIANCO for m in ("params", "macs")
    }
    assert {key: found for key, found in sources.items() if len(found) < 2} == {}


def test_what_is_unexplained_is_told_in_numbers(published: Published) -> None:
    reasons = [
        (b.source, b.known.reason) for b in figures(published) if b.known and b.known.reason.startswith("unexplained")
    ]
    assert f"For {len(reasons)} figures the true reason is not known: their {len(set(reasons))} reasons begin" in DOCS
    assert f"for {len(reasons)} figures, that it is *unexplained*" in README


def counted(architecture: Architecture) -> tuple[Counts, tuple[int, ...]]:
    """The counts of an architecture at its own input, and the shape of that input."""
    model: Any = on_meta(architecture.build)
    shape = architecture.input_shape or model.default_cfg["input_size"]
    return count(model, (torch.empty(1, *shape, device="meta"),)), tuple(shape)


def undocumented(published: Published, architecture: Architecture) -> list[str]:
    """The sentences of every figure of the architecture that our count fails."""
    counts, shape = counted(architecture)
    sentences = []
    for name, metric in COUNTED.items():
        measurement = Measurement(
            architecture.name, name, metric.unit, "ok", Conditions("meta", input_shape=shape), (getattr(counts, name),),
            uncounted=counts.uncounted,
        )  # fmt: skip
        verdicts = [judge(measurement, figure, metric) for figure in matching(published, architecture, measurement)]
        sentences += [verdict.reason for verdict in verdicts if RESULTS[verdict.outcome] == "fail"]
    return sentences


@pytest.mark.parametrize("suite", ["seeds", "variants"])
def test_no_catalogued_network_deviates_without_a_reason(published: Published, suite: str) -> None:
    catalogue = list(SUITES[suite]())
    assert catalogue
    assert [sentence for entry in catalogue for sentence in undocumented(published, entry)] == []


@pytest.mark.slow
@pytest.mark.parametrize("suite", ["torchvision", "timm"])
def test_no_library_model_deviates_from_the_librarys_own_table_without_a_reason(
    published: Published, suite: str
) -> None:
    named = {architecture for architecture, _ in published.baselines}
    models = [entry for entry in SUITES[suite]() if key_of(entry) in named]
    assert len(models) > 70
    assert [sentence for entry in models for sentence in undocumented(published, entry)] == []
