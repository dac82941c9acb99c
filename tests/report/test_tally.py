"""One count for the terminal, the page and the summary: what was not measured has its own word, and comes first."""

from __future__ import annotations

import subprocess
import sys
from typing import get_args

import pytest
from report_data import row, verdict

from pytest_archbench.records import Outcome, Status
from pytest_archbench.tally import UNMEASURED, WORDS, duels, rank, tally, words

SILENT = verdict("inconclusive", "a macs: not measured, inconclusive against bianco2018: failed: no such head")


@pytest.mark.parametrize("status", [*UNMEASURED, "skipped"])
def test_a_case_without_a_number_counts_once_by_its_status_whatever_its_verdicts(status: Status) -> None:
    case = row("a", "macs", status=status, message="no such head", verdicts=(SILENT, SILENT, SILENT))
    assert words(case) == [status]


def test_a_number_counts_once_for_each_verdict() -> None:
    case = row("a", "macs", 5, verdicts=(verdict("passed"), verdict("deviates"), verdict("passed")))
    assert tally([case]) == {"deviates": 1, "passed": 2}


def test_inconclusive_is_said_of_numbers_only() -> None:
    rows = [
        row("a", "macs", 5, uncounted=["aten::odd"], verdicts=(SILENT,)),
        row("b", "macs", status="failed", message="no such head", verdicts=(SILENT,)),
        row("b", "params", status="failed", message="no such head", verdicts=(SILENT,)),
    ]
    assert tally(rows) == {"failed": 2, "inconclusive": 1}


def test_the_worst_word_comes_first_and_a_skipped_case_last() -> None:
    outcomes = ("no baseline", "passed", "regressed", "exploded")
    rows = [row("a", "latency", 1.0, verdicts=tuple(map(verdict, outcomes)))]
    rows += [row("a", "macs", status=status, message="why") for status in ("skipped", "oom", "crashed")]
    assert list(tally(rows)) == ["exploded", "crashed", "oom", "regressed", "passed", "no baseline", "skipped"]


def test_every_status_and_outcome_has_its_word() -> None:
    assert {*WORDS} == {*get_args(Status), *get_args(Outcome)} - {"ok"}
    assert {WORDS[status] for status in UNMEASURED} == {"fail"}
    assert rank("exploded") < min(map(rank, WORDS)) == 0


def test_nothing_said_is_nothing_counted() -> None:
    assert tally([]) == {}
    assert tally([row("a", "macs", 5)]) == {}


def test_duels_are_what_was_timed_in_turn_the_largest_change_first() -> None:
    against = {"side": "main", "log_ratios": [0.1]}
    small = verdict("passed", "a is as fast", "main", 0.001)
    large = verdict("improved", "b is faster", "main", -0.2)
    rows = [
        row("a", "latency", 0.1, verdicts=(small, verdict("passed"))) | {"against": against},
        row("b", "latency", 0.1, verdicts=(large,)) | {"against": against},
        row("c", "params", 5, verdicts=(verdict("passed", "c has as many", "main", 0.0),))
        | {"against": {"side": "main"}},
        row("d", "latency", 0.1, verdicts=(verdict("passed", "d", "main"),)),
    ]
    assert [(each["architecture"], said["reason"]) for each, said in duels(rows)] == [
        ("b", "b is faster"),
        ("a", "a is as fast"),
    ]


@pytest.mark.parametrize("against", ["log_ratios", 3, ["log_ratios"]])
def test_whatever_a_journal_says_of_a_duel_is_no_accident(against: object) -> None:
    duel = {"against": {"side": "main", "log_ratios": []}}
    plain = verdict("passed", "of 0.1", "main", 0.1)
    odd = plain | {"reason": "of much", "change": "much"}
    rows = [row("a", "latency", 0.1, verdicts=(odd,)) | duel, row("b", "latency", 0.1, verdicts=(plain,)) | duel]
    rows.append(row("c", "latency", 0.1, verdicts=(plain,)) | {"against": against})
    assert [said["reason"] for _, said in duels(rows)] == ["of 0.1", "of much"]


def test_counting_needs_neither_pandas_nor_matplotlib() -> None:
    program = "import sys, pytest_archbench.tally; print({'pandas', 'matplotlib', 'torch', 'pytest'} & {*sys.modules})"
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "set()"
