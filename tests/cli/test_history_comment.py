"""``archbench history comment``: what a pull request is told about a run beside its own past."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st
from shell import journal, latency, macs, row

from pytest_archbench import store
from pytest_archbench.cli import main
from pytest_archbench.records import Verdict
from pytest_archbench.report.comment import MARKER, Bout, Line, markdown

LIMIT = 65_536
"""Characters of a comment on GitHub."""
HEAD = ["| | case | usual | now | change | nights |", "| --- | --- | ---: | ---: | ---: | --- |"]


def comment(folder: Path, *arguments: str) -> Result:
    command = ["history", "comment", str(folder / "run"), f"--history={folder / 'nights'}", *arguments]
    return CliRunner().invoke(main, command)


def text(result: Result) -> list[str]:
    assert (result.exit_code, result.stderr) == (0, "")
    return result.stdout.splitlines()


def nights(folder: Path, number: int, *rows: dict[str, Any]) -> None:
    """Nights of one time with 1 % of noise, and of these rows."""
    noise = random.Random(7)
    for night in range(1, number + 1):
        journal(folder / "nights" / f"{night}.jsonl", night, latency(0.04 * noise.gauss(1, 0.01)), *rows)


def run(folder: Path, *rows: dict[str, Any], torch: str = "2.14.0") -> None:
    journal(folder / "run" / store.JOURNAL, 25, *rows, torch=torch)


def test_it_says_what_changed_the_worst_first(tmp_path: Path) -> None:
    nights(tmp_path, 10, macs(1000), row("params", "count", 7), row("peak_memory", "B", 2.0**20))
    run(
        tmp_path,
        row("params", "count", 7),
        macs(1250),
        latency(0.08),
        row("peak_memory", "B"),
        row("energy", "J", 0.5),
    )
    said = text(comment(tmp_path))
    assert said[:5] == [
        MARKER,
        "### Networks beside their own past: 1 failed, 1 worse, 1 with another count, 1 without baseline, 1 unchanged",
        "",
        "Run `night-25`, commit `25ccccc`, beside 10 earlier runs.",
        "",
    ]
    assert said[5:7] == HEAD
    assert said[7] == "| **failed** | `resnet18 peak_memory cpu bs1` | 1.000 MiB | – | – | `▅▅▅▅▅▅▅▅▅▅` |"
    assert said[8].startswith("| **regressed** | `resnet18 latency cpu bs1` | 40.")
    assert said[8].endswith("█` |")
    assert "| 80.00 ms | +" in said[8]
    assert said[9] == ("| **deviates** | `resnet18 macs cpu bs1` | 1.000 kMAC | 1.250 kMAC | +25.0 % | `▁▁▁▁▁▁▁▁▁▁█` |")
    why = said[11:18]
    assert why[:3] == ["<details><summary>Why (3)</summary>", "", "- resnet18 peak_memory cpu bs1: no room"]
    assert why[3].startswith("- resnet18 latency: 80.00 ms, regressed (+")
    assert said[19:-1] == [
        "<details><summary>The others (2)</summary>",
        "",
        *HEAD,
        "| **no baseline** | `resnet18 energy cpu bs1` | – | 500.0 mJ | – | – |",
        "| **passed** | `resnet18 params cpu bs1` | 7 | 7 | +0.0 % | `▅▅▅▅▅▅▅▅▅▅▅` |",
        "",
    ]
    assert said[-1] == "</details>"


def test_the_verdict_of_the_run_itself_counts(tmp_path: Path) -> None:
    nights(tmp_path, 10)
    own = Verdict("inconclusive", "a second run did not confirm it", source="the median of 20 runs")
    published = Verdict("deviates", "not as printed", source="bianco2018")
    run(tmp_path, latency(0.08, judged=(published, own)))
    said = text(comment(tmp_path))
    assert said[1] == "### Networks beside their own past: 1 inconclusive"
    assert "- a second run did not confirm it" in said
    run(tmp_path, latency(0.08, judged=(published,)))
    assert text(comment(tmp_path))[1] == "### Networks beside their own past: 1 worse"


def test_a_promoted_run_judges_where_the_run_did_not(tmp_path: Path) -> None:
    journal(tmp_path / "old.jsonl", 1, macs(900))
    made = CliRunner().invoke(main, ["promote", f"{tmp_path}/old.jsonl", f"--baselines={tmp_path}/own"])
    assert made.exit_code == 0
    nights(tmp_path, 2, macs(1000))
    run(tmp_path, macs(1000))
    assert text(comment(tmp_path))[1].endswith(": 1 unchanged")
    assert text(comment(tmp_path, f"--baselines={tmp_path}/own"))[1].endswith(": 1 with another count")


def test_what_was_promoted_is_usual(tmp_path: Path) -> None:
    """The level of a night that raised an alarm is meant; where no night compares, the promoted value is usual."""
    nights(tmp_path, 5)
    alarm = Verdict("regressed", "worse", source="the median of 5 runs")
    accepted = journal(tmp_path / "nights" / "6.jsonl", 6, latency(0.08, judged=(alarm,)), latency(0.3, batch_size=8))
    run(tmp_path, latency(0.08), latency(0.3, batch_size=8))
    assert "| 80.00 ms | +" in "".join(text(comment(tmp_path)))
    CliRunner().invoke(main, ["promote", str(accepted), f"--baselines={tmp_path}/own"])
    said = text(comment(tmp_path, f"--baselines={tmp_path}/own"))
    assert any("| `resnet18 latency cpu bs1` | 80.00 ms | 80.00 ms | +0.0 % |" in each for each in said), said
    accepted.unlink()
    said = text(comment(tmp_path, f"--baselines={tmp_path}/own"))
    assert any("| `resnet18 latency cpu bs8` | 300.0 ms | 300.0 ms | +0.0 % |" in each for each in said), said


def test_what_keeps_all_from_being_compared_is_said_once(tmp_path: Path) -> None:
    nights(tmp_path, 6, latency(0.3, batch_size=8))
    run(tmp_path, latency(0.08), latency(0.3, batch_size=8), torch="2.15.0")
    said = text(comment(tmp_path))
    assert said[1].endswith(": 2 incomparable")
    assert "- 2 incomparable: packages.torch is 2.15.0 here and 2.14.0 there" in said
    assert "| **incomparable** | `resnet18 latency cpu bs8` | – | 300.0 ms | – | `▅▅▅▅▅▅\\|▅` |" in said


def test_what_was_measured_in_turn_stands_beside_it(tmp_path: Path) -> None:
    nights(tmp_path, 6)
    against = {"side": "main (abc)", "log_ratios": [0.1] * 7}
    worse = Verdict("regressed", "resnet18 latency: worse", source="main (abc)", change=0.105)
    same = Verdict("passed", "resnet18 macs: equal", source="main (abc)", change=0.0)
    run(
        tmp_path,
        latency(0.05, judged=(worse,), against=against),
        macs(7, judged=(same,), against={"side": "main (abc)", "value": 7}),
    )
    said = text(comment(tmp_path))
    assert said[1].endswith(": 1 worse, 1 without baseline")
    place = said.index("#### Measured in turn")
    assert said[place + 2 : place + 6] == [
        "| | case | against | change | pairs |",
        "| --- | --- | --- | ---: | ---: |",
        "| **regressed** | `resnet18 latency cpu bs1` | main (abc) | +10.5 % | 7 |",
        "| **passed** | `resnet18 macs cpu bs1` | main (abc) | +0.0 % | – |",
    ]


def test_later_runs_and_the_run_itself_are_no_past(tmp_path: Path) -> None:
    for night in (1, 2, 27):
        journal(tmp_path / "nights" / f"{night}.jsonl", night, macs(1000 * night))
    run(tmp_path, macs(2000))
    (tmp_path / "nights" / "copy.jsonl").write_bytes((tmp_path / "run" / store.JOURNAL).read_bytes())
    said = text(comment(tmp_path))
    assert said[1].endswith(": 1 unchanged")
    assert said[3].endswith("beside 2 earlier runs.")


def test_a_night_that_raised_an_alarm_is_not_usual(tmp_path: Path) -> None:
    nights(tmp_path, 5)
    alarm = Verdict("regressed", "worse", source="the median of 20 runs")
    for night in range(6, 20):
        journal(tmp_path / "nights" / f"{night}.jsonl", night, latency(0.08, judged=(alarm,)))
    run(tmp_path, latency(0.08))
    said = text(comment(tmp_path))
    assert said[1].endswith(": 1 worse")
    assert "| 80.00 ms | +" in said[7]


def test_it_is_written_to_a_file(tmp_path: Path) -> None:
    nights(tmp_path, 1)
    run(tmp_path, latency(0.04))
    result = comment(tmp_path, f"--out={tmp_path}/new/comment.md")
    assert (result.exit_code, result.stdout) == (0, f"{tmp_path}/new/comment.md\n")
    assert (tmp_path / "new" / "comment.md").read_text() == comment(tmp_path).stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--history=nowhere"], "nowhere: expected a folder of journals; got nothing"),
        (["--out=/dev/null/x"], "--out /dev/null/x: cannot be written: "),
        (["--baselines=nowhere"], "Directory 'nowhere' does not exist"),
    ],
)
def test_a_mistake_is_a_sentence(tmp_path: Path, arguments: list[str], said: str) -> None:
    nights(tmp_path, 1)
    run(tmp_path, latency(0.04))
    result = comment(tmp_path, *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr


def test_it_names_what_it_leaves_out_and_goes_on(tmp_path: Path) -> None:
    nights(tmp_path, 1)
    (tmp_path / "nights" / "bad.jsonl").write_text("[]\n")
    run(tmp_path, latency(0.04), row("warmth", "K", 300.0), row("energy", "J", message="no sensor", status="skipped"))
    result = comment(tmp_path)
    assert result.exit_code == 0
    assert result.stdout.splitlines()[1].endswith(": 1 without baseline")
    assert result.stderr.splitlines() == [
        "left out: cases of the unknown metric warmth",
        f"left out: {tmp_path}/nights/bad.jsonl:1: expected a JSON object; got list",
    ]


@pytest.mark.parametrize("value", [1e300, 10**300])
def test_values_beyond_any_ratio_have_no_change(tmp_path: Path, value: float) -> None:
    nights(tmp_path, 6, row("energy", "J", 5e-324), row("macs", "MAC", 1))
    run(tmp_path, row("energy", "J", value), row("macs", "MAC", 10**308))
    said = text(comment(tmp_path))
    assert said[1].endswith(": 1 worse, 1 with another count")
    assert said[7].split(" | ")[4] == "–"


@pytest.mark.parametrize("against", [[], "x", {"side": "a", "log_ratios": 3}, {"side": ["a"]}])
def test_whatever_a_journal_says_of_another_side_is_no_accident(tmp_path: Path, against: object) -> None:
    nights(tmp_path, 1)
    verdict = {"outcome": "passed", "reason": 5, "source": "a", "change": "much"}
    run(tmp_path, latency(0.04, verdicts=[verdict], against=against))
    assert comment(tmp_path).exit_code == 0


@pytest.mark.parametrize("name", ["architecture", "metric"])
def test_a_name_that_is_none_is_a_sentence(tmp_path: Path, name: str) -> None:
    nights(tmp_path, 1)
    run(tmp_path, latency(0.04) | {name: ["a"]})
    result = comment(tmp_path)
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"measurements.jsonl:2: not a measurement ({name}: expected a text; got ['a']); remove" in result.stderr


def test_operators_that_are_none_are_named(tmp_path: Path) -> None:
    run(tmp_path, macs(5, uncounted=[5]))
    (tmp_path / "nights").mkdir()
    assert "operators without a formula: 5" in comment(tmp_path).stdout


def line(name: str, word: str, reason: str = "so it is") -> Line:
    return Line(name, word, "1 ms", "2 ms", 1.0, "▁█" * 30, reason, "unlike" if word == "incomparable" else "")


def test_a_thousand_findings_fit_into_a_comment() -> None:
    words = ("regressed", "deviates", "improved", "inconclusive", "incomparable", "passed")
    lines = [line(f"{word} {'n' * 70} {place}", word, "r" * 400) for word in words for place in range(200)]
    bouts = [Bout(f"b{place} {'n' * 70}", "regressed", "s" * 300, 0.1, 7) for place in range(300)]
    said = markdown({"run": "x"}, 3, lines, bouts)
    assert len(said.encode()) < LIMIT
    assert said.count("<details>") == said.count("</details>") == 2
    assert "500 worse, 200 with another count, 200 better" in said
    assert said.count("and ") >= 4  # each part says how many it leaves out


NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)


@settings(max_examples=60, deadline=None)
@given(NAMES, NAMES, st.sampled_from(["regressed", "passed", "inconclusive"]))
def test_no_name_breaks_out_of_its_cell(name: str, reason: str, word: str) -> None:
    ours, theirs = ([Bout("b", "passed", side, None, 5)] for side in (reason, "y"))
    said = markdown({"run": name, "commit": name}, 1, [line(f"a{name}", word, reason)], ours)
    plain = markdown({"run": "x", "commit": "x"}, 1, [line("ax", word, "y")], theirs)
    shape = [(each[:2], each.replace("\\|", "").count("|")) for each in said.splitlines()]
    assert shape == [(each[:2], each.replace("\\|", "").count("|")) for each in plain.splitlines()]


def test_what_a_name_holds_is_shown_as_it_is() -> None:
    said = markdown({"run": "a`b"}, 1, [line("<b>|@x", "regressed", "<img> @x [a](b)")], [])
    assert "| **regressed** | `<b>\\|@x` | 1 ms | 2 ms | +100.0 % |" in said
    assert "- &lt;img&gt; @\u200bx \\[a\\](b)" in said
    assert "Run `` a`b ``, commit `unknown`, beside 1 earlier run." in said
