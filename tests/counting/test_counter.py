"""Counting leaves a network as it was, counts what is shared once, and finds a way where shapes alone do not do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from pytest_archbench import inputs
from pytest_archbench.counting import Counts, count, count_in_place, on_meta, parameters, state_bytes
from pytest_archbench.meters.counts import count_on_meta

IMAGE = (3, 8, 8)  # (channels, height, width)
FIRST, SECOND, LAST = 3 * 27 * 64, 6 * 27 * 64, 6 * 64 * 5
"""Multiply-adds of ``small()`` by hand: 3 and 6 channels out of 3 by 3 x 3 kernels at 8 x 8 places; 384 to 5."""


def small() -> nn.Module:
    """Two convolutions, batch norm and a linear layer; the first two parts are frozen in evaluation mode."""
    body = nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3), nn.ReLU(inplace=True))
    network = nn.Sequential(body, nn.Conv2d(3, 6, 3, padding=1), nn.Dropout(), nn.Flatten(), nn.Linear(6 * 64, 5))
    body.eval()
    return network


class Broken(nn.Module):
    """Raises after its network has run."""

    def __init__(self) -> None:
        super().__init__()
        self.network = small()

    def forward(self, x: Tensor) -> Tensor:
        raise KeyError(f"broken after {tuple(self.network(x).shape)}")


def state(model: nn.Module) -> dict[str, Any]:
    """What must be the same afterwards: flags, hooks, and every tensor with its place and values."""
    return {
        "training": {name: module.training for name, module in model.named_modules()},
        "hooks": [len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules()],
        "tensors": {name: (t.data_ptr(), t.device, t.requires_grad) for name, t in model.state_dict().items()},
        "values": {name: t.clone().tolist() for name, t in model.state_dict().items()},
        "own": {name: id(p) for name, p in model.named_parameters()},
    }


@pytest.mark.parametrize("by_module", [False, True])
@pytest.mark.parametrize("way", [count, count_in_place])
def test_it_leaves_the_model_as_it_was(way: Callable[..., Counts], by_module: bool) -> None:
    model = small()
    before = state(model)
    fed = [torch.zeros(1, *IMAGE)] if way is count else IMAGE
    assert way(model, fed, by_module=by_module).macs == FIRST + SECOND + LAST
    assert state(model) == before
    assert torch.is_grad_enabled()


@pytest.mark.parametrize("by_module", [False, True])
@pytest.mark.parametrize("way", [count, count_in_place])
def test_it_leaves_a_model_that_raises_as_it_was(way: Callable[..., Counts], by_module: bool) -> None:
    model = Broken()
    before = state(model)
    fed = [torch.zeros(1, *IMAGE)] if way is count else IMAGE
    with pytest.raises(KeyError, match=r"broken after \(1, 5\)"):
        way(model, fed, by_module=by_module)
    assert state(model) == before
    assert torch.is_grad_enabled()


def test_it_counts_the_model_by_hand() -> None:
    found = count_on_meta(small, IMAGE)
    params = (3 * 27 + 3) + (3 + 3) + (6 * 27 + 6) + (384 * 5 + 5)
    assert (found.params, found.macs, found.activations) == (params, FIRST + SECOND + LAST, 3 * 64 + 6 * 64 + 5)
    assert found.model_size == 4 * (params + 3 + 3) + 8  # running mean and variance; batches seen, an int64
    assert (found.input_shape, found.uncounted, found.modules) == ([3, 8, 8], (), ())


def test_real_weights_count_as_no_weights_do() -> None:
    on_shapes = count_on_meta(small, IMAGE)
    assert count_in_place(small(), IMAGE) == on_shapes
    assert count(small(), [torch.zeros(1, *IMAGE)]) == on_shapes


def test_it_counts_one_image_in_evaluation_mode() -> None:
    class Auxiliary(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.main, self.aux = nn.Linear(3, 4), nn.Linear(3, 1000)

        def forward(self, x: Tensor) -> Any:
            return (self.main(x), self.aux(x)) if self.training else self.main(x)

    found = count_in_place(Auxiliary(), (3,))
    assert (found.macs, found.params) == (3 * 4, 3 * 4 + 4 + 3 * 1000 + 1000)


class Shared(nn.Module):
    """Embeds and un-embeds with one matrix, and uses one layer three times."""

    def __init__(self) -> None:
        super().__init__()
        self.into, self.out, self.step = nn.Linear(7, 4, bias=False), nn.Linear(4, 7, bias=False), nn.Linear(4, 4)
        self.into.weight = nn.Parameter(self.out.weight.detach().T.contiguous())
        self.tied = nn.Linear(4, 7, bias=False)
        self.tied.weight = self.out.weight
        self.again = self.step

    def forward(self, x: Tensor) -> Tensor:
        x = self.again(self.step(self.step(self.into(x))))
        both: Tensor = self.out(x) + self.tied(x)
        return both


def test_it_counts_shared_tensors_once_and_shared_work_each_time() -> None:
    model = Shared()
    found = count_in_place(model, (7,), by_module=True)
    assert found.params == parameters(model) == 7 * 4 + 4 * 7 + (4 * 4 + 4)
    assert found.model_size == state_bytes(model) == 4 * found.params
    assert found.macs == 7 * 4 + 3 * 4 * 4 + 2 * 4 * 7
    rows = {row.name: row for row in found.modules}
    assert "again" not in rows
    assert (rows["step"].macs, rows["step"].params) == (3 * 4 * 4, 20)
    assert (rows["out"].params, rows["tied"].params, rows[""].params) == (28, 28, 76)


def test_it_breaks_down_by_module() -> None:
    found = count_in_place(small(), IMAGE, by_module=True)
    rows = {row.name: row for row in found.modules}
    whole = rows[""]
    assert (whole.kind, whole.params, whole.macs, whole.activations) == (
        "Sequential", found.params, found.macs, found.activations,
    )  # fmt: skip
    assert (rows["0.0"].kind, rows["0.0"].macs, rows["0.0"].activations) == ("Conv2d", FIRST, 3 * 64)
    assert rows["0"].macs == FIRST
    children = [row for name, row in rows.items() if name and "." not in name]
    for quantity in ("params", "macs", "activations"):
        assert sum(getattr(row, quantity) for row in children) == getattr(found, quantity)


def test_it_feeds_several_inputs_by_place_and_by_name() -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.image, self.text = nn.Conv2d(3, 2, 8), nn.Linear(10, 2)

        def forward(self, image: Tensor, text: Tensor, *, scale: Tensor | None = None) -> Tensor:
            both: Tensor = self.image(image).flatten(1) + self.text(text)
            return both if scale is None else both * scale

    expected = 2 * 3 * 64 + 10 * 2
    assert count_in_place(Two(), [IMAGE, (10,)]).macs == expected
    named = count_in_place(Two(), {"text": (10,), "image": IMAGE, "scale": (2,)})
    assert (named.macs, named.input_shape) == (expected, {"text": [10], "image": [3, 8, 8], "scale": [2]})
    assert count_on_meta(Two, lambda batch: [torch.zeros(batch, *IMAGE), torch.zeros(batch, 10)]).macs == expected


def test_it_counts_recurrent_and_attending_networks_with_their_weights() -> None:
    # four gates, from 4 inputs and from 5 states, for 3 steps; the image dimension of one is the batch
    lstm = nn.LSTM(4, 5, batch_first=True)
    assert count_in_place(lstm, (3, 4)).macs == 3 * 4 * 5 * (4 + 5)
    # queries, keys, values and output: 4 products of 8 × 8 at 3 tokens; 2 heads of width 4, 3 × 3 pairs, twice
    attention = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    found = count_in_place(attention, (3, 8))
    assert found.macs == 4 * 3 * 8 * 8 + 2 * (2 * 3 * 3 * 4) + 2 * 3 * 8 * 16
    assert (found.uncounted, found.params) == ((), parameters(attention))


class LooksAtItem(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x @ x.mT if x.sum().item() > -1e9 else x


class LooksThroughNumpy(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.from_numpy(x.numpy()) @ x.mT


class KeepsTensorAside(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.matrix = [torch.ones(8, 8)]

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.matrix[0]


@pytest.mark.parametrize("kind", [LooksAtItem, LooksThroughNumpy, KeepsTensorAside])
def test_it_counts_by_values_where_shapes_do_not_do(kind: type[nn.Module]) -> None:
    assert count_in_place(kind(), IMAGE).macs == 3 * 8 * 8 * 8
    assert count_on_meta(kind, IMAGE).macs == 3 * 8 * 8 * 8


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16])
def test_it_feeds_the_weights_own_type(dtype: torch.dtype) -> None:
    found = count_in_place(small().to(dtype), IMAGE)
    assert found.macs == FIRST + SECOND + LAST
    assert found.model_size == dtype.itemsize * (found.params + 6) + 8


def test_it_sees_into_a_forward_in_inference_mode() -> None:
    class Deployed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = small()

        @torch.inference_mode()
        def forward(self, x: Tensor) -> Tensor:
            return torch.einsum("bi,ji->bj", self.network(x), x.new_ones(7, 5))

    found = count_on_meta(Deployed, IMAGE)
    assert (found.macs, found.uncounted) == (FIRST + SECOND + LAST + 5 * 7, ())


def test_a_wrong_network_speaks_in_its_own_words() -> None:
    with pytest.raises(RuntimeError, match="to have 4 channels, but got 3 channels"):
        count_in_place(nn.Conv2d(4, 2, 3), IMAGE)
    with pytest.raises(RuntimeError, match="to have 4 channels, but got 3 channels"):
        count_on_meta(lambda: nn.Conv2d(4, 2, 3), IMAGE)
    with pytest.raises(KeyError, match=r"broken after \(1, 5\)"):
        count_on_meta(Broken, IMAGE)


def test_it_counts_a_network_that_is_on_meta_already() -> None:
    model = on_meta(small)
    args, kwargs = inputs.make(IMAGE, 1, "meta")
    assert count(model, args, kwargs) == count_in_place(model, IMAGE)
    assert not model.training


def test_lending_leaves_a_model_with_shared_parts_as_it_was() -> None:
    """One module in two places, its weight tied to a third, and a shared batch normalisation."""
    shared, tied, norm = nn.Linear(8, 8), nn.Linear(8, 8), nn.BatchNorm1d(8)
    tied.weight = shared.weight
    model = nn.Sequential(shared, norm, nn.ReLU(), shared, norm, tied)
    before = dict(model.state_dict(keep_vars=True).items())
    counts = count_in_place(model, (8,))
    assert (counts.params, counts.macs) == (8 * 8 + 8 + 8 + 2 * 8, 3 * 8 * 8)
    assert all(before[name] is tensor for name, tensor in model.state_dict(keep_vars=True).items())
    assert model(torch.zeros(2, 8)).device.type == "cpu"
