"""How processes that train together ended, as torchrun lists it and they themselves say it."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from pytest_archbench.protocols import Unusable
from pytest_archbench.training import Failed
from pytest_archbench.training.messages import LastWords
from pytest_archbench.training.together import reason

GONE = LastWords(1, "RuntimeError", "Connection closed by peer")
RAISED = LastWords(1, "LookupError", "this network cannot learn")
THEM = "of those that train together"


def folder(path: Path, ends: list[tuple[int, int]], words: LastWords | None) -> Path:
    """What is left behind; the process that ended first is the last of ``ends``."""
    listed = [
        f"[{at}]:\n  time      : 2026-11-21_17:44:13\n  host      : here\n  rank      : {rank} (local_rank: {rank})"
        f"\n  exitcode  : {end} (pid: 4142)\n  error_file: <N/A>\n"
        for at, (rank, end) in enumerate(ends)
    ]
    (path / "said").write_text("".join(["Failures:\n", *listed, "=====\n"]))
    if words:
        (path / f"{words.rank}.failed").write_bytes(pickle.dumps(words))
    return path


@pytest.mark.parametrize(
    ("ends", "words", "expected"),
    [
        ([(1, -15), (0, -9)], GONE, f"process 0 {THEM} was ended by signal SIGKILL; run again with --archbench-resume"),
        ([(0, -9), (1, 1)], GONE, f"process 0 {THEM} was ended by signal SIGKILL; run again with --archbench-resume"),
        ([(0, -15)], GONE, f"process 0 {THEM} was ended by signal SIGTERM; run again with --archbench-resume"),
        ([(0, -15), (1, 1)], RAISED, f"process 1 {THEM} failed: LookupError: this network cannot learn"),
        ([(0, -15), (1, 3)], None, f"process 1 {THEM} ended with exit status 3"),
        ([(0, -40)], None, f"process 0 {THEM} was ended by signal 40; run again with --archbench-resume"),
        ([], None, "torchrun ended with exit status 1: ====="),
    ],
)
def test_the_first_to_end_is_named(
    tmp_path: Path, ends: list[tuple[int, int]], words: LastWords | None, expected: str
) -> None:
    found = reason(folder(tmp_path, ends, words), 1)
    assert isinstance(found, Failed)
    assert str(found) == expected


def test_words_of_one_that_refuses_are_a_refusal(tmp_path: Path) -> None:
    found = reason(folder(tmp_path, [(0, -15), (1, 1)], LastWords(1, "Unusable", "a batch of 1")), 1)
    assert isinstance(found, Unusable)
    assert str(found) == "a batch of 1"
