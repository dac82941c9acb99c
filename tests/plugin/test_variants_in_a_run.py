"""Variants, batches that end where memory does, and metrics that a device lacks, in runs as a user starts them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from lifecycle import Ran, bench, only, run, write

from pytest_archbench import own
from pytest_archbench.meters.energy import energy_obstacle
from pytest_archbench.points import point_of
from pytest_archbench.records import Conditions, Measurement

NETS = '''
import torch
from torch import nn


class Takes(nn.Module):
    """Has room for two images."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(4, 2)

    def forward(self, x):
        if len(x) > 2:
            raise torch.cuda.OutOfMemoryError(f"CUDA out of memory with {len(x)} images")
        return self.head(x)


class Shifts(nn.Linear):
    """Answers something else in any other type than float32."""

    def forward(self, x):
        return super().forward(x) + (self.weight.dtype != torch.float32)


def takes():
    return Takes()


def shifts():
    return Shifts(4, 2)
'''
PROJECT = """
[tool.archbench]
suite = "user"
metric = ["params", "latency"]
dtype = ["float32", "bfloat16"]
batch-size = [1, 4, 8]

[tool.archbench.architectures]
shifts = {factory = "nets:shifts", input = [4]}
takes = {factory = "nets:takes", input = [4]}
"""


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    folder = write(tmp_path_factory.mktemp("variants"), {"nets.py": NETS, "pyproject.toml": PROJECT})
    return bench(folder, "-rA", env={"TMPDIR": str(folder)})


def status(ran: Ran, name: str) -> dict[tuple[int, str], str]:
    """Of each batch size and type of a network's latencies."""
    rows = only(ran.rows, name)
    return {(row["conditions"]["batch_size"], row["conditions"]["dtype"]): row["status"] for row in rows}


def test_every_combination_is_a_case_of_its_own(ran: Ran) -> None:
    listed = run(ran.folder, "--archbench", "--co", "-q", "-k", "takes and latency").ids
    names = [f"takes-cpu-bs{size}{variant}" for size in (1, 4, 8) for variant in ("", "-bfloat16")]
    assert listed == [f"archbench/latency::test_latency[{name}]" for name in names]
    assert [row["conditions"]["dtype"] for row in only(ran.rows, "takes", "params")] == ["float32"]


def test_a_batch_that_is_too_large_ends_its_series_and_fails_nothing(ran: Ran) -> None:
    one, four, eight = ((1, "ok"), (4, "oom"), (8, "oom"))
    assert status(ran, "takes") == {
        (size, dtype): said for dtype in ("float32", "bfloat16") for size, said in (one, four, eight)
    }
    assert "takes latency bfloat16: batch 4 ran out of memory already; this was not tried" in ran.output
    assert "FAILED archbench/latency::test_latency[takes" not in ran.output


def test_a_variant_that_answers_something_else_fails_and_the_rest_goes_on(ran: Ran) -> None:
    assert status(ran, "shifts") == {
        **{(size, "float32"): "ok" for size in (1, 4, 8)},
        **{(size, "bfloat16"): "failed" for size in (1, 4, 8)},
    }
    assert "shifts latency bfloat16: failed: bfloat16: its outputs are " in ran.output
    assert (ran.code, ran.outcomes["failed"]) == (1, 3)


def test_a_resumed_run_knows_variants_apart(ran: Ran) -> None:
    """What was measured stays; what failed is tried again, each variant for itself."""
    before = ran.rows
    again = bench(ran.folder, "--archbench-resume", "-k", "bs1 and latency", env={"TMPDIR": str(ran.folder)})
    assert again.rows == before, "what failed failed with the same words, which are not written twice"
    assert again.outcomes["failed"] == 1
    assert "shifts latency bfloat16: failed: " in again.output


def test_what_a_device_lacks_is_said_once_at_the_head(tmp_path: Path) -> None:
    told = run(tmp_path, "--archbench", "--archbench-arch=alexnet", "--co", "-q")
    assert not [name for name in told.ids if "device_memory" in name]
    headed = run(tmp_path, "--archbench", "--archbench-arch=alexnet", "--co")
    (line,) = (line for line in headed.output.splitlines() if line.startswith("archbench: left out: on cpu: "))
    assert "device_memory (exists on cuda alone)" in line


def test_what_is_asked_for_by_name_is_skipped_with_the_reason(tmp_path: Path) -> None:
    asked = bench(tmp_path, "--archbench-arch=squeezenet1_1", "--archbench-metric=device_memory", "-rs")
    assert (asked.code, asked.outcomes) == (0, {"skipped": 1})
    assert "squeezenet1_1 device_memory: it exists on cuda alone" in asked.output


@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        ("--archbench-dtype=fp16", "expected one or more of float32, float16, bfloat16"),
        ("--archbench-runtime=onnx", "expected one or more of eager, compile, onnxruntime, tensorrt"),
        ("--archbench-memory-format=nhwc", "expected one or more of contiguous, channels_last"),
        ("--device=jetson", "this is no Jetson board: looked for"),
    ],
)
def test_a_mistake_ends_the_run_before_it_starts(tmp_path: Path, option: str, sentence: str) -> None:
    refused = run(tmp_path, "--archbench", option)
    assert refused.code == 4
    assert sentence in refused.output
    assert "Traceback" not in refused.output


GUARDS = """
from torch import nn


def make(width=2):
    return nn.Linear(4, width)


def test_guarded(archbench):
    archbench.check(make(3), input_shape=(4,), name="guarded")


def test_small(archbench):
    archbench.check(make(), input_shape=(4,), name="small", peak_memory_max="1GB")


def test_frugal(archbench):
    archbench.check(make(), input_shape=(4,), name="frugal", energy_max="1J")
"""


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """Checks of models, one of which was promoted with 4 * 2 + 2 = 10 parameters and has 15 now."""
    folder = write(tmp_path_factory.mktemp("guarded"), {"test_guard.py": GUARDS})
    before = Measurement("guarded", "params", "count", "ok", Conditions("cpu", 1, [4]), (10,), PARAMETERS)
    point = point_of(before, {"run": "before", "started": "2026-01-01T03:00:00+00:00"})
    assert point is not None
    own.promote([point], folder / "baselines/devices")
    return bench(folder, "test_guard.py", "--archbench-runtime=eager,onnxruntime", "-rA", env={"TMPDIR": str(folder)})


PARAMETERS = "elements of model.parameters(), shared ones once; buffers are not parameters"


def test_a_checked_model_is_held_against_what_was_promoted(guarded: Ran) -> None:
    assert "FAILED test_guard.py::test_guarded" in guarded.output
    assert "guarded params: 15, deviates (+50.0 %) from run before 10: 15 instead of 10" in guarded.output


def test_a_variant_without_an_instrument_leaves_the_others_their_verdict(guarded: Ran) -> None:
    assert "PASSED test_guard.py::test_small" in guarded.output
    found = {row["conditions"]["runtime"]: row["status"] for row in only(guarded.rows, "small", "peak_memory")}
    assert found == {"eager": "ok", "onnxruntime": "skipped"}


def test_a_limit_that_nothing_can_judge_skips_with_the_reason(guarded: Ran) -> None:
    if not energy_obstacle("energy", "cpu"):
        pytest.skip("this host tells its energy")
    assert "nothing tells the energy of cpu" in guarded.output
    assert guarded.outcomes == {"failed": 1, "passed": 1, "skipped": 1}


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU that torch can use")
def test_two_devices_are_measured_side_by_side(tmp_path: Path) -> None:
    metrics = "--archbench-metric=latency,peak_memory,device_memory,peak_host_memory"
    ran = bench(tmp_path, "--device=cpu,cuda", "--archbench-arch=squeezenet1_1", "--archbench-batch-size=1,4", metrics)
    assert ran.code == 0, ran.output
    found = {(row["metric"], row["conditions"]["device"]): row["status"] for row in ran.rows}
    assert found["latency", "cpu"] == found["latency", "cuda"] == found["device_memory", "cuda"] == "ok"
    assert found["device_memory", "cpu"] == found["peak_host_memory", "cuda"] == "skipped"
    assert set(ran.header["devices"]) == {"cpu", "cuda"}
