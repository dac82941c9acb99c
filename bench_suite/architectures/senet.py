"""Squeeze-and-excitation networks of the authors' release."""

from bench_suite.providers import timm_entry
from pytest_archbench.registry import add_architecture

PAPER = "arXiv:1709.01507"

# timm's `legacy_` models carry the authors' weights: SE-ResNets have their stride in the first 1x1 convolution. Its
# newer `seresnet*` have it in the 3x3, which costs 6 % more operations at depth 50.
NAMES = {
    "senet154": "legacy_senet154",
    "se_resnet50": "legacy_seresnet50",
    "se_resnet101": "legacy_seresnet101",
    "se_resnet152": "legacy_seresnet152",
    "se_resnext50_32x4d": "legacy_seresnext50_32x4d",
    "se_resnext101_32x4d": "legacy_seresnext101_32x4d",
}

for name, theirs in NAMES.items():
    add_architecture(timm_entry(name, "senet", theirs, paper=PAPER, aliases=(theirs,)))
