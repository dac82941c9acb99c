"""What the run of a night came to beside its alarms: what failed, and what its past says nothing about. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from pytest_archbench import hindsight, outputs
from pytest_archbench.outcomes import worst
from pytest_archbench.points import Key, key_of
from pytest_archbench.records import Conditions
from pytest_archbench.store import Run
from pytest_archbench.tally import WORDS, rank, words


@dataclass(frozen=True, slots=True)
class Failure:
    """A case that failed in a night's run. ``word``: one of ``WORDS``, such as oom or deviates."""

    word: str
    case: Key
    reason: str


def code_of(run: Run) -> int:
    """The exit code that a run's verdicts would have had."""
    return int(any(WORDS.get(word) == "fail" for row in outputs.latest(run).rows for word in words(row)))


def failures(run: Run, alarmed: Collection[Key]) -> list[Failure]:
    """Every case of a run that failed and raised no alarm: it gave no value, or differs from what is published."""
    return [
        Failure(word, case, _reason(row, word))
        for row in outputs.latest(run).rows
        if (case := key_of(row["architecture"], row["metric"], Conditions(**row["conditions"]))) not in alarmed
        for word in words(row)
        if WORDS.get(word) == "fail"
    ]


def _reason(row: Mapping[str, Any], word: str) -> str:
    """Why a case failed: what its promoted run had, or the sentence of the verdict, or what went wrong."""
    told = [each["reason"] for each in row["verdicts"] if each["outcome"] in (word, "regressed")]
    return str((*told, row["message"] or row["status"])[0])


def unjudged(run: Run) -> dict[str, int]:
    """How many values their own past says nothing about, by the word for it."""
    found = Counter(_unjudged(row) for row in outputs.latest(run).rows if row["status"] == "ok")
    return {word: found[word] for word, result in WORDS.items() if result == "skip" and found[word]}


def _unjudged(row: Mapping[str, Any]) -> str:
    """Why a value's past says nothing about it; another word where it does."""
    if own := hindsight.own(row):
        return worst(own).outcome
    said = [each["outcome"] for each in row["verdicts"] if not each.get("source")]
    return min(said, key=rank) if said else "no baseline"
