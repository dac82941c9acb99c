"""Network in Network: convolutions with small perceptrons between them and global average pooling (arXiv:1312.4400).

The paper gives no layer table for ImageNet. Two published networks fill it, with the same widths 96, 256, 384, 1024:

* ``nin``, the authors' model in the Caffe zoo (a gist by mavenlin): unpadded first convolution, max-pooling that
  rounds up, the last perceptron gives the 1000 classes, biases, no normalisation. 224 -> 54 -> 27 -> 13 -> 6.
* ``bn_nin``, ``models/ninbn.lua`` of soumith/imagenet-multiGPU.torch, whose header says 62.6 % top-1, which is the
  62.62 % of Canziani et al.: padded first convolution, padded max-pooling, batch normalisation after every
  convolution, convolutions with biases, a linear classifier. 224 -> 56 -> 28 -> 14 -> 7.

How ``bn_nin`` was decided. Its 1 259 939 840 multiply-adds are 2.520 G operations, 2.524 G with the one per bias and
ReLU that the counter of Canziani et al. adds; they print 2.52 G. Its 8 655 336 parameters they print as 8.64 M: the
weights that were released (``nin_nobn_final.t7``) have the normalisation folded into the convolutions, which leaves
8 644 776. The entry keeps the normalisation, as trained; ``bn_nin(batch_norm=False)`` is the folded network.
"""

from __future__ import annotations

from itertools import pairwise

from torch import nn

from pytest_archbench.registry import architecture

CLASSES = 1000
TORCH_BN_EPSILON = 1e-3


def mlpconv(widths: tuple[int, ...], kernel: int, stride: int, padding: int, batch_norm: bool = False) -> nn.Sequential:
    """One convolution ``widths[0] -> widths[1]``, then 1x1 convolutions through the other widths, each with ReLU.

    (batch, widths[0], height, width) -> (batch, widths[-1], height', width'), the size set by the first convolution.
    """
    layers: list[nn.Module] = []
    for position, (inputs, outputs) in enumerate(pairwise(widths)):
        geometry = (kernel, stride, padding) if position == 0 else (1, 1, 0)
        layers.append(nn.Conv2d(inputs, outputs, *geometry))
        if batch_norm:
            layers.append(nn.BatchNorm2d(outputs, eps=TORCH_BN_EPSILON))
        layers.append(nn.ReLU(inplace=True))
    return nn.Sequential(*layers)


@architecture("nin", family="nin", paper="arXiv:1312.4400")
def nin() -> nn.Sequential:
    """The Caffe zoo's ImageNet model. (batch, 3, 224, 224) -> (batch, 1000)."""
    return nn.Sequential(
        mlpconv((3, 96, 96, 96), kernel=11, stride=4, padding=0),
        nn.MaxPool2d(3, 2, ceil_mode=True),
        mlpconv((96, 256, 256, 256), kernel=5, stride=1, padding=2),
        nn.MaxPool2d(3, 2, ceil_mode=True),
        mlpconv((256, 384, 384, 384), kernel=3, stride=1, padding=1),
        nn.MaxPool2d(3, 2, ceil_mode=True),
        nn.Dropout(0.5),
        mlpconv((384, 1024, 1024, CLASSES), kernel=3, stride=1, padding=1),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
    )


@architecture("bn_nin", family="nin", paper="arXiv:1312.4400")
def bn_nin(batch_norm: bool = True) -> nn.Sequential:
    """The Torch model with batch normalisation, or with it folded away. (batch, 3, 224, 224) -> (batch, 1000)."""
    return nn.Sequential(
        mlpconv((3, 96, 96, 96), kernel=11, stride=4, padding=5, batch_norm=batch_norm),
        nn.MaxPool2d(3, 2, padding=1),
        mlpconv((96, 256, 256, 256), kernel=5, stride=1, padding=2, batch_norm=batch_norm),
        nn.MaxPool2d(3, 2, padding=1),
        mlpconv((256, 384, 384, 384), kernel=3, stride=1, padding=1, batch_norm=batch_norm),
        nn.MaxPool2d(3, 2, padding=1),
        mlpconv((384, 1024, 1024, 1024), kernel=3, stride=1, padding=1, batch_norm=batch_norm),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(1024, CLASSES),
    )
