"""The commands about one's own past, as a shell runs them in a user's folder."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest
from shell import archbench, journal, latency, macs, row

from pytest_archbench import store
from pytest_archbench.records import Verdict


def test_it_promotes_a_run_and_says_what_that_changes(tmp_path: Path) -> None:
    journal(tmp_path / "reports" / store.JOURNAL, 1, latency(0.0381), macs(1814073344), latency(0.3, batch_size=8))
    first = archbench(tmp_path, "promote", "reports")
    assert (first.returncode, first.stderr) == (0, "")
    assert first.stdout.splitlines() == [
        "new       resnet18 latency cpu bs1: 38.10 ms",
        "new       resnet18 latency cpu bs8: 300.0 ms",
        "new       resnet18 macs cpu bs1: 1.814 GMAC",
        "baselines/devices: 3 new, 0 changed, 0 unchanged, 0 kept",
    ]
    slower = Verdict("regressed", "resnet18 latency: 41.2 ms, regressed")
    rows = (latency(0.0412, judged=(slower,), imprecise="known to 3 %"), macs(1814073345), row("peak_memory", "B"))
    second = archbench(
        tmp_path, "promote", str(journal(tmp_path / "other.jsonl", 2, *rows, torch="2.15.0").relative_to(tmp_path))
    )
    assert second.stderr == "left out: 1 row without a value to compare (oom)\n"
    assert second.stdout.splitlines() == [
        "changed   resnet18 latency cpu bs1: 38.10 ms -> 41.20 ms (+8.1 %); its run judged it regressed; "
        "imprecise: known to 3 %",
        "changed   resnet18 macs cpu bs1: 1814073344 MAC -> 1814073345 MAC (+0.000 %)",
        "cpu packages.torch: 2.14.0 -> 2.15.0 (1 case)",
        "baselines/devices: 0 new, 2 changed, 0 unchanged, 1 kept",
    ]
    assert archbench(tmp_path, "promote", "other.jsonl").stdout == (
        "baselines/devices: 0 new, 0 changed, 2 unchanged, 1 kept\n"
    )


def test_a_dry_run_promotes_nothing(tmp_path: Path) -> None:
    journal(tmp_path / store.JOURNAL, 1, latency(0.1))
    said = archbench(tmp_path, "promote", ".", "--baselines=own", "--dry-run").stdout.splitlines()
    assert said[0] == "new       resnet18 latency cpu bs1: 100.0 ms"
    assert said[1:] == ["own: 1 new, 0 changed, 0 unchanged, 0 kept", "nothing was written (--dry-run)"]
    assert not (tmp_path / "own").exists()


def test_it_promotes_one_device_of_a_run(tmp_path: Path) -> None:
    journal(tmp_path / "run.jsonl", 1, latency(0.1), latency(0.01, device="cuda:0"))
    ran = archbench(tmp_path, "promote", "run.jsonl", "--device=cuda:0")
    assert ran.stdout.splitlines()[-1] == "baselines/devices: 1 new, 0 changed, 0 unchanged, 0 kept"
    assert [path.name for path in (tmp_path / "baselines" / "devices").iterdir()] == ["cuda-0.jsonl"]


def test_it_promotes_what_alarmed_alone(tmp_path: Path) -> None:
    journal(tmp_path / "run.jsonl", 1, latency(0.1), {**latency(0.2), "architecture": "vgg16"})
    ran = archbench(tmp_path, "promote", "run.jsonl", "--arch=vgg*", "--metric=latency", "--device=cpu")
    assert ran.stdout.splitlines()[0] == "new       vgg16 latency cpu bs1: 200.0 ms"
    assert ran.stdout.splitlines()[-1] == "baselines/devices: 1 new, 0 changed, 0 unchanged, 0 kept"


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("promote nowhere", "nowhere: no journal can be read here"),
        ("promote run.jsonl --device=cuda", "--device: run.jsonl has none called 'cuda': known: cpu"),
        ("promote run.jsonl --metric=latncy", "--metric: run.jsonl has none called 'latncy': "),
        ("promote run.jsonl --baselines=run.jsonl", "run.jsonl: expected a folder of promoted baselines; got a file"),
        ("promote run.jsonl --baselines=damaged", "damaged/cpu.jsonl:1: expected a JSON object; got 'not one'"),
        ("promote empty.jsonl", "empty.jsonl: expected measured cases; got none in 1 rows: measure first"),
        (
            "promote odd.jsonl",
            "odd.jsonl: resnet18 latency: conditions.device: expected a name on one line; got ['cpu']",
        ),
        ("history changes nowhere", "nowhere: expected a folder of journals; got nothing"),
        ("history changes run.jsonl", "run.jsonl: expected a folder of journals; got a file"),
        ("history changes . --metric=latncy", "unknown metric 'latncy': did you mean latency?"),
        (
            "history changes . --arch=resnet81",
            "--arch: no series of an architecture 'resnet81': did you mean resnet18?",
        ),
        ("history changes . --baselines=nowhere", "Directory 'nowhere' does not exist"),
        ("history changes . --baselines=damaged", "damaged/cpu.jsonl:1: expected a JSON object; got 'not one'"),
    ],
)
def test_a_mistake_about_the_past_is_a_sentence(tmp_path: Path, command: str, said: str) -> None:
    journal(tmp_path / "run.jsonl", 1, latency(0.1))
    journal(tmp_path / "empty.jsonl", 2, row("latency", "s"))
    odd = latency(0.1)
    odd["conditions"]["device"] = ["cpu"]
    journal(tmp_path / "odd.jsonl", 3, odd)
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "cpu.jsonl").write_text("not one\n")
    before = sorted(tmp_path.rglob("*"))
    ran = archbench(tmp_path, *command.split())
    assert (ran.returncode, ran.stdout) == (2, "")
    assert said in ran.stderr
    assert "Traceback" not in ran.stderr
    assert sorted(tmp_path.rglob("*")) == before


def test_it_names_the_commits_between_which_a_series_changed(tmp_path: Path) -> None:
    noise = random.Random(7)
    for night in range(1, 25):
        seconds = 0.04 * noise.gauss(1, 0.01) * (1.1 if night >= 13 else 1)
        count = 1000 if night < 20 else 1250
        journal(tmp_path / "nights" / f"{night}" / store.JOURNAL, night, latency(seconds), macs(count))
    ran = archbench(tmp_path, "history", "changes", "nights")
    assert (ran.returncode, ran.stderr) == (0, "")
    first, _, second, reason, last = ran.stdout.splitlines()
    assert first == "step   +25.0 %  resnet18 macs cpu bs1  19ccccc..20ccccc  2026-01-19 to 2026-01-20"
    assert re.fullmatch(
        r"step    \+\d+\.\d %  resnet18 latency cpu bs1  12ccccc\.\.13ccccc  2026-01-12 to 2026-01-13", second
    )
    assert "worse" in reason
    assert last == "2 changes in 2 series of 24 runs"
    only = archbench(tmp_path, "history", "changes", "nights", "--metric=macs", "--arch=res*").stdout
    assert only.splitlines()[-1] == "1 change in 1 series of 24 runs"


def test_it_measures_drift_from_the_promoted_run(tmp_path: Path) -> None:
    for night in range(1, 9):
        journal(tmp_path / f"{night}.jsonl", night, latency(0.05 + night % 3 * 1e-5))
    journal(tmp_path / "old" / store.JOURNAL, 1, latency(0.04))
    assert archbench(tmp_path / "old", "promote", ".").returncode == 0
    said = archbench(tmp_path, "history", "changes", ".", "--baselines=old/baselines/devices").stdout
    assert said.startswith("drift  +25.0 %  resnet18 latency cpu bs1  01ccccc..04ccccc")
    assert archbench(tmp_path, "history", "changes", ".").stdout == "no change in 1 series of 8 runs\n"


def test_it_says_what_it_could_not_look_at(tmp_path: Path) -> None:
    first = journal(
        tmp_path / "a.jsonl", 1, latency(0.1), row("warmth", "K", 300.0), row("latency", "s", 0, batch_size=2)
    )
    (tmp_path / "b.jsonl").write_text("[]\n")
    (tmp_path / "c.jsonl").write_text(first.read_text())
    ran = archbench(tmp_path, "history", "changes", ".")
    assert ran.returncode == 0
    assert ran.stdout.splitlines() == [
        "no change in 2 series of 1 run",
        "2 of them have fewer than 6 runs that compare: too few for a step",
    ]
    assert ran.stderr.splitlines() == [
        "left out: series of the unknown metric warmth",
        "left out: b.jsonl:1: expected a JSON object; got list",
        "left out: c.jsonl: the run night-01 is in a.jsonl too",
    ]


def test_values_beyond_any_ratio_cost_their_series_only(tmp_path: Path) -> None:
    for night in range(1, 25):
        rows = latency(1e-300 if night < 12 else 1e300), macs(1000 + night // 12)
        journal(tmp_path / f"{night}.jsonl", night, *rows)
    ran = archbench(tmp_path, "history", "changes", ".")
    assert ran.returncode == 0
    assert ran.stdout.splitlines()[-1] == "2 changes in 2 series of 24 runs"
    assert "left out: resnet18 latency cpu bs1: its values are too far apart to have a ratio" in ran.stderr


def test_a_folder_without_journals_has_no_changes(tmp_path: Path) -> None:
    ran = archbench(tmp_path, "history", "changes", ".")
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "no change in 0 series of 0 runs\n", "")
