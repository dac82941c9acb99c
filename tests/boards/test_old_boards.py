"""The script for old boards: its syntax, its parts against the package's own, and what becomes of networks that fail.

Boards are constructed from documentation, not recorded; where only processes are at stake, torch is pretended.
"""

from __future__ import annotations

import ast
import builtins
import itertools
import json
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
import torch
from board_trees import BOARDS, tree
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_archbench import devices, environment, machine, old_boards, options, store, units
from pytest_archbench.cli import main
from pytest_archbench.meters import energy as package_energy
from pytest_archbench.meters import latency as package_latency
from pytest_archbench.meters import memory as package_memory
from pytest_archbench.meters import reference as package_reference
from pytest_archbench.meters import timing as package_timing
from pytest_archbench.old_boards import children, command, energy, host, networks, probe, rows, timing, witness
from pytest_archbench.points import points_of
from pytest_archbench.power import boards
from pytest_archbench.records import Architecture, Conditions, Reading, Settings
from pytest_archbench.registry import METRICS

SCRIPT = old_boards.script()
CONDITIONS = {
    **{"device": "cuda", "batch_size": 2, "input_shape": [3, 8, 8], "dtype": "float32", "threads": 1},
    **{"memory_format": "contiguous", "runtime": "eager"},
}
TIMES = st.floats(1e-6, 1e3)


def test_it_is_written_in_the_language_of_python_3_6() -> None:
    ast.parse(SCRIPT, feature_version=(3, 6))


def test_it_needs_the_standard_library_of_python_3_6(tmp_path: Path) -> None:
    vermin = Path(sys.executable).with_name("vermin")
    command = [
        str(vermin),
        "--target=3.6-",
        "--no-tips",
        "--violations",
        "--eval-annotations",
        str(tmp_path / "probe.py"),
    ]
    (tmp_path / "probe.py").write_text(SCRIPT, encoding="utf-8")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_command_writes_it() -> None:
    done = CliRunner().invoke(main, ["device", "script"])
    assert (done.exit_code, done.stdout) == (0, SCRIPT)


def test_no_name_is_defined_twice() -> None:
    """The parts stand in one file, so a name that two have would be the last one's for both."""
    names: Counter[str] = Counter()
    for node in ast.parse(SCRIPT).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names[node.name] += 1
        elif isinstance(node, ast.Assign):
            names.update(name.id for target in node.targets for name in ast.walk(target) if isinstance(name, ast.Name))
    assert [name for name, count in names.items() if count > 1] == ["VERSION"]
    assert set(names) & set(dir(builtins)) == set()


def test_every_part_imports_names_of_the_parts_before_it() -> None:
    for place, part in enumerate(old_boards.PARTS):
        before = {f"pytest_archbench.{each[:-3].replace('/', '.')}" for each in old_boards.PARTS[:place]}
        for node in ast.walk(ast.parse((old_boards.PACKAGE / part).read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and str(node.module).startswith("pytest_archbench"):
                assert node.module in before, part
                assert [name.asname for name in node.names] == [None] * len(node.names), part


@settings(max_examples=60, deadline=None)
@given(st.lists(TIMES, min_size=1, max_size=60), st.lists(TIMES, max_size=8))
def test_a_row_is_the_one_that_the_package_would_write(samples: list[float], reference: list[float]) -> None:
    facts = {"pace": rows.pace(reference)}
    reading = rows.Reading(samples, "how", ["a note"], reference, facts, ["a doubt"], "not precise")
    row = json.loads(json.dumps(rows.row("net", "latency", CONDITIONS, reading)))
    assert json.loads(json.dumps(store.row(store.measurement(row), ()))) == row


def test_a_row_without_a_value_is_the_package_s_too() -> None:
    row = json.loads(json.dumps(rows.row("net", "energy", CONDITIONS, rows.unread("oom", "no room"))))
    assert json.loads(json.dumps(store.row(store.measurement(row), ()))) == row


def test_units_are_those_of_the_metrics() -> None:
    assert {name: METRICS[name].unit for name in rows.UNITS} == rows.UNITS


class Pretended:
    """Passes and a clock that go as told: the n-th pass takes ``times[n]`` s, the last one for ever."""

    def __init__(self, times: list[float]) -> None:
        self.times, self.now, self.moves, self.passes = times, 0.0, 0, 0

    def clock(self) -> float:
        return self.now

    def lap(self) -> float:
        took = self.times[min(self.passes, len(self.times) - 1)]
        self.passes += 1
        self.now += took
        return took

    def reference(self) -> None:
        self.now += 0.004

    def move(self) -> None:
        self.moves += 1


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(1e-3, 0.1), min_size=1, max_size=80), st.sampled_from([0.05, 0.5]))
def test_a_time_is_taken_as_the_package_takes_it(times: list[float], budget: float) -> None:
    ours, theirs = Pretended(times), Pretended(times)
    taken = timing.sample(ours, budget, 0.01, ours.clock)
    expected = package_timing.sample(theirs, budget, 0.01, theirs.clock)
    assert (tuple(taken.samples), tuple(taken.reference)) == (expected.samples, expected.reference)
    assert (tuple(taken.warm_up), ours.moves, ours.passes) == (expected.warm_up, theirs.moves, theirs.passes)


def test_what_is_taken_in_the_same_way_is_called_the_same(tmp_path: Path) -> None:
    assert timing.REFERENCE == package_reference.NAME
    for place, name in (("cpu", "cpu"), ("cuda:0", "cuda")):
        times = timing.latency(timing.Timed([1.0, 1.0], [0.1], [1.0]), 0.01, place, {})
        assert times.convention == package_latency.convention("latency", name)
        assert timing.throughput(times, 8).convention == package_latency.convention("throughput", name)
        assert timing.throughput(times, 8).samples == [8.0, 8.0]
    sensor = boards.module("jetson", tree(tmp_path, "agx-xavier"))
    for metric, convention in package_energy.CONVENTIONS.items():
        said = energy.CONVENTIONS[metric].format("GPU + CPU + SOC + CV + VDDRQ + SYS5V")
        assert said == f"{sensor.convention}, {convention}"


def convention_of_memory(device: str) -> str:
    tiny = Architecture("tiny", family="", build=lambda: torch.nn.Conv2d(3, 4, 3), input_shape=(3, 8, 8))
    found = package_memory.peak_memory(tiny, Conditions(device), Settings())["peak_memory"]
    assert isinstance(found, Reading)
    return found.convention


def test_memory_is_called_the_same() -> None:
    assert f"{convention_of_memory('cpu')}, {package_memory.AUTOTUNED}" == networks.MEMORY


class Stream:
    """What torch hands out as a stream, by the device that was asked for."""

    def __init__(self, place: str) -> None:
        self.place = place


class Event:
    """An event that remembers where it was recorded; the GPU's clock says 7 ms between any two."""

    recorded: ClassVar[list[str]] = []

    def __init__(self, enable_timing: bool) -> None:
        assert enable_timing

    def record(self, stream: Stream) -> None:
        self.recorded.append(stream.place)

    def synchronize(self) -> None: ...

    def elapsed_time(self, _end: Event) -> float:
        return 7.0


def test_a_gpu_is_timed_on_its_own_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of several GPUs the first one's stream, which torch gives where none is named, knows nothing of the others."""
    cuda = SimpleNamespace(Event=Event, current_stream=lambda place="cuda:0": Stream(place))
    monkeypatch.setattr(networks, "_torch", lambda: SimpleNamespace(cuda=cuda))
    Event.recorded.clear()
    assert networks.stopwatch("cuda:1")(lambda: None) == pytest.approx(7e-3)
    assert Event.recorded == ["cuda:1", "cuda:1"]


@pytest.mark.parametrize(("place", "autotuned"), [("cuda:1", True), ("cpu", False)])
def test_whatever_is_measured_on_a_gpu_is_autotuned(
    place: str, autotuned: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory as times are: the fastest algorithms may take more of it."""
    cudnn = SimpleNamespace(benchmark=None)
    fake = SimpleNamespace(backends=SimpleNamespace(cudnn=cudnn), no_grad=None)
    monkeypatch.setattr(networks, "_torch", lambda: fake)
    for part in ("reference_workload", "synchroniser", "stopwatch"):
        monkeypatch.setattr(networks, part, lambda _: None)
    seen = []
    monkeypatch.setattr(networks, "prepare", lambda *_: seen.append(cudnn.benchmark))
    monkeypatch.setattr(children, "peak_memory", lambda *_: None)
    monkeypatch.setattr(children, "_answer", lambda *_: {})
    children.INSTRUMENTS["memory"]({"source": "net", "place": place})
    assert seen == [autotuned]


def pressed(root: Path, stat: str, waited: int) -> Path:
    """What a kernel says of its processors, in clock ticks, and of tasks that waited, in µs."""
    (root / "proc/pressure").mkdir(parents=True)
    (root / "proc/stat").write_text(f"cpu  {stat} 0 0\n")
    (root / "proc/pressure/cpu").write_text(f"some avg10=0.00 avg60=0.00 avg300=0.00 total={waited}\n")
    return root


def test_the_machine_is_seen_as_the_package_sees_it(tmp_path: Path) -> None:
    """200 ticks busy, 50 idle, 10 stolen; 0.3 s waited for. Clock and own time are set by hand: 1 s, 0.5 s."""
    one = pressed(tmp_path / "a", "100 0 0 100 0 0 0 0", 1_000_000)
    other = pressed(tmp_path / "b", "300 0 0 150 0 0 0 10", 1_300_000)
    reference = [0.100, 0.100, 0.100, 0.106, 0.106, 0.106]
    before, after = witness.snapshot(str(one)), witness.snapshot(str(other))
    before.update(wall=10.0, own=1.0, switches=3.0)
    after.update(wall=11.0, own=1.5, switches=63.0)
    found = witness.between(before, after, reference)
    theirs = (machine.snapshot(one), machine.snapshot(other))
    package = machine.between(
        replace(theirs[0], time=10.0, own=machine.Usage(1.0, 3)),
        replace(theirs[1], time=11.0, own=machine.Usage(1.5, 63)),
        reference,
    )
    assert found == {name: package[name] for name in found}
    assert found["taken"] == pytest.approx(1.5 / 2.6)
    assert witness.disturbed(found) == list(machine.disturbed(package))
    assert len(witness.disturbed(found)) == len(witness.LIMITS)


def test_a_machine_that_does_not_tell_disturbs_nothing(tmp_path: Path) -> None:
    before, after = witness.snapshot(str(tmp_path)), witness.snapshot(str(tmp_path))
    found = witness.between(before, after, [])
    assert [found[name] for name in ("pressure", "stolen", "others", "taken", "pace")] == [None] * 5
    assert "waited" not in " ".join(witness.disturbed(found))


def test_limits_are_the_package_s() -> None:
    theirs = {each.fact: (each.limit, each.words) for each in machine.LIMITS}
    assert {fact: (limit, words) for fact, limit, words in witness.LIMITS}.items() <= theirs.items()


def test_a_doubt_stands_beside_its_times() -> None:
    times = timing.Timed([1.0] * 20, [0.1] * 6, [1.0] * 6)
    found = timing.latency(times, 0.01, "cpu", {"taken": 0.5})
    assert found.disturbed == ["other processes kept 50% of the processors busy (limit 25%)"]
    assert timing.latency(times, 0.01, "cpu", {"taken": 0.1, "stolen": None}).disturbed == []


@pytest.mark.parametrize("name", BOARDS)
def test_a_board_tells_the_facts_that_the_probe_finds(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tree(tmp_path, name)
    recorded = {"nvpmodel": "nvpmodel_q.txt", "jetson_clocks": "jetson_clocks_show.txt"}

    def said(command: list[str]) -> str:
        path = root / "commands" / recorded.get(command[0], "none")
        return path.read_text() if path.is_file() else ""

    monkeypatch.setattr(host, "said", said)
    assert host.board_facts(str(root)) == devices.jetson.board(root)


def test_another_computer_has_no_facts_of_a_board(tmp_path: Path) -> None:
    assert host.board_facts(str(tmp_path)) == {}


def test_a_board_of_garbage_has_unknown_facts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tree(tmp_path, "nano")
    monkeypatch.setattr(host, "said", lambda _: "\x00garbage")
    (root / "etc/nv_tegra_release").write_bytes(b"\xff\xfe")
    found = host.board_facts(str(root))
    assert (found["l4t"], found["power_mode"], found["module"]) == ("unknown", "unknown", "Jetson Nano")


CPUINFO = {
    "AVX512": "flags\t\t: fpu fma avx2 avx512f avx512vl avx512bw avx512dq",
    "AVX2": "flags\t\t: fpu fma avx2 avx512f",
    "SVE": "Features\t: fp asimd sve",
    "NEON": "Features\t: fp asimd",
    "DEFAULT": "flags\t\t: fpu sse2",
    "unknown": "processor\t: 0\nflags\t\t:\nbugs\t\t: fma",
}


@pytest.mark.parametrize("isa", CPUINFO)
@pytest.mark.parametrize(
    ("switch", "turbo"),
    [("intel_pstate/no_turbo 1", "off"), ("cpufreq/boost 1", "on"), ("cpufreq/boost 0", "off"), ("", "unknown")],
)
def test_a_processor_has_the_facts_that_the_probe_finds(
    tmp_path: Path, isa: str, switch: str, turbo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ATEN_CPU_CAPABILITY", raising=False)
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/cpuinfo").write_text(CPUINFO[isa] + "\n")
    if switch:
        path = tmp_path / "sys/devices/system/cpu" / switch.split()[0]
        path.parent.mkdir(parents=True)
        path.write_text(f"{switch.split()[1]}\n")
    found, probed = host.cpu_facts(str(tmp_path)), devices.cpu.fingerprint("", tmp_path)
    assert (found["isa"], found["turbo"]) == (probed["isa"], probed["turbo"]) == (isa, turbo)
    assert set(found) == {"kind", *probed}


def test_instructions_and_switches_are_those_of_the_probe() -> None:
    assert host.INSTRUCTIONS == devices.cpu.INSTRUCTIONS
    numbers = ((path, {int(said): word for said, word in words.items()}) for path, words in host.SWITCHES)
    assert tuple(numbers) == devices.cpu.SWITCHES
    assert (host.LIMITED, host.BASE) == (devices.cpu.LIMITED, devices.cpu.BASE)


def test_torch_may_be_told_to_use_narrower_instructions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATEN_CPU_CAPABILITY", "avx2")
    assert host.cpu_facts()["isa"] == devices.find("cpu").fingerprint["isa"] == "AVX2"


def test_another_computer_is_no_jetson(tmp_path: Path) -> None:
    with pytest.raises(
        host.NoDevice, match=r"this is no Jetson board: looked for 'nvidia,tegra\.\.\.' in .*, it is not"
    ):
        host.cuda_facts("jetson", str(tmp_path))
    (tmp_path / "proc/device-tree").mkdir(parents=True)
    (tmp_path / "proc/device-tree/compatible").write_bytes(b"raspberrypi,4-model-b\0brcm,bcm2711\0")
    with pytest.raises(host.NoDevice, match=r"it says 'raspberrypi,4-model-b brcm,bcm2711'; try cuda or cpu"):
        host.cuda_facts("jetson", str(tmp_path))


class Load:
    """A pretended network and the rail that feeds it: 5 W while it runs, 2 W else."""

    name = "VDD_IN"

    def __init__(self, faults: Iterator[bool] | None = None) -> None:
        self.faults, self.power = faults or itertools.repeat(False), 2.0

    def read(self) -> float:
        if next(self.faults):
            raise OSError(5, "Input/output error")
        return self.power

    def forward(self) -> None:
        self.power = 5.0
        time.sleep(0.005)
        self.power = 2.0


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(energy, "PERIOD", 0.002)
    monkeypatch.setattr(energy, "SETTLE", 0.01)


@pytest.mark.usefixtures("quick")
def test_energy_is_power_times_time_over_images() -> None:
    """Passes of 5 ms at 5 W, two images each: 12.5 mJ an image, of which 2 W x 5 ms / 2 = 5 mJ at rest."""
    load: Any = Load()
    found = energy.readings([load], load, batch_size=2, length=0.1, threads=1)
    assert min(found["power"].samples) > 4.0
    assert min(found["energy"].samples) == pytest.approx(12.5e-3, rel=0.25)
    assert min(found["energy_above_idle"].samples) == pytest.approx(7.5e-3, rel=0.25)
    assert {len(each.samples) for each in found.values()} == {energy.WINDOWS}
    assert "at rest 2 W before and 2 W after" in found["energy"].notes


@pytest.mark.usefixtures("quick")
def test_energy_of_a_network_makes_rows_that_the_package_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tiny_of_energy.py").write_text(TINY)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(children, "keep_freed_memory", lambda: False)  # this process has other tests to run
    load: Any = Load()
    load.read = (3 + n % 7 / 100 for n in itertools.count()).__next__
    monkeypatch.setattr(children, "total", lambda: [load])
    job = {**CONDITIONS, "source": "tiny_of_energy:build", "place": "cpu", "window": 0.03, "time_budget": 0.01}
    answer = json.loads(json.dumps(children.INSTRUMENTS["energy"](job)))
    assert answer["under"] == {"input_shape": [3, 8, 8], "dtype": "float32", "runtime": "eager"}
    for metric in ("energy", "energy_above_idle", "power"):
        row = rows.row("tiny", metric, CONDITIONS, rows.Reading(**answer["readings"][metric]))
        found = store.measurement(json.loads(json.dumps(row)))
        assert len(found.samples) == energy.WINDOWS
        assert found.convention == energy.CONVENTIONS[metric].format("VDD_IN")
    assert found.value == pytest.approx(3.03, rel=0.02)


def test_trapezoids_over_true_times() -> None:
    """From 0 to 4 s: 2 W held for 1 s, 2 to 4 W over 2 s = 6 J, 4 W held for 1 s: 12 J."""
    powers = [(1.0, (1.5, 0.5)), (3.0, (1.0, 3.0))]
    assert energy.integral(powers, 0.0, 4.0) == pytest.approx(12.0)


@pytest.mark.usefixtures("quick")
def test_a_rail_that_is_lost_says_which_and_why() -> None:
    load: Any = Load(itertools.chain(itertools.repeat(False, 20), itertools.repeat(True)))
    with pytest.raises(energy.SensorLost, match=r"VDD_IN: \d+ of \d+ readings failed: .*Input/output error"):
        energy.readings([load], load, batch_size=1, length=0.1, threads=1)


@pytest.mark.usefixtures("quick")
def test_a_few_failing_reads_are_left_out_and_counted() -> None:
    load: Any = Load(itertools.cycle([False] * 24 + [True]))
    found = energy.readings([load], load, batch_size=1, length=0.1, threads=1)
    assert any("readings failed and were left out" in note for note in found["energy"].notes)


@pytest.mark.usefixtures("quick")
def test_a_rail_that_never_changes_is_stuck() -> None:
    """5073 mV x 873 mA, read at times that jitter: the quotients of energy and time differ in their last digits."""
    load: Any = Load()
    load.read = lambda: 5073 * 873e-6
    with pytest.raises(energy.SensorLost, match="stuck"):
        energy.readings([load], load, batch_size=1, length=0.02, threads=1)


@pytest.mark.usefixtures("quick")
def test_energy_beside_a_neighbour_is_doubtful(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a processor for one thread, where a tenth is the limit; for eight threads it is within it."""
    facts = dict.fromkeys(("pressure", "stolen", "taken", "switches", "pace"), 0.0)
    monkeypatch.setattr(energy, "between", lambda *_: {**facts, "others": 0.5})
    load: Any = Load()
    found = energy.readings([load], load, batch_size=1, length=0.03, threads=1)
    said = "other processes kept 0.50 processors busy, whose energy is in it (limit 0.1)"
    for reading in found.values():
        assert reading.disturbed == [said]
        assert reading.imprecise.endswith(f"disturbed: {said}")
        assert f"disturbed: {said}" in reading.notes
    assert energy.neighbours({**facts, "others": 0.5}, 8) == []
    assert energy.neighbours({**facts, "others": None}, 1) == []


def test_a_neighbour_and_a_slow_sensor_are_judged_by_the_package_s_limits() -> None:
    assert (energy.NEIGHBOURS, energy.SLOW, energy.IDLE) == (
        package_energy.NEIGHBOURS,
        package_energy.SLOW,
        package_energy.DRIFT,
    )
    assert energy.WINDOW == package_energy.PERIODS * boards.PERIOD
    assert (energy.WINDOWS, energy.SETTLE) == (package_energy.WINDOWS, package_energy.SETTLE)


@pytest.mark.usefixtures("quick")
def test_rails_that_are_read_too_seldom_are_doubtful() -> None:
    """A read that takes 20 ms where one every 2 ms is asked for."""
    load: Any = Load()
    values = itertools.count(3.0, 1e-6)

    def read() -> float:
        time.sleep(0.02)
        return next(values)

    load.read = read
    found = energy.readings([load], load, batch_size=1, length=0.06, threads=1)
    assert "times a second, 500 were asked for" in found["power"].imprecise


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("resnet18", ("resnet18", "resnet18")),
        ("lib.net:build", ("lib.net:build", "lib.net:build")),
        ("saved/net.pt", ("net", "saved/net.pt")),
        ("mine=lib.net:build", ("mine", "lib.net:build")),
    ],
)
def test_a_network_has_the_name_that_is_written(text: str, expected: tuple[str, str]) -> None:
    assert networks.split(text) == expected


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("absent.pt", r"absent\.pt: no such file; save one by torch\.jit\.trace"),
        ("resnet18x", "torchvision.models has no function 'resnet18x'; name a constructor"),
        ("no.such.module:build", "cannot import no.such.module"),
        ("json:nothing", "json has no function 'nothing'"),
    ],
)
def test_a_name_that_leads_nowhere_says_what_to_write(source: str, said: str) -> None:
    with pytest.raises(networks.UnknownNetwork, match=said):
        networks.find(source)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["net", "--batch-size", "0"], "--batch-size: expected a whole number from 1 on; got '0'"),
        (["net", "--batch-size", "1,x"], "got 'x'"),
        (["net", "--device", "tpu"], "expected cpu, cuda, cuda:1 or jetson; got 'tpu'"),
        (["net", "--metric", "speed"], "expected a list of latency"),
        (["net", "--metric", "power,power"], "nothing twice"),
        (["net", "--precision", "nan"], "expected a number above 0; got 'nan'"),
        (["net", "--timeout", "nan"], "expected a time such as 2s or 300ms"),
        (["net", "--time-budget", "3 days"], "got '3 days'"),
        (["net", "--window", "4.9s"], "expected 5s or longer; got '4.9s': the ends of a shorter one"),
        (["net", "net"], "net is there already; write OTHER_NAME=net"),
        (["=lib:build"], "expected NAME=SOURCE or SOURCE"),
        ([], "NETWORK"),
    ],
)
def test_a_mistake_is_one_sentence(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        probe.main(arguments)
    assert stopped.value.code == 2
    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == 1


@pytest.mark.parametrize(
    ("text", "seconds"), [("300ms", 0.3), ("2s", 2.0), ("2", 2.0), ("0.5", 0.5), ("10min", 600.0), ("250 us", 250e-6)]
)
def test_a_time_has_a_unit(text: str, seconds: float) -> None:
    asked = command.parser().parse_args(["net", f"--time-budget={text}", "--window=6000ms", f"--timeout={text}"])
    assert (asked.time_budget, asked.timeout) == (pytest.approx(seconds), pytest.approx(seconds))
    assert asked.window == pytest.approx(6.0)
    assert options.duration(text) == pytest.approx(seconds)


def test_one_device_has_one_name() -> None:
    assert command.devices("cuda:0,cpu,cuda,cuda:1") == ["cuda", "cpu", "cuda:1"]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (MemoryError(), "oom"),
        (RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"), "oom"),
        (RuntimeError("CUDA error: an illegal memory access"), "crashed"),
        (ValueError("wrong\nshape"), "failed"),
    ],
)
def test_what_a_network_raises_becomes_a_status(error: Exception, status: str) -> None:
    found = children.failure(error)
    assert found["status"] == status
    assert "\n" not in found["message"]


def row(metric: str, *samples: float, **more: Any) -> dict[str, Any]:
    return rows.row("net", metric, CONDITIONS, rows.Reading(samples, **more))


def test_a_case_says_its_values_and_what_makes_them_doubtful() -> None:
    doubt = "the median is known to ±9.00%, ±1.00% was asked for; raise --time-budget"
    noise = "tasks waited for a processor 40% of the time (limit 5%)"
    taken = "other processes kept 66% of the processors busy (limit 25%)"
    times = {"imprecise": doubt, "reference": [0.1], "disturbed": [noise, taken]}
    assert probe.told([row("latency", 1.986e-5, **times), row("throughput", 50352.0, **times)]) == (
        f"latency 19.86 µs; throughput 50.35 kimg/s; {doubt}; disturbed: {noise}; {taken}"
    )
    shared = {"imprecise": f"disturbed: {noise}", "machine": {"wall": 1.0}, "disturbed": [noise]}
    assert probe.told([row("power", 5.0, **shared)]) == f"power 5.000 W; disturbed: {noise}"
    drifted = "the power at rest changed from 2 W to 3 W meanwhile (limit 10%)"
    assert probe.told([row("energy", 0.25), row("energy_above_idle", 0.125, imprecise=drifted)]) == (
        f"energy 250.0 mJ; energy_above_idle 125.0 mJ; energy_above_idle: {drifted}"
    )
    failed = rows.row("net", "power", CONDITIONS, rows.unread("oom", "no room"))
    assert probe.told([failed, failed]) == "oom: no room"


@given(st.floats(allow_nan=False, allow_infinity=False), st.sampled_from(sorted(set(rows.UNITS.values()))))
def test_a_value_reads_as_the_package_writes_it(value: float, unit: str) -> None:
    assert probe.readable(value, unit) == units.readable(value, unit)


TORCH = """
class _Any:
    def __getattr__(self, name): return _Any()
    def __call__(self, *args, **kwargs): return _Any()
class __config__:
    show = parallel_info = staticmethod(lambda: "")
class _Version: debug, cuda, hip, git_version = False, None, None, "none"
class _NN:
    class Module: pass
nn, version, backends, __version__ = _NN, _Version, _Any(), "0"
def set_num_threads(n): pass
manual_seed = set_num_threads
"""
"""Enough of torch to come to the building of a network."""
NETWORKS = """
import os, time, signal
def leaves(): os._exit(3)
def falls(): os.kill(os.getpid(), signal.SIGSEGV)
def sleeps():
    open("sleeping", "w").write(str(os.getpid()))
    time.sleep(60)
def eats(): raise RuntimeError("CUDA out of memory. Tried to allocate 8 GiB")
def prints(): os.write(1, b"{}"); raise ValueError("no")
"""


def old_pythons() -> list[Any]:
    """This interpreter and the old ones that are installed, which need no torch here."""
    roots = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found = {}
    for minor in ("3.6", "3.8"):
        here = [str(path) for path in sorted(roots.glob(f"{minor}.*/bin/python"))]
        found[minor] = next(iter(here), shutil.which(f"python{minor}"))
    olds = [
        pytest.param(path, id=minor, marks=pytest.mark.skipif(path is None, reason=f"there is no Python {minor} here"))
        for minor, path in found.items()
    ]
    return [pytest.param(sys.executable, id="this"), *olds]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The script, and beside it a pretended torch and networks that fail."""
    for name, text in (("probe", SCRIPT), ("torch", TORCH), ("bad", NETWORKS)):
        (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
    return tmp_path


def run(folder: Path, *arguments: str, python: str = sys.executable) -> subprocess.CompletedProcess[str]:
    command = [python, "probe.py", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("python", old_pythons())
def test_each_failure_is_an_outcome_of_its_case_alone(folder: Path, python: str) -> None:
    names = ("leaves", "falls", "eats", "prints")
    asked = [f"{name}=bad:{name}" for name in names]
    done = run(folder, *asked, "--device=cpu", "--metric=latency,energy", "--out=out", python=python)
    assert done.returncode == 1, done.stderr
    told = {
        (row["architecture"], row["metric"]): (row["status"], row["message"]) for row in store.read(folder / "out").rows
    }
    assert told["leaves", "latency"] == ("crashed", "the measuring process ended with exit status 3")
    assert told["falls", "latency"] == ("crashed", "the measuring process ended with signal SIGSEGV")
    assert told["eats", "latency"][0] == "oom"
    assert told["prints", "latency"][0] == "failed"
    assert "ValueError: no (in " in told["prints", "latency"][1]
    assert {told[name, "energy"][0] for name in names} == {"skipped"}
    assert "archbench merge out" in done.stderr.splitlines()[-1]


def test_what_cannot_be_had_is_left_out_where_nobody_asked_for_it(folder: Path) -> None:
    done = run(folder, "bad:eats", "--device=cpu", "--out=out")
    assert {row["metric"] for row in store.read(folder / "out").rows} == {"latency", "throughput"}
    assert "left out on cpu: peak_memory: this script has no account of memory on the CPU" in done.stderr
    assert "left out on cpu: energy, energy_above_idle, power: power rails: this is no Jetson board" in done.stderr


def test_out_of_memory_ends_a_series(folder: Path) -> None:
    run(folder, "eats=bad:eats", "--device=cpu", "--batch-size=2,8,1", "--metric=latency", "--out=out")
    told = {row["conditions"]["batch_size"]: row["message"] for row in store.read(folder / "out").rows}
    assert told[2].startswith("RuntimeError: CUDA out of memory")
    assert told[8] == "batch 2 ran out of memory already; this was not tried"
    assert told[1].startswith("RuntimeError: CUDA out of memory")


def test_a_network_that_takes_too_long_is_ended(folder: Path) -> None:
    done = run(folder, "bad:sleeps", "--device=cpu", "--metric=latency", "--timeout=1", "--out=out")
    assert done.returncode == 1
    (row,) = store.read(folder / "out").rows
    assert (row["status"], row["message"]) == ("timeout", "no answer within 1 s; raise --timeout")
    assert not _lives(int((folder / "sleeping").read_text()))


def test_a_run_that_is_killed_leaves_what_it_measured_and_no_process(folder: Path) -> None:
    command = [sys.executable, "probe.py", "eats=bad:eats", "sleeps=bad:sleeps", "--device=cpu", "--metric=latency"]
    with subprocess.Popen([*command, "--out=out"], cwd=folder, stderr=subprocess.DEVNULL) as process:
        mark = folder / "sleeping"
        _until(lambda: mark.exists() and mark.read_text())
        process.kill()
    assert [row["architecture"] for row in store.read(folder / "out").rows] == ["eats"]
    child = int(mark.read_text())
    _until(lambda: not _lives(child))


def _until(true: Any, seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return state != "Z"


def test_a_journal_is_never_overwritten(folder: Path) -> None:
    (folder / "out").mkdir()
    (folder / "out/measurements.jsonl").write_text("precious")
    done = run(folder, "bad:leaves", "--device=cpu", "--out=out")
    assert done.returncode == 2
    assert done.stderr == (
        "probe.py: out/measurements.jsonl: expected a place for a new journal; File exists; "
        "name another folder with --out\n"
    )
    assert (folder / "out/measurements.jsonl").read_text() == "precious"


def test_an_unknown_network_is_said_before_anything_is_measured(folder: Path) -> None:
    done = run(folder, "bad:leaves", "bad:nobody", "--device=cpu", "--out=out")
    assert done.returncode == 2
    assert "bad:nobody: bad has no function 'nobody'" in done.stderr
    assert not (folder / "out").exists()


TINY = "import torch\ndef build(): return torch.nn.Conv2d(3, 4, 3)\n"


def test_it_measures_a_network_and_the_package_reads_it(tmp_path: Path) -> None:
    (tmp_path / "probe.py").write_text(SCRIPT, encoding="utf-8")
    (tmp_path / "tiny.py").write_text(TINY)
    options = ("--device=cpu", "--input=3,8,8", "--batch-size=2", "--time-budget=0.05", "--metric=latency,throughput")
    done = run(tmp_path, "tiny=tiny:build", *options, "--out=out")
    assert done.returncode == 0, done.stderr
    found = {point.metric: point for point in points_of(store.read(tmp_path / "out")).values()}
    assert set(found) == {"latency", "throughput"}
    latency = found["latency"]
    assert latency.conditions.input_shape == [3, 8, 8]
    header, here = store.read(tmp_path / "out").header, environment.environment()
    assert header["environment"]["torch"] == here["torch"]
    assert header["environment"]["packages"]["torch"] == here["packages"]["torch"]
    processor = {"kind": "cpu", **devices.find("cpu").fingerprint}
    assert header["devices"]["cpu"] == processor
    assert latency.convention == package_latency.convention("latency", "cpu")
    assert latency.trials
    assert found["throughput"].value == pytest.approx(2 / latency.value, rel=0.05)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.torch.jit:FutureWarning")  # today's torch has better, an old board's has not
def test_it_measures_a_saved_network_on_a_board_of_today(tmp_path: Path) -> None:
    (tmp_path / "probe.py").write_text(SCRIPT, encoding="utf-8")
    network = torch.nn.Conv2d(3, 4, 3)
    torch.jit.trace(network, torch.zeros(1, 3, 8, 8)).save(str(tmp_path / "net.pt"))
    done = run(tmp_path, "net.pt", "resnet18", "--device=cpu", "--input=3,32,32", "--time-budget=0.2", "--out=out")
    assert done.returncode == 0, done.stderr
    runtimes = {row["architecture"]: row["conditions"]["runtime"] for row in store.read(tmp_path / "out").rows
                if row["status"] == "ok"}  # fmt: skip
    assert runtimes == {"net": "torchscript", "resnet18": "eager"}


OLD = "ARCHBENCH_OLD_PYTHONS"


@pytest.mark.slow
@pytest.mark.skipif(OLD not in os.environ, reason=f"{OLD} names no old Pythons that have torch and torchvision")
def test_it_measures_on_old_pythons(tmp_path: Path) -> None:
    """ARCHBENCH_OLD_PYTHONS: interpreters with a torch and torchvision of their age, separated by ``:``."""
    (tmp_path / "probe.py").write_text(SCRIPT, encoding="utf-8")
    for number, python in enumerate(os.environ[OLD].split(":")):
        out = f"out{number}"
        done = run(tmp_path, "resnet18", "--device=cpu", "--time-budget=0.5", f"--out={out}", python=python)
        assert done.returncode == 0, done.stderr
        points = points_of(store.read(tmp_path / out))
        assert {point.metric for point in points.values()} == {"latency", "throughput"}


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no CUDA device")
def test_on_a_gpu_it_agrees_with_the_package(tmp_path: Path) -> None:
    (tmp_path / "probe.py").write_text(SCRIPT, encoding="utf-8")
    done = run(tmp_path, "resnet18", "--device=cuda", "--time-budget=0.5", "--out=out")
    assert done.returncode == 0, done.stderr
    rows_by_metric = {row["metric"]: row for row in store.read(tmp_path / "out").rows}
    assert rows_by_metric["peak_memory"]["value"] > 4 * 11_689_512  # parameters of ResNet-18, float32
    assert rows_by_metric["latency"]["convention"] == package_latency.convention("latency", "cuda")
    assert rows_by_metric["peak_memory"]["convention"] == convention_of_memory("cuda")
