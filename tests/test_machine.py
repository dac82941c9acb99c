"""What the machine did meanwhile: worked by hand on constructed trees, damaged files, and a real neighbour."""

from __future__ import annotations

import errno
import math
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_archbench import machine, nvml
from pytest_archbench.machine import Limit, Snapshot, Ticks, Usage, between, disturbed, snapshot

CPU = Path("sys/devices/system/cpu")
QUIET = Snapshot(
    100.0, pressure=5.0, ticks=Ticks(30.0, 1.0, 200.0), own=Usage(10.0, 50), frequencies=(), throttles=None
)


def put(root: Path, path: Path | str, text: str | bytes) -> None:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(text if isinstance(text, bytes) else text.encode())


@pytest.fixture
def host(tmp_path: Path) -> Path:
    """Constructed from documentation: accounting/psi.rst, proc_stat(5), cpu-freq/user-guide.rst, therm_throt.c."""
    put(
        tmp_path,
        "proc/pressure/cpu",
        "some avg10=0.00 avg60=0.10 avg300=0.65 total=34859755\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n",
    )
    put(
        tmp_path,
        "proc/stat",
        "cpu  100 20 30 4000 50 6 7 800 9 1\ncpu0 50 10 15 2000 25 3 3 400 4 0\nintr 1 2 3\nbtime 1\n",
    )
    for number, (kilohertz, core) in enumerate([(1_400_000, 3), (2_250_000, 4)]):
        put(tmp_path, CPU / f"cpu{number}/cpufreq/scaling_cur_freq", f"{kilohertz}\n")
        put(tmp_path, CPU / f"cpu{number}/thermal_throttle/core_throttle_count", f"{core}\n")
        put(tmp_path, CPU / f"cpu{number}/thermal_throttle/core_throttle_max_time_ms", "70\n")
    return tmp_path


def test_it_reads_what_the_host_tells(host: Path) -> None:
    seen, tick = snapshot(host), os.sysconf("SC_CLK_TCK")
    assert seen.pressure == 34.859755
    assert seen.ticks == Ticks(busy=(100 + 20 + 30 + 6 + 7) / tick, stolen=800 / tick, total=5013 / tick)
    assert seen.frequencies == (1.4e9, 2.25e9)
    assert seen.throttles == 3 + 4


def test_a_host_that_tells_nothing_is_unknown_not_zero(tmp_path: Path) -> None:
    seen = snapshot(tmp_path)
    assert (seen.pressure, seen.ticks, seen.frequencies, seen.throttles) == (None, None, (), None)
    facts = between(seen, snapshot(tmp_path))
    unknown = {"pressure", "stolen", "others", "taken", "frequency_low", "frequency_high", "throttled", "pace"}
    unknown |= {"temperature_before", "temperature_after"}
    assert {fact for fact, value in facts.items() if value is None} == unknown
    told = {**facts, "switches": 0.0}  # this process knows by itself, and may be put aside at this very moment
    assert disturbed(told) == ()


def test_it_says_what_happened_between_two_moments() -> None:
    """2 s on 2 processors: 3 s busy, of which 1.8 s our own; 0.5 s waited, 0.04 s stolen, 9 switches."""
    before = replace(QUIET, frequencies=(2.0e9, 1.0e9), throttles=4, temperature=41.0)
    after = Snapshot(102.0, 5.5, Ticks(33.0, 1.04, 204.0), Usage(11.8, 59), (3.0e9, 1.5e9), 6, 43.5)
    assert between(before, after, [1.0, 1.0, 1.0, 1.1, 1.1, 1.1]) == pytest.approx(
        {
            "wall": 2.0,
            "pressure": 0.25,
            "stolen": 0.01,
            "others": 0.6,
            "taken": 0.3,
            "switches": 4.5,
            "frequency_low": 1.0e9,
            "frequency_high": 3.0e9,
            "throttled": 2,
            "temperature_before": 41.0,
            "temperature_after": 43.5,
            "pace": 0.1,
        }
    )


def test_our_own_finer_clock_makes_no_negative_neighbours() -> None:
    after = replace(QUIET, time=101.0, ticks=Ticks(30.99, 1.0, 202.0), own=Usage(11.0, 50))
    assert between(QUIET, after)["others"] == 0.0


def test_a_counter_that_fell_was_started_anew_and_says_nothing() -> None:
    before = replace(QUIET, throttles=9)
    after = Snapshot(101.0, 4.0, Ticks(30.5, 0.0, 202.0), Usage(10.5, 51), (), 8)
    facts = between(before, after)
    assert [facts[fact] for fact in ("pressure", "stolen", "others", "taken", "throttled")] == [None] * 5
    assert facts["switches"] == 1.0


def test_no_time_between_is_no_rate() -> None:
    facts = between(QUIET, QUIET)
    assert facts["wall"] == 0.0
    assert [facts[fact] for fact in ("pressure", "stolen", "others", "taken", "switches")] == [None] * 5


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ([2.0, 2.0, 9.0, 1.0, 1.0, 0.1], -0.5),  # medians 2 and 1
        ([1.0, 1.0, 1.0, 50.0, 1.2, 1.2, 1.2], 0.2),  # the middle one of seven belongs to neither half
        ([1.0] * 5, None),
        ([0.0] * 6, None),
        ([], None),
    ],
)
def test_it_finds_the_change_of_pace(times: list[float], expected: float | None) -> None:
    assert machine.pace(times) == (expected if expected is None else pytest.approx(expected))


def test_a_sentence_for_each_fact_beyond_its_limit() -> None:
    beyond = {"pressure": 0.5, "stolen": 0.031, "taken": 0.4, "switches": 77.4, "throttled": 2, "pace": -0.08}
    assert disturbed(beyond) == (
        "tasks waited for a processor 50% of the time (limit 5%)",
        "the hypervisor took 3.1% of the processors' time (limit 2%)",
        "other processes kept 40% of the processors busy (limit 25%)",
        "it was put aside for other tasks 77 times a second (limit 50)",
        "processors slowed down for heat 2 times",
        "the reference workload's time changed by -8.0% meanwhile (limit 5%)",
    )


@pytest.mark.parametrize("limit", machine.LIMITS, ids=lambda limit: limit.fact)
def test_a_fact_at_its_limit_disturbs_nothing(limit: Limit) -> None:
    silent = nvml.State(None, None, None, None, None, None)
    assert limit.fact in between(QUIET, QUIET) | nvml.between(silent, silent, pid=1)
    assert disturbed({limit.fact: limit.limit}) == ()
    assert disturbed({limit.fact: None}) == ()


@pytest.mark.parametrize(
    ("facts", "flagged"),
    [
        ({"pressure": 0.01, "taken": 0.05, "switches": 15.3, "pace": 0.025}, 0),  # alone
        ({"pressure": 0.01, "taken": 0.50, "switches": 29.2, "pace": 0.017}, 1),  # a network on the other processor
        ({"pressure": 0.50, "taken": 0.66, "switches": 78.9, "pace": -0.017}, 3),  # two neighbours on two processors
    ],
)
def test_what_was_seen_on_two_processors_is_told_apart(facts: dict[str, float | None], flagged: int) -> None:
    assert len(disturbed(facts)) == flagged


DAMAGED = st.one_of(
    st.binary(max_size=80),
    st.sampled_from(
        [
            b"some avg10=0.00 total=\n",
            b"some total=-5\n",
            b"some total=1\nsome total=2\n",
            b"some total=" + b"9" * 400,
            b"cpu  1 2 3\n",
            b"cpu  1 2 3 4 5 6 7 -8\n",
            b"cpu " + b" 9" * 8 + b"9" * 5000,
            b"-1\n",
            b"9" * 400,
            b"0\n",
            b"\xff\n",
        ]
    ),
)


def zone(root: Path, number: int, kind: str, reading: str) -> None:
    """A thermal zone. Constructed from documentation: driver-api/thermal/sysfs-api.rst."""
    put(root, f"sys/class/thermal/thermal_zone{number}/type", f"{kind}\n")
    put(root, f"sys/class/thermal/thermal_zone{number}/temp", reading)


def sensor(root: Path, number: int, name: str, reading: str) -> None:
    """A monitor with one sensor. Constructed from documentation: hwmon/sysfs-interface.rst."""
    put(root, f"sys/class/hwmon/hwmon{number}/name", f"{name}\n")
    put(root, f"sys/class/hwmon/hwmon{number}/temp1_input", reading)


def test_the_hottest_zone_is_the_machines_temperature(tmp_path: Path) -> None:
    """45.5 °C of the GPU. What is off, broken, or no part of what computes is hotter or below 0 and left out."""
    read = {"CPU-therm": "44000\n", "GPU-therm": "45500\n", "PMIC-Die": "100000\n", "iwlwifi_1": "61000\n"}
    broken = {"CV0-therm": "-256000\n", "odd": "9999999\n", "torn": "4x\n", "empty": "", "naught": "0\n"}
    for number, (kind, reading) in enumerate((read | broken).items()):
        zone(tmp_path, number, kind, reading)
    assert snapshot(tmp_path).temperature == 45.5


def test_without_zones_the_processors_own_sensor_tells(tmp_path: Path) -> None:
    sensor(tmp_path, 0, "nvme", "71850\n")
    assert snapshot(tmp_path).temperature is None
    sensor(tmp_path, 1, "k10temp", "52125\n")
    assert snapshot(tmp_path).temperature == 52.125
    zone(tmp_path, 0, "acpitz", "16800\n")  # a firmware's constant must not hide the processor's own
    assert snapshot(tmp_path).temperature == 52.125


def test_a_sensor_with_an_input_error_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    zone(tmp_path, 0, "CPU-therm", "44000\n")
    read = Path.read_text

    def failing(path: Path, *arguments: object, **options: object) -> str:
        if path.name == "temp":
            raise OSError(errno.EIO, "Input/output error", str(path))
        return read(path, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Path, "read_text", failing)
    assert snapshot(tmp_path).temperature is None


@settings(deadline=None, max_examples=60)
@given(pressure=DAMAGED, stat=DAMAGED, frequency=DAMAGED, count=DAMAGED, heat=DAMAGED)
def test_damaged_files_are_unknown(
    tmp_path_factory: pytest.TempPathFactory, pressure: bytes, stat: bytes, frequency: bytes, count: bytes, heat: bytes
) -> None:
    root = tmp_path_factory.mktemp("host")
    put(root, "proc/pressure/cpu", pressure)
    put(root, "proc/stat", stat)
    put(root, CPU / "cpu0/cpufreq/scaling_cur_freq", frequency)
    put(root, CPU / "cpu0/thermal_throttle/core_throttle_count", count)
    put(root, "sys/class/thermal/thermal_zone0/type", count)
    put(root, "sys/class/thermal/thermal_zone0/temp", heat)
    before, after = snapshot(root), snapshot(root)
    assert before.ticks is None or before.ticks.total >= before.ticks.busy
    assert all(value is None or math.isfinite(value) for value in between(before, after).values())


def test_a_folder_where_a_file_should_be_is_unknown(tmp_path: Path) -> None:
    (tmp_path / "proc/pressure/cpu").mkdir(parents=True)
    (tmp_path / CPU / "cpu0/cpufreq/scaling_cur_freq").mkdir(parents=True)
    seen = snapshot(tmp_path)
    assert (seen.pressure, seen.frequencies) == (None, ())


@contextmanager
def neighbours(number: int) -> Iterator[None]:
    """Processes that compute without end."""
    program = "print(flush=True)\nwhile True: sum(range(1000))"
    busy = [subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) for _ in range(number)]
    try:
        for process in busy:
            assert process.stdout is not None
            process.stdout.readline()
        yield
    finally:
        for process in busy:
            process.kill()
            process.communicate()


def spin(seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        sum(range(1000))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux has these counters")
def test_busy_neighbours_show() -> None:
    """As many as there are processors, and this process beside them: somebody waits, and others are put before it."""
    processors = os.cpu_count() or 1
    with neighbours(processors):
        before = snapshot()
        spin(1.0)
        after = snapshot()
    facts = between(before, after)
    assert facts["others"] is not None
    assert facts["others"] > 0.5
    assert facts["switches"] is not None
    assert facts["switches"] > 5
    if facts["pressure"] is not None:  # a kernel may be built without it
        assert facts["pressure"] > 0.2
    assert disturbed(facts)
