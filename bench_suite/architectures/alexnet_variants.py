"""AlexNets other than torchvision's one column: two groups, no groups, and two columns with batch normalisation.

* ``alexnet_caffe``: ``bvlc_alexnet`` of the Caffe zoo. 227 pixels, convolutions 2, 4 and 5 in two groups, local
  response normalisation before pooling: 60 965 224 parameters, 0.724 G multiply-adds. Canziani et al. print 2.26 G
  operations: their counter ignored groups, and 2.26 G is what it gives for the ungrouped network at 224 pixels.
* ``alexnet_ungrouped``: the same without groups, as in osmr/pytorchcv, whose 1132 M multiply-adds belong to 224
  pixels and pooling that rounds up (224 -> 54 -> 27 -> 13 -> 6): 62 378 344 parameters.
* ``bn_alexnet``: two columns that meet only at the classifier. Canziani et al. took it from szagoruyko (a gist that
  XNOR-Net's footnote also points at); the columns are those of ``models/alexnet_cudnn.lua`` in
  soumith/imagenet-multiGPU.torch, 224 pixels padded by 2, each convolution followed by batch normalisation.
  The published 60.54 M and 1.30 G operations decide it: 60 541 992 parameters and 649 646 624 multiply-adds. The
  one-column ``alexnetowtbn`` has 61.12 M and 1.43 G. That the two hidden linear layers are normalised too is
  inferred: without it there are 60 525 608, which would print as 60.53 M.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pytest_archbench.registry import architecture

CLASSES = 1000
HIDDEN = 4096
FEATURES = 256 * 6 * 6
KRIZHEVSKY = "doi:10.1145/3065386"


def _classifier() -> nn.Sequential:
    """(batch, 256, 6, 6) -> (batch, 1000)."""
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(FEATURES, HIDDEN),
        nn.ReLU(inplace=True),
        nn.Dropout(0.5),
        nn.Linear(HIDDEN, HIDDEN),
        nn.ReLU(inplace=True),
        nn.Dropout(0.5),
        nn.Linear(HIDDEN, CLASSES),
    )


def krizhevsky(groups: int) -> nn.Sequential:
    """The network of 2012 in one stack. (batch, 3, 224 or 227, likewise) -> (batch, 1000).

    ``groups`` is 2 for the original's two graphics cards, 1 for a network without groups.
    """
    return nn.Sequential(
        nn.Conv2d(3, 96, 11, stride=4),
        nn.ReLU(inplace=True),
        nn.LocalResponseNorm(5),
        nn.MaxPool2d(3, 2, ceil_mode=True),
        nn.Conv2d(96, 256, 5, padding=2, groups=groups),
        nn.ReLU(inplace=True),
        nn.LocalResponseNorm(5),
        nn.MaxPool2d(3, 2, ceil_mode=True),
        nn.Conv2d(256, 384, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.Conv2d(384, 384, 3, padding=1, groups=groups),
        nn.ReLU(inplace=True),
        nn.Conv2d(384, 256, 3, padding=1, groups=groups),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(3, 2, ceil_mode=True),
        _classifier(),
    )


@architecture("alexnet_caffe", family="alexnet", input_shape=(3, 227, 227), paper=KRIZHEVSKY, aliases=("bvlc_alexnet",))
def alexnet_caffe() -> nn.Sequential:
    """Two groups. (batch, 3, 227, 227) -> (batch, 1000)."""
    return krizhevsky(groups=2)


@architecture("alexnet_ungrouped", family="alexnet", paper=KRIZHEVSKY)
def alexnet_ungrouped() -> nn.Sequential:
    """No groups. (batch, 3, 224, 224) -> (batch, 1000)."""
    return krizhevsky(groups=1)


class TwoColumns(nn.Module):
    """Two stacks of convolutions that see the same image and are concatenated before one classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.columns = nn.ModuleList(_column() for _ in range(2))
        self.classifier = nn.Sequential(
            nn.Flatten(),
            nn.Dropout(0.5),
            *_normalised(nn.Linear(FEATURES, HIDDEN), nn.BatchNorm1d(HIDDEN, eps=1e-3)),
            nn.Dropout(0.5),
            *_normalised(nn.Linear(HIDDEN, HIDDEN), nn.BatchNorm1d(HIDDEN, eps=1e-3)),
            nn.Linear(HIDDEN, CLASSES),
        )

    def forward(self, image: Tensor) -> Tensor:
        """(batch, 3, 224, 224) -> (batch, 1000)."""
        features = torch.cat([column(image) for column in self.columns], dim=1)
        logits: Tensor = self.classifier(features)
        return logits


def _column() -> nn.Sequential:
    """(batch, 3, 224, 224) -> (batch, 128, 6, 6)."""

    def convolution(inputs: int, outputs: int, kernel: int, stride: int = 1) -> list[nn.Module]:
        # A kernel of 11 is padded by 2, not 5: 224 -> 55.
        layer = nn.Conv2d(inputs, outputs, kernel, stride, padding=min(kernel // 2, 2))
        return _normalised(layer, nn.BatchNorm2d(outputs, eps=1e-3))

    return nn.Sequential(
        *convolution(3, 48, 11, stride=4),
        nn.MaxPool2d(3, 2),
        *convolution(48, 128, 5),
        nn.MaxPool2d(3, 2),
        *convolution(128, 192, 3),
        *convolution(192, 192, 3),
        *convolution(192, 128, 3),
        nn.MaxPool2d(3, 2),
    )


def _normalised(layer: nn.Module, norm: nn.Module) -> list[nn.Module]:
    return [layer, norm, nn.ReLU(inplace=True)]


@architecture("bn_alexnet", family="alexnet", paper=KRIZHEVSKY)
def bn_alexnet() -> nn.Module:
    """Two columns with batch normalisation. (batch, 3, 224, 224) -> (batch, 1000)."""
    return TwoColumns()
