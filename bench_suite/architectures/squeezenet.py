"""SqueezeNet 1.0 of the paper, and the authors' 1.1 with 2.4 times fewer operations."""

from bench_suite.providers import torchvision_entry
from pytest_archbench.registry import add_architecture

PAPER = "arXiv:1602.07360"

for name in ("squeezenet1_0", "squeezenet1_1"):
    add_architecture(torchvision_entry(name, "squeezenet", paper=PAPER))
