"""Dual path networks: residual and dense connections side by side."""

from bench_suite.providers import timm_entry
from pytest_archbench.registry import add_architecture

PAPER = "arXiv:1707.01629"

# 68b is 68 with the last convolution of each block split in two, one for each path: the same counts.
for name in ("dpn68", "dpn68b", "dpn92", "dpn98", "dpn107", "dpn131"):
    add_architecture(timm_entry(name, "dpn", paper=PAPER))
