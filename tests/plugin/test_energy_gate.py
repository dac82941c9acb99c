"""Energy in whole runs: a promoted value judges what a counter says, which here is a file that a network moves.

The tree is constructed from documentation. Sensors of real hardware: docs/energy.md, "What is unproven".
"""

from __future__ import annotations

from pathlib import Path

import pytest
from lifecycle import Ran, bench, only, write

from pytest_archbench import own, store
from pytest_archbench.points import points_of

NETS = '''
import os
import threading
import time
from pathlib import Path

from torch import nn

COUNTER = Path({root!r}) / "sys/class/powercap/intel-rapl:0/energy_uj"
AT_REST = 2.0  # W
LOCK = threading.Lock()


def count(joules):
    with LOCK, COUNTER.open("r+") as file:
        text = f"{{int(file.read()) + int(1e6 * joules):015d}}"
        os.pwrite(file.fileno(), text.encode(), 0)


class Takes(nn.Module):
    """So many joules a pass, and 2 W at rest."""

    def __init__(self, joules):
        super().__init__()
        self.joules, self.head = joules, nn.Linear(4, 2)

    def forward(self, x):
        time.sleep(0.01)
        count(self.joules)
        return self.head(x)


def rest():
    before = time.monotonic()
    while True:
        time.sleep(0.002)
        now = time.monotonic()
        count(AT_REST * (now - before))
        before = now


def net():
    if not any(thread.name == "rest" for thread in threading.enumerate()):
        threading.Thread(target=rest, name="rest", daemon=True).start()
    return Takes({joules})
'''
ELSEWHERE = """
import sys
from pathlib import Path

if any("pytest_archbench.worker" in each for each in sys.orig_argv):  # a measuring process begins
    from pytest_archbench import machine
    from pytest_archbench.meters import energy

    energy.ROOT = Path({root!r})
    energy.NEIGHBOURS, machine.LIMITS = float("inf"), ()  # whatever else runs on this host while tests do
"""
"""``sitecustomize.py``, which Python imports as it starts."""
PROJECT = """
[tool.archbench]
suite = "user"
metric = ["consumption"]

[tool.archbench.architectures]
net = {factory = "nets:net", input = [4]}
"""


def measured(folder: Path, joules: float, *arguments: str) -> Ran:
    zone = folder / "sys/class/powercap/intel-rapl:0"
    zone.mkdir(parents=True, exist_ok=True)
    (folder / "proc").mkdir(exist_ok=True)
    (folder / "proc/cpuinfo").write_text("vendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 85\n")
    for name, text in {"name": "package-0", "energy_uj": f"{10**9:015d}", "max_energy_range_uj": str(2**40)}.items():
        (zone / name).write_text(text)
    write(folder, {"nets.py": NETS.format(root=str(folder), joules=joules), "pyproject.toml": PROJECT})
    write(folder, {"sitecustomize.py": ELSEWHERE.format(root=str(folder))})
    return bench(folder, *arguments, env=there(folder))


def there(folder: Path) -> dict[str, str]:
    return {"TMPDIR": str(folder), "PYTHONPATH": str(folder)}


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    return measured(tmp_path_factory.mktemp("energy"), 0.5)


def value(ran: Ran, metric: str) -> float:
    *_, row = only(ran.rows, "net", metric)
    assert row["status"] == "ok", row["message"]
    return float(row["value"])


def test_a_run_finds_what_the_counter_was_given(first: Ran) -> None:
    """0.5 J a pass, of 10 ms and some; so beyond rest it is 0.5 J, and in all that and 2 W for as long."""
    assert value(first, "energy_above_idle") == pytest.approx(0.5, rel=0.05)
    assert 0.52 < value(first, "energy") < 0.7
    assert value(first, "power") > 10
    (row,) = only(first.rows, "net", "energy")
    assert row["convention"].startswith("RAPL: measured energy of the processor packages")
    assert any(note.startswith("6 windows of ") for note in row["notes"])


def test_more_energy_than_was_promoted_fails_once_it_is_confirmed(first: Ran) -> None:
    own.promote(points_of(store.read(first.folder / "reports")).values(), first.folder / "baselines/devices")
    ran = measured(first.folder, 1.0, "-k", "test_energy and not idle")
    assert (ran.code, ran.outcomes["failed"]) == (1, 1), ran.output
    alarm, confirmed = only(ran.rows, "net", "energy")
    assert alarm["verdicts"][-1]["reason"].endswith("; measured once more before this is an alarm")
    assert confirmed["verdicts"][-1]["outcome"] == "regressed"
    assert f"regressed (+{100 * confirmed['verdicts'][-1]['change']:.1f} %)" in ran.output


def test_a_sensor_that_vanishes_in_the_middle_costs_its_case(tmp_path: Path) -> None:
    folder = tmp_path
    vanishing = (
        "class Gone(Takes):\n    def forward(self, x):\n        COUNTER.unlink(missing_ok=True)\n        return x\n"
    )
    measured(folder, 0.5, "--co")
    nets = (folder / "nets.py").read_text() + f"\n\n{vanishing}\n\ndef gone():\n    return Gone(0.5)\n"
    write(folder, {"nets.py": nets, "pyproject.toml": f'{PROJECT}gone = {{factory = "nets:gone", input = [4]}}\n'})
    ran = bench(folder, "--archbench-arch=gone", "-k", "power", env=there(folder))
    (row,) = only(ran.rows, "gone", "power")
    assert (row["status"], row["value"]) == ("failed", None)
    assert "energy_uj" in row["message"]
