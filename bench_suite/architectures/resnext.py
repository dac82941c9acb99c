"""ResNeXt: the bottleneck with groups."""

from bench_suite.providers import timm_model, torchvision_model
from pytest_archbench.records import Architecture
from pytest_archbench.registry import add_architecture

PAPER = "arXiv:1611.05431"
PROVIDERS = {
    "resnext50_32x4d": "torchvision",
    "resnext101_32x4d": "timm",  # torchvision has no 101 of this width
    "resnext101_64x4d": "torchvision",
}
MODELS = {"torchvision": torchvision_model, "timm": timm_model}

for name, provider in PROVIDERS.items():
    add_architecture(Architecture(name, "resnext", MODELS[provider](name), paper=PAPER, provider=provider))
