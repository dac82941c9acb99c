"""ResNeXt: the bottleneck with groups."""

from bench_suite.providers import timm_entry, torchvision_entry
from pytest_archbench.registry import add_architecture

PAPER = "arXiv:1611.05431"
ENTRIES = {
    "resnext50_32x4d": torchvision_entry,
    "resnext101_32x4d": timm_entry,  # torchvision has no 101 of this width
    "resnext101_64x4d": torchvision_entry,
}

for name, entry in ENTRIES.items():
    add_architecture(entry(name, "resnext", paper=PAPER))
