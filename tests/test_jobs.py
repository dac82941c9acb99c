"""What a measuring process answers, asked in this one: verbs, held networks, and what an exception means."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, NoReturn

import pytest
import torch
from torch import nn

from pytest_archbench.jobs import SIGNS, VERBS, Failure, Job, Stand, failure, perform
from pytest_archbench.meters import METERS, CannotMeasure, Meter, Part
from pytest_archbench.meters.agreement import WrongOutput
from pytest_archbench.meters.timing import BURSTS_PER_PLACE, Round
from pytest_archbench.nvml import Lost
from pytest_archbench.power.gpus import GpuLost
from pytest_archbench.power.sensors import SensorLost
from pytest_archbench.protocols import Missing, Unusable
from pytest_archbench.records import Architecture, Conditions, Reading, Settings, Status

HERE = Conditions("cpu", input_shape=(4,))
QUICK = Settings(time_budget=0.02, precision=0.5)


def net() -> nn.Module:
    return nn.Linear(4, 2)


def wrong() -> nn.Module:
    raise LookupError("no\nsuch head")


def interrupted() -> nn.Module:
    raise KeyboardInterrupt


def job(build: Callable[[], nn.Module] = net, meter: str = "latency") -> Job:
    return Job(meter, Architecture("net", "test", build, (4,)), HERE, QUICK)


def ask(stand: Stand, verb: str, *arguments: Any) -> Any:
    return stand.answer(pickle.dumps((verb, arguments)))


@pytest.mark.parametrize("metric", ["latency", "counts"])
def test_it_measures(metric: str) -> None:
    answer = ask(Stand(), "measure", job(meter=metric))
    assert set(answer) == set(METERS[metric].metrics)
    assert all(isinstance(reading, Reading) for reading in answer.values())


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`", "oom"),
        ("cuDNN error: CUDNN_STATUS_ALLOC_FAILED", "oom"),
        ("NvMapMemAllocInternalTagged: 1075072515 error 12", "oom"),
        ('NVML_SUCCESS == r INTERNAL ASSERT FAILED at "../c10/cuda/CUDACachingAllocator.cpp":838', "oom"),
        ("Failed to allocate memory for requested buffer of size 8589934592", "oom"),
        ("CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasSgemm`", "crashed"),
        ("level_zero backend failed with error: 20 (UR_RESULT_ERROR_DEVICE_LOST)", "crashed"),
        ("mat1 and mat2 shapes cannot be multiplied", "failed"),
    ],
)
def test_what_libraries_say_of_memory_and_of_a_lost_device(said: str, status: Status) -> None:
    """Texts as the libraries' sources and reports have them, not seen on a device here."""
    assert failure(RuntimeError(said)).status == status


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (Lost("GPU x: fell off the bus"), "crashed", "the GPU is lost: GPU x: fell off the bus"),
        (
            GpuLost("NVML power: GPU x: fell off the bus"),
            "crashed",
            "the GPU is lost: NVML power: GPU x: fell off the bus",
        ),
        (SensorLost("rail VDD_IN is gone"), "failed", "rail VDD_IN is gone"),
        (WrongOutput("bfloat16: far off"), "failed", "bfloat16: far off"),
    ],
)
def test_what_is_lost_is_told_apart(error: Exception, status: Status, message: str) -> None:
    assert failure(error) == Failure(status, message)


def test_a_network_is_held_until_it_is_let_go() -> None:
    stand = Stand()
    assert stand.idle
    pace, fed, dtype = ask(stand, "open", "ours", job())
    assert (fed, dtype) == ([4], "float32")
    assert 0 < pace < 1
    assert not stand.idle
    assert ask(stand, "move", "ours") is None
    assert len(ask(stand, "burst", "ours", 5)) == 5
    ask(stand, "open", "theirs", job())
    found = ask(stand, "round", "ours", "theirs")
    assert isinstance(found, Round)
    assert len(found.ours) == len(found.theirs) >= BURSTS_PER_PLACE
    assert ask(stand, "close") is None
    assert stand.idle
    assert ask(stand, "burst", "ours", 5).status == "failed", "it is held no more"


def long(architecture: Architecture, _conditions: Conditions, _settings: Settings) -> Iterator[Part]:
    """Three images, of which the last cannot be had where the network cannot be built."""
    yield Part(1, 3, "images", 2.0, {})
    yield Part(2, 3, "images", 1.0, {})
    architecture.build()
    yield Part(3, 3, "images", 0.0, {})


@pytest.fixture
def long_meter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(METERS._entries, "long", Meter("long", (), long, "long"))


@pytest.mark.usefixtures("long_meter")
def test_a_long_measurement_is_told_part_by_part() -> None:
    stand = Stand()
    parts = [ask(stand, "begin", job(meter="long")), ask(stand, "advance")]
    assert not stand.idle, "its network is held, and what it has started is no left-over"
    parts.append(ask(stand, "advance"))
    assert [(part.done, part.whole) for part in parts] == [(1, False), (2, False), (3, True)]
    assert stand.idle
    assert ask(stand, "advance").status == "failed", "nothing is under way any more"


@pytest.mark.usefixtures("long_meter")
def test_a_long_measurement_that_fails_or_is_let_go_is_over() -> None:
    stand = Stand()
    for part in ("begin", job(wrong, "long")), ("advance",):
        assert isinstance(ask(stand, *part), Part)
    assert ask(stand, "advance").message.startswith("LookupError: no such head")
    assert stand.idle
    ask(stand, "begin", job(meter="long"))
    ask(stand, "close")
    assert stand.idle


def test_what_fails_to_open_is_not_held() -> None:
    stand = Stand()
    assert ask(stand, "open", "ours", job(wrong)).status == "failed"
    assert stand.idle


def test_it_knows_with_what_it_runs() -> None:
    found = ask(Stand(), "versions", ("timm", "numpy"))
    assert found["torch"] == torch.__version__
    assert set(found) == {"python", "torch", "timm", "numpy"}
    assert found["python"].startswith("3.")


def test_every_verb_is_tried_here() -> None:
    asked = {"measure", "begin", "advance", "open", "move", "burst", "round", "close", "versions"}
    assert set(VERBS) == asked


def test_a_network_says_itself_what_is_wrong() -> None:
    found = ask(Stand(), "measure", job(wrong))
    assert found.status == "failed"
    assert found.message.startswith("LookupError: no such head (in ")
    assert found.message.endswith(f"test_jobs.py:{wrong.__code__.co_firstlineno + 1})")


def test_a_keyboard_interrupt_is_the_networks_in_a_measuring_process_and_the_users_in_this_one() -> None:
    assert ask(Stand(), "measure", job(interrupted)).message.startswith("KeyboardInterrupt: ")
    with pytest.raises(KeyboardInterrupt):
        perform(job(interrupted))


class Unpacking:
    """A message that raises where it arrives."""

    def __reduce__(self) -> tuple[object, ...]:
        return not_here, ()


def not_here() -> NoReturn:
    raise ModuleNotFoundError("No module named 'mynets'")


@pytest.mark.parametrize("message", [b"", b"garbage", pickle.dumps(7), pickle.dumps(("measure", Unpacking()))])
def test_what_cannot_be_read_is_a_failure(message: bytes) -> None:
    found = Stand().answer(message)
    assert found.status == "failed"
    assert found.message.startswith("the measuring process cannot import the network: ")


@pytest.mark.parametrize(("verb", "arguments"), [("fly", ()), ("move", ("nobody",)), ("close", (1,)), ([], ())])
def test_what_cannot_be_done_is_a_failure(verb: Any, arguments: tuple[Any, ...]) -> None:
    assert ask(Stand(), verb, *arguments).status == "failed"


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (CannotMeasure("no sensor"), "skipped"),
        (Missing("no weights are published"), "skipped"),
        (Unusable("val: expected folders of classes"), "failed"),
        (MemoryError(), "oom"),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."), "oom"),
        (RuntimeError("CUDA error: out of memory"), "oom"),
        (
            RuntimeError("[enforce fail at alloc_cpu.cpp:119] DefaultCPUAllocator: can't allocate memory: you tried"),
            "oom",
        ),
        (RuntimeError("CUDA error: device-side assert triggered"), "crashed"),
        (RuntimeError("CUDA error: an illegal memory access was encountered"), "crashed"),
        (RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"), "crashed"),
        (torch.AcceleratorError("unspecified launch failure"), "crashed"),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied (1x4 and 5x2)"), "failed"),
        (ValueError(""), "failed"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else value,
)
def test_what_an_exception_means(error: BaseException, status: Status) -> None:
    found = failure(error)
    assert found.status == status
    ours = status == "skipped" or isinstance(error, Unusable)  # a sentence for the user as it is
    assert found.message == (str(error) if ours else f"{type(error).__name__}: {error}")


def test_every_sign_of_a_lost_gpu_is_a_crash() -> None:
    assert set(SIGNS.values()) == {"oom", "crashed"}
    for sign, status in SIGNS.items():
        assert failure(RuntimeError(f"before {sign} after")) == Failure(status, f"RuntimeError: before {sign} after")


def test_an_error_within_an_error_is_named_by_its_innermost_place() -> None:
    def outer() -> None:
        wrong()

    with pytest.raises(LookupError) as caught:
        outer()
    assert failure(caught.value).message.endswith(f"test_jobs.py:{wrong.__code__.co_firstlineno + 1})")


def test_a_job_can_be_sent() -> None:
    asked = replace(job(), conditions=replace(HERE, batch_size=3))
    assert pickle.loads(pickle.dumps(asked)) == asked
