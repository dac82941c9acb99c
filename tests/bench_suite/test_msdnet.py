"""MSDNet: the cost of every exit in the published figure, the authors' own counts, and what laziness leaves out."""

from __future__ import annotations

import pytest
import torch
from counting_support import built, macs, outputs_of, params
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from bench_suite.architectures import msdnet
from pytest_archbench.registry import ARCHITECTURES

RANET_FIGURE = {1: (0.50, 0.01), 2: (1.34, 0.02), 3: (2.22, 0.01), 4: (2.97, 0.01), 5: (3.26, 0.02)}
AUTHORS_PRINT = {1: (615.69, 8.76), 2: (1436.39, 20.15), 3: (2283.21, 31.73), 4: (2967.42, 41.86), 5: (3253.79, 62.31)}


@pytest.mark.parametrize("number", sorted(RANET_FIGURE))
def test_it_costs_what_the_figure_shows(number: int) -> None:
    entry = ARCHITECTURES[f"msdnet_imagenet_exit{number}"]
    figure, reading_error = RANET_FIGURE[number]
    # Half a unit of the last place and the reading error.
    assert macs(built(entry.build), (3, 224, 224)) / 1e9 == pytest.approx(figure, abs=reading_error + 0.005)


@pytest.mark.parametrize("number", sorted(AUTHORS_PRINT))
def test_it_has_the_authors_own_counts_where_every_scale_is_computed(number: int) -> None:
    """Their counter adds one operation per output of a ReLU, per place in a pooling window, and per linear bias."""
    network = built(lambda: msdnet.msdnet(number, lazy=False))
    operations, parameters = AUTHORS_PRINT[number]
    rectified = sum(out.numel() for out in outputs_of(network, nn.ReLU, (3, 224, 224)).values())
    pooled = 9 * 32 * 56 * 56 + sum(
        4 * out.numel() for out in outputs_of(network, nn.AvgPool2d, (3, 224, 224)).values()
    )
    total = macs(network, (3, 224, 224)) + rectified + pooled + 1000 * number
    assert params(network) / 1e6 == pytest.approx(parameters, abs=0.005)
    assert total / 1e6 == pytest.approx(operations, abs=0.005)


def test_it_multiplies_out_to_the_layers_of_msdnet() -> None:
    network = built(lambda: msdnet.msdnet(1, lazy=False))
    first, growth = network.get_submodule("blocks.0.0"), network.get_submodule("blocks.0.1.layers.1")
    assert macs(first, (3, 224, 224)) == (
        112 * 112 * 3 * 32 * 7 * 7 + 28 * 28 * 32 * 64 * 3 * 3 + 14 * 14 * 64 * 128 * 3 * 3 + 7 * 7 * 128 * 128 * 3 * 3
    )
    features = {0: torch.empty(1, 32, 56, 56, device="meta"), 1: torch.empty(1, 64, 28, 28, device="meta")}
    with FlopCounterMode(display=False) as counter:
        assert growth(features).shape == (1, 64 + 16 + 16, 28, 28)
    down = 56 * 56 * 32 * 16 + 28 * 28 * 16 * 16 * 3 * 3
    normal = 28 * 28 * (64 * 32 + 32 * 16 * 3 * 3)
    assert counter.get_total_flops() // 2 == down + normal


def test_it_plans_only_what_an_exit_depends_on() -> None:
    wanted = [sorted(layer.wanted) for layer in msdnet.plan(msdnet.Settings(), 1, lazy=True)]
    assert wanted == [[0, 1, 2, 3]] * 4 + [[1, 2, 3], [2, 3], [3]]
    everything = msdnet.plan(msdnet.Settings(), 5, lazy=False)
    assert [layer.finest for layer in everything] == [0] * 9 + [1] * 9 + [2] * 9 + [3] * 8
    assert [number for number, layer in enumerate(everything) if layer.drops] == [9, 18, 27]


def test_it_answers_the_same_without_what_is_not_needed() -> None:
    torch.manual_seed(0)
    settings = msdnet.Settings(steps=(2, 3, 3), channels=4, growth=4, classes=5)
    full = msdnet.msdnet(3, lazy=False, settings=settings).eval()
    image = torch.randn(2, 3, 224, 224)
    with torch.no_grad():
        answers = full.answers(image)
        for number in (1, 2, 3):
            part = msdnet.msdnet(number, settings=settings).eval()
            missing = part.load_state_dict(full.state_dict(), strict=False).missing_keys
            assert not missing
            assert torch.equal(part(image), answers[number - 1])


@pytest.mark.parametrize("number", [0, 6])
def test_it_refuses_an_exit_that_is_not_there(number: int) -> None:
    with pytest.raises(ValueError, match=f"exits must be 1 to 5; got {number}"):
        msdnet.msdnet(number)
