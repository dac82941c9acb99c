"""Two runs compared, on journals with changes worked by hand."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from shell import archbench, journal, latency, macs, row

from pytest_archbench import store
from pytest_archbench.cli import main
from pytest_archbench.comparing import compare
from pytest_archbench.records import Conditions, Measurement, Trial

EVIL = "| <img src=x onerror=alert(1)> `@all`"


def timed(level: float, processes: int = 5, name: str = "resnet18", **changed: Any) -> dict[str, Any]:
    """A latency of so many processes, a hundredth apart around ``level``: two samples each, and their reference."""
    levels = [level * (1 + (place - processes // 2) / 100) for place in range(processes)]
    trials = tuple(Trial((seconds, seconds), (0.01,)) for seconds in levels)
    samples = tuple(seconds for trial in trials for seconds in trial.samples)
    return store.row(Measurement(name, "latency", "s", "ok", Conditions("cpu"), samples, trials=trials), ()) | changed


def compared(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["compare", str(folder / "a.jsonl"), str(folder / "b.jsonl"), *arguments])


def runs(folder: Path, earlier: Iterable[dict[str, Any]], later: Iterable[dict[str, Any]], **header: str) -> Path:
    journal(folder / "a.jsonl", 1, *earlier)
    journal(folder / "b.jsonl", 2, *later, **header)
    return folder


def test_it_says_what_changed_worst_first(tmp_path: Path) -> None:
    params, gone = row("params", "count", 7), row("macs", "MAC", architecture="other")
    earlier = (timed(0.04), timed(0.04, name="faster"), macs(1000), macs(5, architecture="other"), params)
    later = (timed(0.044), timed(0.036, name="faster"), macs(1001), gone, params)
    ran = compared(runs(tmp_path, earlier, later))
    assert (ran.exit_code, ran.stderr) == (0, "")
    head, lines = ran.stdout.splitlines()[:3], ran.stdout.splitlines()[3:]
    assert head == [
        f"earlier: {tmp_path / 'a.jsonl'}  night-01  2026-01-01T03:00:00+00:00  commit 01ccccc",
        f"later:   {tmp_path / 'b.jsonl'}  night-02  2026-01-02T03:00:00+00:00  commit 02ccccc",
        "",
    ]
    assert lines[0::2][:4] == [
        "failed later    other macs: 5 MAC -> oom",
        "regressed       resnet18 latency cpu bs1: 40.00 ms -> 44.00 ms (+10.0 %)",
        "deviates        resnet18 macs: 1.000 kMAC -> 1.001 kMAC (+0.1 %)",
        "improved        faster latency cpu bs1: 40.00 ms -> 36.00 ms (-10.0 %)",
    ]
    assert lines[1].strip() == "oom: no room"
    # Five levels 1 % apart have the signed-rank interval of their Walsh averages: +-2 % on each side.
    assert "resnet18 latency: 44.00 ms, regressed (+10.0 %) from run night-01 40.00 ms: worse by" in lines[3]
    assert "normalised by the reference workload" in lines[3]
    assert "1001 instead of 1000, a property of the graph changed" in lines[5]
    counts = "5 cases: 1 failed later, 1 regressed, 1 deviates, 1 improved, 1 passed"
    assert lines[8:] == [f"{counts} (1 case without change: --all lists them)"]
    everything = compared(tmp_path, "--all").stdout.splitlines()
    assert "passed          resnet18 params: 7 -> 7 (+0.0 %)" in everything
    assert everything[-1] == counts


def test_the_exit_code_tells_what_became_worse(tmp_path: Path) -> None:
    def code(before: dict[str, Any], after: dict[str, Any]) -> int:
        return compared(runs(tmp_path, (before,), (after,)), "--exit-code").exit_code

    assert code(timed(0.04), timed(0.044)) == 1
    assert code(timed(0.044), timed(0.04)) == 0
    assert code(timed(0.04), timed(0.0401)) == 0
    assert code(macs(1000), macs(999)) == 1
    assert code(macs(1000), row("macs", "MAC")) == 1
    assert code(row("macs", "MAC"), macs(1000)) == 0
    assert code(latency(0.04), latency(0.042)) == 0  # inconclusive: one process each
    assert compared(runs(tmp_path, (timed(0.04),), (timed(0.044),))).exit_code == 0


def test_a_case_of_one_run_alone_is_listed_as_such(tmp_path: Path) -> None:
    earlier = (latency(0.04), row("latency", "s", batch_size=8), row("macs", "MAC"), row("params", "count"))
    later = (latency(0.04), latency(0.3, batch_size=2), macs(1000), row("params", "count"))
    lines = compared(runs(tmp_path, earlier, later), "--all").stdout.splitlines()[3:]
    assert lines == [
        "only earlier    resnet18 latency cpu bs8: oom -> not there",
        "                oom: no room",
        "only later      resnet18 latency cpu bs2: not there -> 300.0 ms",
        "failed earlier  resnet18 macs: oom -> 1.000 kMAC",
        "                oom: no room",
        "failed in both  resnet18 params: oom -> oom",
        "                oom: no room",
        "                oom: no room",
        "passed          resnet18 latency cpu bs1: 40.00 ms -> 40.00 ms (+0.0 %)",
        lines[9],
        "5 cases: 1 only earlier, 1 only later, 1 failed earlier, 1 failed in both, 1 passed",
    ]


def test_what_one_run_skipped_is_of_the_other_alone(tmp_path: Path) -> None:
    skipped = macs(1000, status="skipped", value=None, samples=[], message="no such variant", architecture="other")
    both = (latency(0.04), macs(1000, architecture="other"))
    lines = compared(runs(tmp_path, both, (latency(0.04), skipped)), "--all").stdout.splitlines()[3:]
    assert lines[0] == "only earlier    other macs: 1.000 kMAC -> not there"
    assert lines[-1] == "2 cases: 1 only earlier, 1 passed"
    lines = compared(runs(tmp_path, (skipped,), (skipped,)), "--all").stdout.splitlines()[3:]
    assert lines == ["0 cases: neither run has any"], "nobody tried: there is no such case"


def test_many_cases_of_one_run_alone_are_counted(tmp_path: Path) -> None:
    """Of a night of many networks and a run of two: what changed stands alone, and what is new beside it."""
    night = [macs(5, architecture=f"net{place}") for place in range(41)]
    ran = compared(runs(tmp_path, (*night, macs(1000)), (macs(1001), macs(5, architecture="new"))))
    lines = ran.stdout.splitlines()[3:]
    assert [line[:14].strip() for line in lines[:-1]] == ["deviates", "", "only later"]
    counts = "43 cases: 1 deviates, 41 only earlier, 1 only later"
    assert lines[-1] == f"{counts} (41 cases without change or in one run alone: --all lists them)"
    assert len(compared(tmp_path, "--all").stdout.splitlines()) == 3 + 2 + 41 + 1 + 1
    assert "net40" not in compared(tmp_path, "--format=markdown").stdout
    assert len(json.loads(compared(tmp_path, "--format=json").stdout)["cases"]) == 43


def test_another_environment_is_said_once_at_the_top(tmp_path: Path) -> None:
    rows = (latency(0.04), latency(0.3, batch_size=8), macs(1000))
    ran = compared(runs(tmp_path, rows, rows, torch="2.15.0"))
    assert ran.stdout.splitlines()[2:] == [
        "differs: cpu packages.torch: 2.14.0 -> 2.15.0 (2 cases)",
        "",
        "incomparable    resnet18 latency cpu bs1: 40.00 ms -> 40.00 ms (+0.0 %)",
        "incomparable    resnet18 latency cpu bs8: 300.0 ms -> 300.0 ms (+0.0 %)",
        "3 cases: 2 incomparable, 1 passed (1 case without change: --all lists them)",
    ]


def test_conditions_of_a_case_are_said_with_it(tmp_path: Path) -> None:
    threaded = latency(0.04)
    threaded["conditions"]["threads"] = 4
    lines = compared(runs(tmp_path, (latency(0.04),), (threaded,), torch="2.15.0")).stdout.splitlines()
    assert lines[2] == "differs: cpu packages.torch: 2.14.0 -> 2.15.0 (1 case)"
    assert lines[5].endswith("threads is 4 here and 1 there; packages.torch is 2.15.0 here and 2.14.0 there")


def test_counts_compare_across_devices_and_inputs_do_not(tmp_path: Path) -> None:
    wide = macs(4000)
    wide["conditions"]["input_shape"] = [3, 448, 448]
    lines = compared(runs(tmp_path, (macs(1000), wide), (macs(1000, device="cuda:0"),)), "--all").stdout.splitlines()
    assert lines[3] == "only earlier    resnet18 macs [3, 448, 448]: 4.000 kMAC -> not there"
    assert lines[4] == "passed          resnet18 macs [3, 224, 224]: 1.000 kMAC -> 1.000 kMAC (+0.0 %)"


def test_of_a_case_measured_again_the_last_counts(tmp_path: Path) -> None:
    later = (row("macs", "MAC"), macs(999), macs(1000))
    assert compared(runs(tmp_path, (macs(1000),), later)).stdout.splitlines()[-1].startswith("1 case: 1 passed")


def test_operators_that_were_not_counted_are_a_failure(tmp_path: Path) -> None:
    lines = compared(runs(tmp_path, (macs(1000),), (macs(900, uncounted=["aten::odd"]),))).stdout.splitlines()
    assert lines[3:5] == [
        "failed later    resnet18 macs: 1.000 kMAC -> not counted",
        "                not counted: aten::odd",
    ]


def test_json_has_every_case_exactly(tmp_path: Path) -> None:
    before, after = 0.1 + 0.2, 0.30000000000000016
    runs(tmp_path, (latency(before), macs(1000), macs(1, architecture="gone")), (latency(after), macs(1001)))
    answer = json.loads(compared(tmp_path, "--format=json").stdout)
    assert answer["earlier"] == {
        "path": str(tmp_path / "a.jsonl"),
        "run": "night-01",
        "started": "2026-01-01T03:00:00+00:00",
        "commit": "01".ljust(40, "c"),
    }
    assert answer["counts"] == {"deviates": 1, "only earlier": 1, "passed": 1}
    deviates, gone, passed = answer["cases"]
    assert (deviates["earlier"], deviates["later"], deviates["change"]) == (1000, 1001, 0.001)
    assert (deviates["word"], deviates["device"], deviates["unit"]) == ("deviates", "", "MAC")
    assert (gone["later"], gone["change"], gone["sentence"]) == (None, None, "")
    assert (passed["earlier"], passed["later"]) == (before, after)
    assert passed["device"] == "cpu"
    assert passed["sentence"].startswith("resnet18 latency: 300.0 ms, agrees (")


def test_csv_has_the_same_rows_as_json(tmp_path: Path) -> None:
    runs(tmp_path, (latency(0.1), macs(1000)), (latency(0.1000000001), row("macs", "MAC")))
    cases = json.loads(compared(tmp_path, "--format=json").stdout)["cases"]
    table = list(csv.DictReader(io.StringIO(compared(tmp_path, "--format=csv").stdout)))
    assert table == [{key: "" if value is None else str(value) for key, value in case.items()} for case in cases]
    assert len(table) == 2


def test_markdown_shows_a_hostile_name_and_does_nothing_else(tmp_path: Path) -> None:
    later = (macs(1001, architecture=EVIL), row("params", "count"))
    runs(tmp_path, (macs(1000, architecture=EVIL),), later)
    text = compared(tmp_path, "--format=markdown").stdout
    table = [line for line in text.splitlines() if line.startswith("| **")]
    assert table == [
        "| **deviates** | `` \\| <img src=x onerror=alert(1)> `@all` macs `` | 1.000 kMAC | 1.001 kMAC | +0.1 % |",
        "| **only later** | `resnet18 params` | not there | oom | – |",
    ]
    assert "- \\| &lt;img src=x onerror=alert(1)&gt; \\`@\u200ball\\` macs: 1.001 kMAC, deviates" in text
    assert "- resnet18 params: oom: no room" in text


def test_a_terminal_gets_no_control_characters_from_a_journal(tmp_path: Path) -> None:
    failed = row("macs", "MAC", message="\x1b[2J gone", architecture="net\x1b[31m\u202e")
    ran = compared(runs(tmp_path, (macs(1), failed), (macs(2), row("warmth\x07", "K", 3.0))))
    assert ran.exit_code == 0
    assert all(line.isprintable() for line in (*ran.stdout.splitlines(), *ran.stderr.splitlines()))
    assert ran.stderr == "left out: cases of the unknown metric 'warmth\\x07'\n"


def test_values_beyond_any_ratio_are_compared_all_the_same(tmp_path: Path) -> None:
    runs(tmp_path, (latency(1e-300), macs(1)), (latency(1e300), macs(10**300)))
    for form in ("table", "markdown", "csv"):
        assert compared(tmp_path, f"--format={form}").exit_code == 0
    answer = json.loads(compared(tmp_path, "--format=json").stdout)
    assert [case["change"] for case in answer["cases"]] == [None, pytest.approx(1e300)]
    assert all(case["judged_change"] is None or math.isfinite(case["judged_change"]) for case in answer["cases"])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "b.jsonl: no journal can be read here"),
        ("", "b.jsonl: expected measured cases; got none"),
        ('{"schema": 1, "run": "x"}\n', "b.jsonl: expected measured cases; got none"),
        ("[]\n", "b.jsonl:1: expected a JSON object; got list"),
        ('{"benchmarks": []}\n', "b.jsonl:1: expected a header with the key 'run'; this is not an archbench journal"),
        ('{"schema": 9, "run": "x"}\n', "b.jsonl:1: expected schema 1; got 9"),
        ('{"schema": 1, "run": "x"}\nnot one\n{}\n', "b.jsonl:2: not a JSON object"),
        ('{"schema": 1, "run": "x"}\n{"metric": "macs"}\n', "b.jsonl:2: not a measurement"),
        (
            f'{{"schema": 1, "run": "x"}}\n{json.dumps(macs(1, conditions={"device": ["cpu"]}))}\n',
            "b.jsonl: resnet18 macs: started: expected a time",
        ),
        (f'{{"schema": 1, "run": 5}}\n{json.dumps(macs(1))}\n', "b.jsonl: resnet18 macs: run: expected a name"),
        (
            f'{{"schema": 1, "run": "x", "devices": []}}\n{json.dumps(latency(1))}\n',
            "b.jsonl:1: devices: expected an object; got list",
        ),
    ],
)
def test_what_is_no_run_is_one_sentence(tmp_path: Path, content: str | None, said: str) -> None:
    journal(tmp_path / "a.jsonl", 1, macs(1000))
    if content is not None:
        (tmp_path / "b.jsonl").write_text(content)
    ran = compared(tmp_path, "--exit-code")
    assert (ran.exit_code, ran.stdout) == (2, "")
    assert said in ran.stderr
    turned = CliRunner().invoke(main, ["compare", str(tmp_path / "b.jsonl"), str(tmp_path / "a.jsonl")])
    assert (turned.exit_code, turned.stderr) == (2, ran.stderr)


def test_a_torn_last_line_is_left_out(tmp_path: Path) -> None:
    runs(tmp_path, (macs(1000),), (macs(1000), macs(5)))
    path = tmp_path / "b.jsonl"
    path.write_text(path.read_text()[:-40])
    assert compared(tmp_path).stdout.splitlines()[-1].startswith("1 case: 1 passed")


def test_a_run_agrees_with_itself(tmp_path: Path) -> None:
    """Through the shell, by its folder."""
    measured = [
        row("params", "count", 11_689_512),
        macs(1_814_073_344),
        *(timed(0.038, batch) for batch in (1, 5)),
        latency(0.3, batch_size=8),
    ]
    journal(tmp_path / "reports" / store.JOURNAL, 1, *measured)
    ran = archbench(tmp_path, "compare", "reports", "reports", "--exit-code")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.splitlines()[-1] == "4 cases: 4 passed (4 cases without change: --all lists them)"


def test_comparing_is_a_pure_function_of_two_runs(tmp_path: Path) -> None:
    runs(tmp_path, (macs(1000),), (macs(1001),))
    found = compare(store.read(tmp_path / "a.jsonl"), store.read(tmp_path / "b.jsonl"))
    (only,) = found.compared
    assert (only.word, only.change, only.is_worse) == ("deviates", 0.001, True)
    assert (found.facts, found.unknown, found.counts) == ((), (), {"deviates": 1})
