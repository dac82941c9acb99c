"""Nights as asv's results, through its own classes: one file for each night and machine."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from asv import util
from asv.benchmarks import Benchmarks
from asv.config import Config
from asv.results import Results
from asv.runner import BenchmarkResult

from pytest_archbench.files import as_file
from pytest_archbench.pages.commits import BRANCH
from pytest_archbench.pages.leaves import DIGITS
from pytest_archbench.pages.series import Shown, benchmark
from pytest_archbench.records import Number

NIGHTS = "night.html#"
"""What asv puts before the hash of a commit, to link it."""


@contextlib.contextmanager
def written_at_once() -> Iterator[None]:
    """asv with its files encoded whole and not piece by piece, in a third of the time."""
    written = util.write_json

    def write_json(path: str, data: Any, api_version: int | None = None, compact: bool = False) -> None:
        content = data if api_version is None else {**data, "version": api_version}
        layout: dict[str, Any] = {} if compact else {"indent": 4, "sort_keys": True}
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(json.dumps(content, **layout), encoding="utf-8")

    util.write_json = write_json
    try:
        yield
    finally:
        util.write_json = written


def config(folder: Path, project: str, address: str) -> Config:
    """asv's configuration for the parts of ``folder``; ``address`` is the project's page, or empty."""
    made = Config()
    made.project, made.project_url = project, address or "#"
    made.repo, made.branches, made.dvcs = str(folder / "repository"), [BRANCH], "git"
    made.results_dir, made.html_dir = str(folder / "results"), str(folder / "html")
    made.show_commit_url, made.hash_length = NIGHTS, DIGITS
    return made


def save_night(
    folder: Path,
    machine: str,
    commit: str,
    run: str,
    started: datetime,
    values: Mapping[str, Mapping[str, Number]],
    shown: Mapping[str, Shown],
) -> None:
    """Write what a machine measured in a night: by benchmark the values of the networks.

    Nothing but the machine's name makes a series another one: a fact more among the parameters would begin it anew with
    each change of that fact, and the step that came with the change would never be seen.
    """
    made = Results({"machine": machine}, {}, commit, util.datetime_to_js_timestamp(started), "", as_file(run), {})
    for name, models in sorted(values.items()):
        here = dict(sorted(models.items()))
        nothing = [None] * len(here)
        measured = BenchmarkResult(list(here.values()), nothing, nothing, 0, "", None)
        made.add_result(benchmark(name, shown[name], here), measured, started_at=started)
    made.save(str(folder))


def save_machine(folder: Path, machine: str, facts: Mapping[str, str]) -> None:
    """Write what asv's pages tell of a machine; asv itself would ask at a terminal."""
    (folder / machine / "machine.json").write_text(json.dumps({"machine": machine, **facts, "version": 1}, indent=1))


def save_benchmarks(made: Config, shown: Mapping[str, Shown], models: Mapping[str, set[str]]) -> None:
    """Write which benchmarks there are, and by which relative change each counts as worse."""
    entries: list[Any] = [benchmark(name, found, models[name]) for name, found in sorted(shown.items())]
    Benchmarks(made, entries).save()
    made.regressions_thresholds = {rf"{re.escape(name)}\(": found.tolerance for name, found in shown.items()}
