"""VGG A, B, D and E, as published and with batch normalisation."""

from bench_suite.providers import torchvision_entry
from pytest_archbench.registry import add_architecture

PAPER = "arXiv:1409.1556"

for depth in (11, 13, 16, 19):
    for name in (f"vgg{depth}", f"vgg{depth}_bn"):
        add_architecture(torchvision_entry(name, "vgg", paper=PAPER))
