"""``archbench.check`` in ordinary tests and in bench runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from lifecycle import NETS, SLEEPING, Ran, bench, lines_of, run, write

# Worked by hand. Parameters: convolution 3*8*3*3 + 8 = 224, linear 8*10 + 10 = 90, together 314.
# MACs on 32 x 32: convolution 32*32*8*(3*3*3) = 221184, linear 8*10 = 80, together 221264.
# Activations: 8*32*32 + 10 = 8202. Size: 314 parameters of 4 B = 1256 B.
NET = """
import re

import numpy as np
import pytest
import torch
from torch import nn

def make():
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 10)
    )
"""
COUNTS = (
    NET
    + """
def test_right(archbench):
    found = archbench.check(make(), params=314, macs=221264, input_shape=(3, 32, 32))
    assert found == {"params": 314, "macs": 221264, "activations": 8202, "model_size": 1256}

def test_all(archbench):
    archbench.check(make(), params=314, macs=221264, activations=8202, model_size=1256, input_shape=(3, 32, 32))

def test_wrong(archbench):
    archbench.check(make(), params=315, macs=221200, input_shape=(3, 32, 32), name="net")

@pytest.mark.parametrize("inputs", [
    torch.zeros(1, 3, 32, 32),
    torch.zeros(4, 3, 32, 32),
    [(3, 32, 32)],
    {"input": (3, 32, 32)},
    {"input": torch.zeros(1, 3, 32, 32)},
    lambda batch_size: torch.zeros(batch_size, 3, 32, 32),
    lambda batch_size: {"input": torch.zeros(batch_size, 3, 32, 32)},
], ids=["tensor", "batch", "shapes", "named-shape", "named-tensor", "callable", "callable-named"])
def test_inputs(archbench, inputs):
    archbench.check(make(), params=314, macs=221264, inputs=inputs)

def test_several_inputs(archbench):
    # Linear layers 5*2 + 2 and 7*2 + 2 = 28 parameters, 10 + 14 = 24 MACs.
    from mynets import Two
    archbench.check(Two(), params=28, macs=24, inputs=[(5,), (7,)])
    archbench.check(Two(), params=28, macs=24, inputs={"left": (5,), "right": torch.zeros(1, 7)})

def test_leaves_the_model_as_it_was(archbench):
    model = make().train()
    before = {name: (id(p), p.clone()) for name, p in model.named_parameters()}
    archbench.check(model, params=314, input_shape=(3, 32, 32))
    assert model.training
    assert all(id(p) == before[name][0] and p.equal(before[name][1]) for name, p in model.named_parameters())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())

def test_uncounted(archbench):
    from mynets import Spectral
    archbench.check(Spectral(), params=112, macs=97200, input_shape=(3, 32, 32), name="spectral")

def test_unknown_limit(archbench):
    with pytest.raises(TypeError, match="check.. has no argument 'latency_mx'; its limits are latency_max"):
        archbench.check(make(), latency_mx=1, input_shape=(3, 32, 32))

def test_too_few_images(archbench):
    with pytest.raises(ValueError, match="expected a tensor of at least 8 image.s.; got 4"):
        archbench.check(make(), batch_size=8, throughput_min=1, inputs=torch.zeros(4, 3, 32, 32))

@pytest.mark.parametrize(("arguments", "sentence"), [
    *(({limit: value}, f"{limit}: expected {form}, above 0; got {value!r}")
      for limit, form in {
          "latency_max": "a time such as '20ms', '900us' or 0.02 (s)",
          "throughput_min": "images per second such as 30",
          "peak_memory_max": "bytes such as '700MiB' or 1e9",
      }.items()
      for value in (-1, 0, float("nan"), float("inf"), "3 parsecs", [1])),
    *(({"batch_size": value}, f"batch_size: expected a whole number of at least 1; got {value!r}")
      for value in (0, -1, 1.5, "1", True)),
    *(({metric: value}, f"{metric}: expected a whole number of at least 0; got {value!r}")
      for metric in ("params", "macs", "activations", "model_size") for value in ("1570", 314.0, -1, True)),
])
def test_mistaken(archbench, arguments, sentence):
    with pytest.raises(ValueError, match="check..: " + re.escape(sentence)):
        archbench.check(make(), input_shape=(3, 32, 32), **arguments)

def test_two_inputs(archbench):
    with pytest.raises(TypeError, match="input_shape and inputs say the same thing; give one of them"):
        archbench.check(make(), input_shape=(3, 32, 32), inputs=torch.zeros(1, 3, 32, 32))

@pytest.mark.parametrize(
    ("model", "got"), [(nn.ReLU, "the class ReLU: call it"), (make, "function"), (None, "NoneType")]
)
def test_no_model(archbench, model, got):
    with pytest.raises(TypeError, match=f"expected a torch.nn.Module; got {got}$"):
        archbench.check(model, input_shape=(3, 32, 32))

def test_numpy(archbench):
    three, side = np.array([3, 32])
    archbench.check(make(), params=np.int32(314), macs=221264, batch_size=np.int8(1), input_shape=(three, side, side))

def test_none_is_not_asked_for(archbench):
    archbench.check(make(), params=None, macs=221264, latency_max=None, input_shape=(3, 32, 32))

def test_measured(archbench):
    archbench.check(make(), latency_max="1s", peak_memory_max="1GB", input_shape=(3, 32, 32), name="net")

def test_measured_after_wrong_counts(archbench):
    archbench.check(make(), params=1, latency_max="1s", input_shape=(3, 32, 32), name="net")
"""
)
LIMITS = (
    NET
    + """
def test_within(archbench):
    archbench.check(make(), params=314, latency_max="10s", peak_memory_max="1GiB", throughput_min=1,
                    input_shape=(3, 32, 32), batch_size=4, name="within")

def test_too_slow(archbench):
    archbench.check(make(), latency_max=1e-9, input_shape=(3, 32, 32), name="slow")

def test_too_large(archbench):
    archbench.check(make(), peak_memory_max="1kB", throughput_min=1e12, input_shape=(3, 32, 32), name="large")

def test_ordinary():
    pass

def test_inputs(archbench):
    archbench.check(make(), latency_max=10, batch_size=2, name="fed", inputs=lambda n: torch.zeros(n, 3, 32, 32))
    archbench.check(make(), latency_max=10, batch_size=2, name="fed", inputs=torch.zeros(4, 3, 16, 16))

def test_net(archbench):
    archbench.check(make(), params=314, input_shape=(3, 32, 32))

def test_linear(archbench):
    archbench.check(nn.Sequential(nn.Linear(3, 1)), params=4, inputs=(3,))

def test_unsendable(archbench):
    class Local(nn.Module):
        def forward(self, x):
            return x
    archbench.check(Local(), latency_max=1, name="local", inputs=lambda n: torch.zeros(n, 3))
"""
)
RACES = (
    SLEEPING
    + """
import pytest

class Broken(nn.Module):
    def forward(self, x):
        raise LookupError("no such head")

def race(archbench, ours, theirs, **more):
    # Parameters 4*2 + 2 = 10.
    archbench.check(Sleeping(ours), params=10, not_slower_than=theirs, input_shape=(4,), name="net", **more)

def test_slower(archbench):
    race(archbench, 0.006, Sleeping(0.003))

def test_equal(archbench):
    race(archbench, 0.003, Sleeping(0.003), latency_max="10s")

def test_broken_rival(archbench):
    race(archbench, 0.003, Broken())

def test_mistaken(archbench):
    with pytest.raises(TypeError, match="expected a torch.nn.Module; got the class Sleeping: call it"):
        race(archbench, 0.003, Sleeping)

class Unsteady(Sleeping):
    def forward(self, x):
        self.seconds = 0.016 - self.seconds
        return super().forward(x)

def test_doubtful(archbench):
    # Every second pass takes 1 ms and every other 15 ms: the interval of the median reaches from one to the other.
    archbench.check(Unsteady(0.001), latency_max="8.1ms", input_shape=(4,), name="doubtful")
"""
)
TIMED = (("within", 4), ("slow", 1), ("fed", 2), ("fed (2)", 2))


def test_it_asserts_counts_in_an_ordinary_run(tmp_path: Path) -> None:
    ran = run(write(tmp_path, {"mynets.py": NETS, "test_net.py": COUNTS}), "-rsf")
    assert ran.outcomes == {"passed": 58, "failed": 3, "skipped": 1}, ran.output
    failed = list(lines_of(ran.output, "FAILED"))
    for name in ("test_wrong", "test_uncounted", "test_measured_after_wrong_counts"):
        assert any(f"::{name} - " in line for line in failed)
    assert "net params: expected 315, got 314 (-1 count)" in ran.output
    assert "net macs: expected 221200, got 221264 (+64 MAC)" in ran.output
    assert "spectral macs: operators without a formula: aten._fft_c2c" in ran.output
    (skipped,) = lines_of(ran.output, "SKIPPED")
    assert "net: latency, peak_memory: measured quantities are judged with --archbench" in skipped
    assert "test_net.py:" in skipped
    assert not (tmp_path / "reports").exists()


def test_it_judges_measured_quantities_in_a_bench_run(tmp_path: Path) -> None:
    ran = bench(write(tmp_path, {"mynets.py": NETS, "test_net.py": LIMITS}), "test_net.py", "-rf")
    assert (ran.code, ran.outcomes) == (1, {"passed": 4, "failed": 3, "deselected": 1}), ran.output
    assert "slow latency on cpu at batch 1: expected at most 1.000 ns, got " in ran.output
    assert "large peak_memory on cpu at batch 1: expected at most 1000 B, got " in ran.output
    assert "large throughput on cpu at batch 1: expected at least 1.000 Timg/s, got " in ran.output
    rows = {(row["architecture"], row["metric"]): row for row in ran.rows}
    assert rows["within", "latency"]["verdicts"][0]["outcome"] == "passed"
    assert rows["within", "latency"]["conditions"]["batch_size"] == 4
    assert rows["within", "peak_memory"]["conditions"]["batch_size"] == 4
    assert rows["slow", "latency"]["verdicts"][0]["outcome"] == "regressed"
    assert rows["within", "params"]["verdicts"][0]["outcome"] == "passed"
    assert rows["slow", "params"]["verdicts"] == []
    # Two networks of one class are two, and so are two of one name: each with measurements of its own.
    assert rows["fed", "latency"]["conditions"]["input_shape"] == [3, 32, 32]
    assert rows["fed (2)", "latency"]["conditions"]["input_shape"] == [3, 16, 16]
    assert rows["Sequential in test_net", "params"]["value"] == 314
    assert rows["Sequential in test_linear", "params"]["value"] == 4
    assert set(ran.cases.values()) == {1}
    assert rows["local", "latency"]["status"] == "failed"
    assert "define it at module level" in rows["local", "latency"]["message"]
    # Times that were held against a limit are in the other tools' format too, under the same kind of name.
    timed = json.loads((tmp_path / "reports/benchmark.json").read_text())["benchmarks"]
    expected = {f"test_latency[{name}-cpu-bs{size}]" for name, size in TIMED}
    assert {entry["name"] for entry in timed} == expected
    assert {row["family"] for row in ran.rows} == {"user"}


@pytest.fixture(scope="module")
def raced(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """A bench run of models against others, with locks of its own so that it waits for nobody."""
    folder, temporary = tmp_path_factory.mktemp("raced"), tmp_path_factory.mktemp("temporary")
    write(folder, {"test_race.py": RACES})
    env = {"TMPDIR": str(temporary)}
    return bench(folder, "test_race.py", "-rf", "--archbench-tolerance=20%", env=env)


def test_a_model_that_is_slower_than_another_fails(raced: Ran) -> None:
    assert (raced.code, raced.outcomes) == (1, {"passed": 2, "failed": 2, "skipped": 1}), raced.output
    (slower,) = [row for row in raced.rows if (row["architecture"], row["metric"]) == ("net", "latency")]
    (verdict,) = slower["verdicts"]
    assert verdict["outcome"] == "regressed"
    assert verdict["source"] == slower["against"]["side"] == "Sleeping beside net"
    assert verdict["change"] == pytest.approx(1, abs=0.2)
    assert ", regressed (+" in verdict["reason"]
    assert "from Sleeping beside net: worse by more than 20.0 %" in verdict["reason"]
    assert verdict["reason"] in raced.output
    assert 5 <= len(slower["against"]["log_ratios"]) == len(slower["against"]["trials"]) <= 20


def test_a_model_that_is_as_fast_as_another_passes(raced: Ran) -> None:
    limited, raced_row = [row for row in raced.rows if (row["architecture"], row["metric"]) == ("net (2)", "latency")]
    assert [row["verdicts"][0]["outcome"] for row in (limited, raced_row)] == ["passed", "passed"]
    assert "against" not in limited
    assert raced_row["verdicts"][0]["source"] == "Sleeping beside net (2)"


def test_a_limit_within_the_doubt_skips(raced: Ran) -> None:
    (row,) = [row for row in raced.rows if (row["architecture"], row["metric"]) == ("doubtful", "latency")]
    assert row["interval"]["low"] < 0.0081 < row["interval"]["high"]
    assert row["imprecise"]
    (verdict,) = row["verdicts"]
    assert verdict["outcome"] == "inconclusive"
    assert verdict["reason"].startswith("doubtful latency on cpu at batch 1: expected at most 8.100 ms, got ")
    assert verdict["reason"].endswith(row["imprecise"])


def test_a_model_that_cannot_be_timed_is_named(raced: Ran) -> None:
    assert "Broken beside net (3) latency: LookupError: no such head (in " in raced.output


def test_a_class_in_the_place_of_a_model_is_refused_before_anything_is_counted(raced: Ran) -> None:
    """The fourth would be journalled under its name once it is counted."""
    assert {row["architecture"] for row in raced.rows} == {"net", "net (2)", "net (3)", "doubtful"}


def test_a_comparison_of_models_is_skipped_in_an_ordinary_run(tmp_path: Path) -> None:
    ran = run(write(tmp_path, {"test_race.py": RACES}), "-rs", "-k", "slower or equal or mistaken")
    assert (ran.code, ran.outcomes) == (0, {"passed": 1, "skipped": 2, "deselected": 2}), ran.output
    skipped = list(lines_of(ran.output, "SKIPPED"))
    assert any("net: latency against another model: measured quantities are judged with --archbench" in line
               for line in skipped)  # fmt: skip
    assert any("net: latency: measured quantities are judged with --archbench" in line for line in skipped)
