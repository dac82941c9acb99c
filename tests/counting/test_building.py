"""Networks that weigh nothing: built on meta, or moved there, with nothing left switched off afterwards."""

from __future__ import annotations

import gc
import subprocess
import sys
from collections.abc import Iterator

import pytest
import torch
from torch import nn

from pytest_archbench.counting import on_meta
from pytest_archbench.counting.building import INITIALISERS, SELF_INITIALISING

GROWTH = """
import resource, torch, torchvision
from pytest_archbench.counting import on_meta
torchvision.models.vgg11  # import it
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
on_meta(torchvision.models.squeezenet1_0)  # what the first network of a process costs is no network's weight
before = peak()
model = on_meta(torchvision.models.vgg19)
assert sum(p.numel() for p in model.parameters()) == 143667240
print(peak() - before)
"""


def test_it_takes_no_memory_for_weights() -> None:
    said = subprocess.run([sys.executable, "-c", GROWTH], capture_output=True, text=True, check=True)
    assert int(said.stdout) < 50e6  # of 575 MB


def initialisers() -> dict[str, object]:
    return {name: getattr(nn.init, name) for name in INITIALISERS} | {
        layer.__name__: vars(layer).get("reset_parameters") for layer in SELF_INITIALISING
    }


def test_it_initialises_nothing_and_restores_what_would() -> None:
    before = initialisers()
    seen = []

    def build() -> nn.Module:
        layer = nn.Linear(3, 4)
        seen.append(nn.init.constant_(torch.zeros(1, device="cpu"), 7).item())
        return layer

    model = on_meta(build)
    assert seen == [0]
    assert all(parameter.is_meta for parameter in model.parameters())
    assert initialisers() == before
    assert nn.init.constant_(torch.zeros(1), 7).item() == 7
    assert torch.nn.Linear(3, 4).weight.abs().sum() > 0


def test_it_restores_everything_when_building_fails() -> None:
    before = initialisers()

    def build() -> nn.Module:
        raise LookupError("no such block")

    with pytest.raises(LookupError, match="no such block"):
        on_meta(build)
    assert initialisers() == before
    assert gc.isenabled()
    assert torch.empty(1).device.type == "cpu"


@pytest.fixture
def collector_off() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


def test_it_pauses_the_collector() -> None:
    enabled = []

    def build() -> nn.Module:
        enabled.append(gc.isenabled())
        return nn.Identity()

    on_meta(build)
    assert enabled == [False]
    assert gc.isenabled()


@pytest.mark.usefixtures("collector_off")
def test_it_leaves_the_collector_off_for_who_switched_it_off() -> None:
    on_meta(nn.Identity)
    assert not gc.isenabled()


def test_it_ends_in_evaluation_mode() -> None:
    assert not any(module.training for module in on_meta(lambda: nn.Sequential(nn.Dropout(), nn.ReLU())).modules())


class ReadsItem(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(int(torch.linspace(1, 5, 3)[1].item()), 4)
        self.register_buffer("mean", torch.zeros(3))


class ReadsNumpy(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(int(torch.linspace(1, 5, 3).numpy()[1]), 4)
        self.register_buffer("mean", torch.zeros(3))


@pytest.mark.parametrize("kind", [ReadsItem, ReadsNumpy])
def test_it_builds_on_the_cpu_what_computes_while_built(kind: type[nn.Module]) -> None:
    model = on_meta(kind)
    assert [tuple(p.shape) for p in model.parameters()] == [(4, 3), (4,)]
    assert all(tensor.is_meta for tensor in (*model.parameters(), *model.buffers()))


def test_it_moves_torchvisions_regnet() -> None:
    from torchvision.models import regnet_y_400mf

    with pytest.raises(RuntimeError), torch.device("meta"):
        regnet_y_400mf()
    model = on_meta(regnet_y_400mf)
    assert all(tensor.is_meta for tensor in (*model.parameters(), *model.buffers()))
    assert sum(p.numel() for p in model.parameters()) == 4344144  # torchvision's own figure


def test_it_says_why_a_network_cannot_be_built() -> None:
    def build() -> nn.Module:
        return nn.Conv2d(3, 4, 3, groups=2)

    with pytest.raises(ValueError, match="in_channels must be divisible by groups"):
        on_meta(build)
