"""Xception: depthwise separable convolutions throughout."""

from bench_suite.providers import timm_model
from pytest_archbench.records import Architecture
from pytest_archbench.registry import add_architecture

add_architecture(
    Architecture(
        name="xception",
        family="xception",
        build=timm_model("legacy_xception"),  # timm's other Xceptions are the aligned ones of segmentation
        input_shape=(3, 299, 299),
        paper="arXiv:1610.02357",
        provider="timm",
        aliases=("legacy_xception",),
    )
)
