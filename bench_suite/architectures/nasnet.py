"""NASNet-A: two searched cells, stacked; the large network from timm, the mobile one written here."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bench_suite.providers import timm_entry
from pytest_archbench.registry import add_architecture, architecture

PAPER = "arXiv:1707.07012"

add_architecture(
    timm_entry(
        "nasnet_a_large",
        "nasnet",
        "nasnetalarge",
        input_shape=(3, 331, 331),
        paper=PAPER,
        aliases=("nasnetalarge",),
    )
)


class Recipe(NamedTuple):
    """A cell as the search found it: pairs of (operation, input) to be added, and which of the results are joined.

    An input is ``cur`` (the output of the cell before), ``prev`` (of the one before that), or the index of an earlier
    sum. Operations on ``cur`` and ``prev`` have the cell's stride.
    """

    pairs: tuple[tuple[tuple[str, str], tuple[str, str]], ...]
    joined: tuple[str, ...]
    stride: int


NORMAL = Recipe(
    pairs=(
        (("separable5", "cur"), ("separable3", "prev")),
        (("separable5", "prev"), ("separable3", "prev")),
        (("average", "cur"), ("identity", "prev")),
        (("average", "prev"), ("average", "prev")),
        (("separable3", "cur"), ("identity", "cur")),
    ),
    joined=("prev", "0", "1", "2", "3", "4"),
    stride=1,
)
REDUCTION = Recipe(
    pairs=(
        (("separable5", "cur"), ("separable7", "prev")),
        (("maximum", "cur"), ("separable7", "prev")),
        (("average", "cur"), ("separable5", "prev")),
        (("identity", "1"), ("average", "0")),
        (("separable3", "0"), ("maximum", "cur")),
    ),
    joined=("1", "2", "3", "4"),
    stride=2,
)


class Row(NamedTuple):
    """One cell of a network: the ``width`` of its sums, and how ``prev`` is fitted to it (see ``Cell``)."""

    name: str
    recipe: Recipe
    width: int
    fit: str


def layout(width: int, repeats: int) -> list[Row]:
    """The cells in order: two reductions, then three stages of ``repeats`` normal cells, doubling the width between."""
    rows = [Row("cell_stem_0", REDUCTION, width // 4, "leave"), Row("cell_stem_1", REDUCTION, width // 2, "halve")]
    for stage in range(3):
        if stage:
            rows.append(Row(f"reduction_cell_{stage - 1}", REDUCTION, width << stage, "squeeze"))
        # The first cell after a reduction meets a ``prev`` from before it, at twice the size.
        fits = ["halve"] + ["squeeze"] * (repeats - 1)
        rows += [Row(f"cell_{6 * stage + i}", NORMAL, width << stage, fit) for i, fit in enumerate(fits)]
    return rows


def batch_norm(channels: int) -> nn.BatchNorm2d:
    """Batch normalisation with the epsilon of the TensorFlow original."""
    return nn.BatchNorm2d(channels, eps=0.001)


def projection(channels_in: int, channels_out: int) -> nn.Conv2d:
    """A 1x1 convolution without bias."""
    return nn.Conv2d(channels_in, channels_out, 1, bias=False)


def padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Pixels before and after ``size`` that make it ``ceil(size / stride)``; TensorFlow puts the odd one after."""
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


class Separable(nn.Module):
    """ReLU, depthwise and 1x1 convolution, batch normalisation, twice; the first depthwise one has the stride."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.kernel, self.stride = kernel, stride
        self.separable_1 = self._pair(channels_in, channels_out, stride)
        self.bn_sep_1 = batch_norm(channels_out)
        self.separable_2 = self._pair(channels_out, channels_out, 1)
        self.bn_sep_2 = batch_norm(channels_out)

    def _pair(self, channels_in: int, channels_out: int, stride: int) -> nn.Sequential:
        # Under a stride the padding depends on the input's size, so ``forward`` adds it.
        pad = self.kernel // 2 if stride == 1 else 0
        depthwise = nn.Conv2d(channels_in, channels_in, self.kernel, stride, pad, groups=channels_in, bias=False)
        pointwise = projection(channels_in, channels_out)
        return nn.Sequential(OrderedDict(depthwise_conv2d=depthwise, pointwise_conv2d=pointwise))

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(x)
        if self.stride > 1:
            rows, columns = (padding(size, self.kernel, self.stride) for size in x.shape[2:])
            x = F.pad(x, (*columns, *rows))
        x = F.relu(self.bn_sep_1(self.separable_1(x)))
        doubled: Tensor = self.bn_sep_2(self.separable_2(x))
        return doubled


class Pool(nn.Module):
    """Pooling 3x3 over what lies inside the image."""

    def __init__(self, pool: Callable[..., Tensor], stride: int) -> None:
        super().__init__()
        self.pool, self.stride = pool, stride

    def forward(self, x: Tensor) -> Tensor:
        rows, columns = (padding(size, 3, self.stride)[0] for size in x.shape[2:])
        return self.pool(x, 3, self.stride, (rows, columns), ceil_mode=True)  # rounding up pads after


OPERATIONS: dict[str, Callable[[int, int, int], nn.Module]] = {
    "identity": lambda _in, _out, _stride: nn.Identity(),
    "average": lambda _in, _out, stride: Pool(partial(F.avg_pool2d, count_include_pad=False), stride),
    "maximum": lambda _in, _out, stride: Pool(F.max_pool2d, stride),
    "separable3": lambda channels_in, channels_out, stride: Separable(channels_in, channels_out, 3, stride),
    "separable5": lambda channels_in, channels_out, stride: Separable(channels_in, channels_out, 5, stride),
    "separable7": lambda channels_in, channels_out, stride: Separable(channels_in, channels_out, 7, stride),
}


class Cell(nn.Module):
    """A recipe at one width. ``cur`` is projected to it; so is ``prev`` (``squeeze``), if need be at half its size
    (``halve``); the first cell leaves it alone (``leave``).
    """

    def __init__(self, row: Row, cur: int, prev: int) -> None:
        super().__init__()
        self.recipe, self.fit = row.recipe, row.fit
        self.conv_1x1 = self._squeeze(cur, row.width)
        if row.fit == "squeeze":
            self.conv_prev_1x1 = self._squeeze(prev, row.width)
        elif row.fit == "halve":
            self.path_1 = nn.Sequential(OrderedDict(conv=projection(prev, row.width // 2)))
            self.path_2 = nn.Sequential(OrderedDict(conv=projection(prev, row.width // 2)))
            self.final_path_bn = batch_norm(row.width)
        channels = {"prev": prev} if row.fit == "leave" else {}
        for index, pair in enumerate(row.recipe.pairs):
            for side, (operation, source) in zip(("left", "right"), pair, strict=True):
                stride = row.recipe.stride if source in ("cur", "prev") else 1
                module = OPERATIONS[operation](channels.get(source, row.width), row.width, stride)
                self.add_module(f"comb_iter_{index}_{side}", module)

    @staticmethod
    def _squeeze(channels_in: int, channels_out: int) -> nn.Sequential:
        layers = OrderedDict(relu=nn.ReLU(), conv=projection(channels_in, channels_out), bn=batch_norm(channels_out))
        return nn.Sequential(layers)

    def forward(self, cur: Tensor, prev: Tensor) -> Tensor:
        known = {"cur": self.conv_1x1(cur), "prev": self._fitted(prev)}
        for index, ((_, left), (_, right)) in enumerate(self.recipe.pairs):
            add_left, add_right = (getattr(self, f"comb_iter_{index}_{side}") for side in ("left", "right"))
            known[str(index)] = add_left(known[left]) + add_right(known[right])
        return torch.cat([known[source] for source in self.recipe.joined], 1)

    def _fitted(self, prev: Tensor) -> Tensor:
        if self.fit == "leave":
            return prev
        if self.fit == "squeeze":
            squeezed: Tensor = self.conv_prev_1x1(prev)
            return squeezed
        # Every other pixel; half of the channels see the pixels one down and right of the others'.
        prev = F.relu(prev)
        shifted = F.pad(prev, (0, 1, 0, 1))[:, :, 1:, 1:]
        halves = (self.path_1(prev[:, :, ::2, ::2]), self.path_2(shifted[:, :, ::2, ::2]))
        halved: Tensor = self.final_path_bn(torch.cat(halves, 1))
        return halved


class NASNet(nn.Module):
    """NASNet-A, "``repeats`` @ 24 ``width``", its parameters named as in the public PyTorch ports of its weights.

    Input ``(batch, 3, height, width)``, output ``(batch, 1000)``. ``stem`` is the width of the first convolution. The
    auxiliary classifier serves training only and is left out. The ``prev`` of the first cell after a reduction is the
    last cell before it, as in the mobile network; the large one skips that cell.
    """

    def __init__(self, stem: int, width: int, repeats: int) -> None:
        super().__init__()
        self.rows = layout(width, repeats)
        convolution = nn.Conv2d(3, stem, 3, stride=2, bias=False)
        self.conv0 = nn.Sequential(OrderedDict(conv=convolution, bn=batch_norm(stem)))
        prev = cur = stem
        for row in self.rows:
            self.add_module(row.name, Cell(row, cur, prev))
            prev, cur = cur, len(row.recipe.joined) * row.width
        self.dropout = nn.Dropout()
        self.last_linear = nn.Linear(cur, 1000)

    def forward(self, x: Tensor) -> Tensor:
        prev = cur = self.conv0(x)
        for row in self.rows:
            prev, cur = cur, getattr(self, row.name)(cur, prev)
        scores: Tensor = self.last_linear(self.dropout(F.relu(cur).mean((2, 3))))
        return scores


@architecture("nasnet_a_mobile", family="nasnet", paper=PAPER, aliases=("nasnetamobile",))
def nasnet_a_mobile() -> nn.Module:
    """NASNet-A (4 @ 1056), for 224 pixels."""
    return NASNet(stem=32, width=44, repeats=4)
