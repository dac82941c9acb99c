"""Xception: depthwise separable convolutions throughout."""

from bench_suite.providers import timm_entry
from pytest_archbench.registry import add_architecture

add_architecture(
    timm_entry(
        "xception",
        "xception",
        "legacy_xception",  # timm's other Xceptions are the aligned ones of segmentation
        input_shape=(3, 299, 299),
        paper="arXiv:1610.02357",
        aliases=("legacy_xception",),
    )
)
