"""AlexNet as torchvision has it: one column, narrower than the two of 2012."""

from bench_suite.providers import torchvision_entry
from pytest_archbench.registry import add_architecture

add_architecture(torchvision_entry("alexnet", "alexnet", paper="arXiv:1404.5997"))
