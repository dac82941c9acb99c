"""AlexNet as torchvision has it: one column, narrower than the two of 2012."""

from bench_suite.providers import torchvision_model
from pytest_archbench.records import Architecture
from pytest_archbench.registry import add_architecture

add_architecture(
    Architecture("alexnet", "alexnet", torchvision_model("alexnet"), paper="arXiv:1404.5997", provider="torchvision")
)
