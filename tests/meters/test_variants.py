"""Variants of a network: what runs it, its type and its memory format; none is measured that answers something else."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch
from measured_networks import Shifts
from torch import Tensor, nn

from pytest_archbench import options
from pytest_archbench.jobs import Failure, Job, perform
from pytest_archbench.meters import CannotMeasure, runtimes
from pytest_archbench.meters.agreement import TOLERANCES, WrongOutput
from pytest_archbench.meters.latency import Stopwatch, latency
from pytest_archbench.meters.running import moved, prepare
from pytest_archbench.records import Architecture, Case, Conditions, Reading, Settings

SHAPE = (3, 16, 16)
PLAIN = Conditions("cpu", 2, SHAPE)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


class Small(nn.Sequential):
    """A convolution, batch normalisation and a classifier."""

    def __init__(self) -> None:
        super().__init__(
            nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 5)
        )


def network(build: Callable[[], nn.Module] = Small, shape: Any = SHAPE) -> Architecture:
    return Architecture("net", "test", build, shape)


def off(notes: tuple[str, ...]) -> float:
    """How far the outputs were off, from the note that says it."""
    (note,) = (note for note in notes if note.startswith("outputs "))
    return float(note.split()[1])


@pytest.mark.parametrize(
    ("asked", "variant"),
    [
        ({}, ""),
        ({"dtype": "float64"}, ""),
        ({"dtype": "bfloat16"}, "bfloat16"),
        ({"memory_format": "channels_last"}, "channels_last"),
        ({"runtime": "compile", "dtype": "float16"}, "compile-float16"),
    ],
)
def test_a_variant_is_in_the_name_of_its_case(asked: dict[str, Any], variant: str) -> None:
    conditions = replace(PLAIN, **asked)
    assert conditions.variant == variant
    assert Case(network(), "latency", conditions).id == "-".join(filter(None, ["net-cpu-bs2", variant]))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_a_reduced_type_is_computed_in(dtype: str) -> None:
    ready = prepare(network(), replace(PLAIN, dtype=dtype))
    assert {str(each.dtype) for each in (*ready.model.parameters(), *ready.args)} == {f"torch.{dtype}"}
    assert ready.dtype == dtype
    assert 0 < off(ready.notes) < TOLERANCES[dtype]


def test_channels_last_is_the_layout_of_weights_and_input_and_stays_it() -> None:
    for ready in (first := prepare(network(), replace(PLAIN, memory_format="channels_last")), moved(first)):
        kernel = ready.model.get_parameter("0.weight")
        for tensor in (kernel, ready.args[0]):
            assert tensor.is_contiguous(memory_format=torch.channels_last)
        assert not kernel.is_contiguous()
    assert off(first.notes) < TOLERANCES["float32"]


def test_the_same_weights_run_on_another_engine() -> None:
    """Exported, and held by ONNX Runtime; the answer is that of torch to rounding."""
    ready = prepare(network(), replace(PLAIN, runtime="onnxruntime"))
    (said,) = ready.forward()
    assert (said.shape, off(ready.notes) < 1e-5) == ((2, 5), True)
    assert list(ready.model.parameters()) == [], "the engine holds them"
    (again,) = moved(ready).forward()
    assert torch.equal(said, again)


@pytest.mark.slow
def test_a_compiled_network_is_timed_and_moves() -> None:
    watch = Stopwatch(network(), replace(PLAIN, runtime="compile"))
    before = watch.ready.model.get_parameter("0.weight").data_ptr()
    assert watch.lap() > 0
    watch.move()
    assert watch.ready.model.get_parameter("0.weight").data_ptr() != before
    with torch.inference_mode():
        assert torch.allclose(watch.ready.forward(), watch.ready.model(*watch.ready.args), atol=1e-5)


def test_a_variant_is_timed_under_its_conditions_and_says_how_far_it_is_off() -> None:
    found = latency(network(), replace(PLAIN, dtype="bfloat16"), Settings(time_budget=0.05))["latency"]
    assert isinstance(found, Reading)
    assert found.dtype == "bfloat16"
    assert 0 < off(found.notes) < TOLERANCES["bfloat16"]


def test_a_variant_that_answers_something_else_is_not_measured() -> None:
    """Its answer hangs on the type of its weights, by 1: far more than any rounding."""
    with pytest.raises(
        WrongOutput, match=r"^bfloat16: its outputs are \d+\.\d\d% off the network's own in float32, where"
    ):
        prepare(network(Shifts), replace(PLAIN, dtype="bfloat16"))
    answer = perform(Job("latency", network(Shifts), replace(PLAIN, dtype="bfloat16"), Settings()))
    assert isinstance(answer, Failure)
    assert answer.status == "failed"
    assert "nothing of it is measured" in answer.message


class Overflows(nn.Linear):
    """Its answer is finite in float32, and beyond float16: 70,000 at most is 65,504 there."""

    def __init__(self) -> None:
        super().__init__(4, 2)
        nn.init.constant_(self.weight, 0)
        nn.init.constant_(self.bias, 300)

    def forward(self, x: Tensor) -> Tensor:
        answer: Tensor = super().forward(x)
        return answer * answer  # 90,000


def test_an_answer_beyond_the_type_is_not_finite() -> None:
    with pytest.raises(WrongOutput, match=r"^float16: its outputs are not finite, unlike the network's own in float32"):
        prepare(network(Overflows, (4,)), replace(PLAIN, dtype="float16"))


class Infinite(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x / 0


def test_what_is_not_finite_to_begin_with_cannot_be_checked() -> None:
    with pytest.raises(CannotMeasure, match="the network's own outputs are not finite"):
        prepare(network(Infinite, (4,)), replace(PLAIN, dtype="bfloat16"))


class Deep(nn.Sequential):
    """What comes in grows by 8 from layer to layer with the statistics of the constructor."""

    def __init__(self) -> None:
        layers = [(nn.Conv2d(4, 4, 1, bias=False), nn.BatchNorm2d(4)) for _ in range(12)]
        for convolution, _ in layers:
            nn.init.constant_(convolution.weight, 2.0)
        super().__init__(*(each for pair in layers for each in pair))


class Faint(nn.Sequential):
    """What comes in shrinks by 8 from layer to layer with the statistics of the constructor: 8^-12 = 1e-11."""

    def __init__(self) -> None:
        layers = [(nn.Conv2d(4, 4, 1, bias=False), nn.BatchNorm2d(4)) for _ in range(12)]
        for convolution, _ in layers:
            nn.init.constant_(convolution.weight, 1 / 32)
        super().__init__(*(each for pair in layers for each in pair))


def test_random_weights_that_vanish_are_brought_to_size() -> None:
    ready = prepare(network(Faint, (4, 8, 8)), replace(PLAIN, dtype="float16"))
    assert float(ready.forward().abs().max()) > 1e-3


def test_an_operator_that_torch_has_in_no_such_type_is_no_fault_of_the_network() -> None:
    class Normalises(nn.Conv2d):
        def forward(self, x: Tensor) -> Tensor:
            return nn.functional.local_response_norm(super().forward(x), 3)

    with pytest.raises(CannotMeasure, match=r"torch cannot compute it in bfloat16: .*not implemented for 'BFloat16'"):
        prepare(network(lambda: Normalises(3, 4, 3)), replace(PLAIN, dtype="bfloat16"))


def test_random_weights_that_explode_are_brought_to_size() -> None:
    """8^12 = 7e10 as constructed, which float16 cannot hold."""
    ready = prepare(network(Deep, (4, 8, 8)), replace(PLAIN, dtype="float16"))
    assert float(ready.forward().abs().max()) < 100


SHARED = Small()


def shared() -> nn.Module:
    """One network for all: as a constructor with a cache hands it out."""
    return SHARED


def test_a_network_that_its_constructor_hands_out_again_stays_what_it_is() -> None:
    half = prepare(network(shared), replace(PLAIN, dtype="bfloat16"))
    plain = prepare(network(shared), PLAIN)
    assert (half.dtype, plain.dtype) == ("bfloat16", "float32")
    assert {each.dtype for each in SHARED.parameters()} == {torch.float32}


@pytest.mark.parametrize("runtime", ["eager", "onnxruntime"])
def test_one_image_is_compared_and_the_batch_is_what_runs(runtime: str) -> None:
    """A reference in float32 of a large batch might need memory that the variant does not."""
    fed = []

    class Watched(Small):
        def forward(self, x: Tensor) -> Tensor:
            fed.append((len(x), x.dtype))
            answer: Tensor = nn.Sequential.forward(self, x)  # type: ignore[no-untyped-call]
            return answer

    ready = prepare(network(Watched), replace(PLAIN, dtype="float16", runtime=runtime, batch_size=4))
    assert {size for size, dtype in fed if dtype == torch.float32} == {1}
    answer = ready.forward()
    (said,) = answer if isinstance(answer, list) else [answer]
    assert said.shape == (4, 5)


class InPlace(Small):
    """Normalises its input where it lies."""

    def forward(self, x: Tensor) -> Tensor:
        answer: Tensor = nn.Sequential.forward(self, x.sub_(0.5).mul_(2.0))  # type: ignore[no-untyped-call]
        return answer


def test_a_network_that_works_in_place_is_fed_the_same_each_time() -> None:
    assert off(prepare(network(InPlace), replace(PLAIN, memory_format="channels_last")).notes) < 1e-5


def reduced() -> nn.Module:
    return Small().to(torch.bfloat16)


def test_a_network_of_a_reduced_type_may_round_as_that_does() -> None:
    ready = prepare(network(reduced), replace(PLAIN, memory_format="channels_last"))
    assert ready.dtype == "bfloat16"
    assert "(relative norm of all outputs; 0.1 is allowed)" in ready.notes[0]


class Answers(nn.Module):
    """Whatever is asked for, and its input's size to make it."""

    def __init__(self, answer: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.answer, self.scale = answer, nn.Parameter(torch.ones(1))

    def forward(self, x: Tensor) -> Any:
        return self.answer(x)


def test_nothing_but_zeros_agrees_with_nothing_but_zeros() -> None:
    ready = prepare(network(lambda: Answers(torch.zeros_like), (4,)), replace(PLAIN, dtype="bfloat16"))
    assert off(ready.notes) == 0


@pytest.mark.parametrize("answer", [lambda _x: None, lambda x: x[:, :0], lambda _x: {}], ids=["None", "empty", "{}"])
def test_what_answers_no_numbers_cannot_be_checked(answer: Callable[[Tensor], Any]) -> None:
    with pytest.raises(CannotMeasure, match="answers no numbers, so that no variant can be held against it"):
        prepare(network(lambda: Answers(answer), (4,)), replace(PLAIN, dtype="bfloat16"))


def test_the_imaginary_part_is_compared_too() -> None:
    class Turns(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(4))

        def forward(self, x: Tensor) -> Tensor:
            sign = 1 if self.weight.dtype == torch.float32 else -1
            return torch.complex(x.float(), sign * x.float())

    with pytest.raises(WrongOutput, match="% off"):
        prepare(network(Turns, (4,)), replace(PLAIN, dtype="bfloat16"))


def test_every_output_of_several_is_compared() -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(4))

        def forward(self, x: Tensor) -> dict[str, Any]:
            second = self.weight if self.weight.dtype == torch.float32 else -self.weight
            return {"logits": x * self.weight, "more": [second]}

    with pytest.raises(WrongOutput, match=r"% off"):
        prepare(network(Two, (4,)), replace(PLAIN, dtype="bfloat16"))


def test_whole_numbers_stay_what_they_are() -> None:
    class Words(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = nn.Embedding(10, 4)

        def forward(self, x: Tensor) -> Tensor:
            answer: Tensor = self.table(x.long())
            return answer

    ready = prepare(
        network(Words, lambda size: torch.zeros(size, 3, dtype=torch.int64)), replace(PLAIN, dtype="bfloat16")
    )
    assert ready.args[0].dtype == torch.int64


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        (
            {"runtime": "onnxruntime", "dtype": "bfloat16"},
            "onnxruntime computes in float32 and float16; not in bfloat16",
        ),
        ({"runtime": "onnxruntime", "dtype": "float64"}, "onnxruntime computes in float32 and float16; not in float64"),
        ({"runtime": "onnxruntime", "memory_format": "channels_last"}, "the format ONNX knows no channels_last"),
        ({"runtime": "tensorrt"}, "tensorrt runs on cuda; not on cpu"),
        ({"runtime": "onnxruntime", "device": "mps"}, "onnxruntime runs on cpu, cuda; not on mps"),
    ],
)
def test_what_an_engine_cannot_do_is_skipped_with_the_reason(asked: dict[str, Any], reason: str) -> None:
    with pytest.raises(CannotMeasure, match=reason):
        runtimes.exported(Small(), (), {}, replace(PLAIN, **asked))


def test_an_engine_that_is_not_installed_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(CannotMeasure, match=r"onnxruntime needs .*: pip install 'pytest-archbench\[onnx\]'"):
        runtimes.exported(Small(), (), {}, replace(PLAIN, runtime="onnxruntime"))


def test_an_engine_without_the_device_says_which_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CannotMeasure, match=r"has no CUDAExecutionProvider; it has .*CPUExecutionProvider"):
        runtimes.exported(Small(), (), {}, replace(PLAIN, runtime="onnxruntime", device="cuda:0"))


def test_the_options_offer_what_there_is() -> None:
    assert ("eager", *runtimes.RUNTIMES) == options.RUNTIMES
