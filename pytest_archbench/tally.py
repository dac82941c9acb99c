"""What a run came to, in words and numbers: the one count for the terminal, the page and the summary. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pytest_archbench.outcomes import RESULTS, Result
from pytest_archbench.records import Status

UNMEASURED: tuple[Status, ...] = ("crashed", "failed", "timeout", "oom")
"""Statuses of a case that was tried and gave no number, the most surprising first."""

WORDS: dict[str, Result] = dict([*((status, "fail") for status in UNMEASURED), *RESULTS.items(), ("skipped", "skip")])
"""Every word that can be said of a case, worst first, and what a test does on it."""

_RANKS = {word: rank for rank, word in enumerate(WORDS)}


def rank(word: str) -> int:
    """The place of a word among ``WORDS``, the smaller the worse; one that nobody knows is -1, so that it is seen."""
    return _RANKS.get(word, -1)


def words(row: Mapping[str, Any]) -> list[str]:
    """What is said of a journal's row: the outcome of each verdict, or its status alone where nothing was measured.

    A case without a number has verdicts as well, all ``inconclusive``: that word is kept for numbers nothing can be
    said about.
    """
    status = row.get("status", "ok")
    if status != "ok":
        return [str(status)]
    return [str(verdict.get("outcome")) for verdict in row.get("verdicts") or ()]


def tally(rows: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """How often each word is said of a run's rows, the worst word first; a word that is never said is left out."""
    counted = Counter(word for row in rows for word in words(row))
    return {word: counted[word] for word in sorted(counted, key=lambda word: (rank(word), word))}


def doubts(row: Mapping[str, Any]) -> list[str]:
    """Why a row's number is doubtful, in a sentence each: what disturbed its trials, and how far it stayed behind the
    precision that was asked for.
    """
    imprecise = row.get("imprecise")
    return [*_disturbed(row), *([imprecise] if imprecise and isinstance(imprecise, str) else [])]


def _disturbed(row: Mapping[str, Any]) -> list[str]:
    told = (said for trial in _trials(row) for said in _listed(trial.get("disturbed")))
    return list(dict.fromkeys(map(str, told)))


def _trials(row: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [each for each in _listed(row.get("trials")) if isinstance(each, Mapping)]


def _listed(value: object) -> Sequence[Any]:
    """A journal of others may hold anything."""
    return value if isinstance(value, list | tuple) else ()


def doubtful(rows: Iterable[Mapping[str, Any]]) -> str:
    """How many of a run's numbers are doubtful, with the reasons of the first; empty where none is."""
    found = [row for row in rows if row.get("status", "ok") == "ok"]
    disturbed = [said for row in found if (said := _disturbed(row))]
    imprecise = [said for row in found if (said := doubts(row)[len(_disturbed(row)) :])]
    timed = sum(bool(_trials(row)) for row in found)
    parts = (
        (disturbed, f"of {timed} timed cases", "disturbed"),
        (imprecise, f"of {len(found)} measurements", "less certain than was asked for"),
    )
    return ". ".join(
        f"{len(said)} {of} {'is' if len(said) == 1 else 'are'} {word}: {_first(said)}"
        for said, of, word in parts
        if said
    )


def _first(said: Sequence[Sequence[str]]) -> str:
    """What is said of the first case, and whether it is another of others."""
    return "; ".join(said[0]) + (", and the like" if any(each != said[0] for each in said) else "")


def duels(rows: Iterable[Mapping[str, Any]]) -> list[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """The rows of what was timed against another side, each with its verdict on that, the largest change first."""
    found = [
        (row, verdict)
        for row in rows
        if "log_ratios" in (against := _object(row.get("against")))
        for verdict in row.get("verdicts") or ()
        if verdict.get("source") == against.get("side")
    ]
    return sorted(found, key=lambda pair: -_size(pair[1].get("change")))


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _size(change: object) -> float:
    """Of a relative change; nothing where a journal of others holds no number."""
    return abs(change) if isinstance(change, int | float) else 0.0
