"""``summary.md``: a run for a pull request, in Markdown that any text may be put into and of a bounded size."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence

import pandas as pd

from pytest_archbench.report import mermaid
from pytest_archbench.report.beside import SAID, Beside
from pytest_archbench.report.cells import legible
from pytest_archbench.report.columns import COLUMNS, measured
from pytest_archbench.report.figures import FIGURES
from pytest_archbench.report.findings import Broken, Findings, Record, commit, findings, left_out, place
from pytest_archbench.report.frames import MEASURED, Run, doubt
from pytest_archbench.report.palette import looks
from pytest_archbench.report.provenance import EVALUATED, RUNNING, evaluation, with_interval
from pytest_archbench.tally import doubtful

LIMIT = 60_000
"""Bytes that no summary reaches; a comment on GitHub may have 65,536 characters."""
FAILED_SHARE, IMPROVED_SHARE, DUELS_SHARE, KNOWN_SHARE, TABLE_SHARE = 15_000, 4_000, 5_000, 5_000, 15_000
ACCOUNT_SHARE, SKIPPED_SHARE, BESIDE_SHARE, LEFT_OUT_SHARE = 3_000, 2_000, 4_000, 2_000
DOUBTFUL = "†"
LONGEST_NAME, LONGEST_SENTENCE, MOST_NAMES = 80, 400, 20
SHOWN = ("params", "macs", "top1", "accuracy_density", "latency", "peak_memory", "train_accuracy", "valid_accuracy")


def summary(run: Run, networks: pd.DataFrame, near: Beside | None = None) -> str:
    """What failed and the ``networks`` of the run, in less than ``LIMIT`` bytes of UTF-8."""
    found = findings(run)
    verdicts = (_head(run, found), _failed(found), _improved(found), _duels(found), _known(found), _skipped(found))
    sections = (*verdicts, _chart(networks), _table(networks), _accounts(networks), _beside(near))
    return "\n".join(line for section in sections for line in section) + "\n"


def _head(run: Run, found: Findings) -> Iterator[str]:
    yield "## Architecture benchmark"
    yield ""
    yield f"Run {code(run.header.get('run'))}, {escaped(_short(commit(run.header)))}."
    yield ""
    if not run.rows:
        yield "This run has no measurements; `pytest --archbench` takes those of the default suite."
        yield ""
    if found.counts:
        yield "| " + " | ".join(map(escaped, found.counts)) + " |"
        yield "|" + " ---: |" * len(found.counts)
        yield "| " + " | ".join(str(count) for count in found.counts.values()) + " |"
        yield ""
    if said := doubtful(run.rows):
        yield f"Doubtful: {sentence(said)}."
        yield ""
    if reasons := left_out(run.header):
        yield from fitting(
            [f"Not measured: {sentence(reason)}.\n" for reason in reasons], LEFT_OUT_SHARE, "and {} more\n"
        )


def _failed(found: Findings) -> Iterator[str]:
    if not found.failed and not found.broken:
        return
    yield "### What failed"
    yield ""
    yield from fitting([*map(_broken, found.broken), *map(_verdict, found.failed)], FAILED_SHARE, "- and {} more")
    yield ""


def _improved(found: Findings) -> Iterator[str]:
    if found.improved:
        yield "### What improved"
        yield ""
        yield from fitting([*map(_verdict, found.improved)], IMPROVED_SHARE, "- and {} more")
        yield ""


def _duels(found: Findings) -> Iterator[str]:
    if found.duels:
        yield f"### Measured in turn against {sentence(found.duels[0]['source'])}"
        yield ""
        yield from fitting([*map(_verdict, found.duels)], DUELS_SHARE, "- and {} more")
        yield ""


def _verdict(record: Record) -> str:
    return f"- **{record['outcome']}** ({_where(record)}): {sentence(record['reason'])}"


def _broken(found: Broken) -> str:
    where = escaped(_short("; ".join(found.places)))
    metrics = ", ".join(map(code, found.metrics))
    return f"- **{found.status}** {code(found.architecture)}: {sentence(found.message)} ({metrics}; {where})"


def _known(found: Findings) -> Iterator[str]:
    if not found.known:
        return
    yield f"<details><summary>Known deviations ({len(found.known)})</summary>"
    yield ""
    yield from fitting([f"- {sentence(record['reason'])}" for record in found.known], KNOWN_SHARE, "- and {} more")
    yield ""
    yield "</details>"
    yield ""


def _skipped(found: Findings) -> Iterator[str]:
    if not found.skipped:
        return
    yield f"<details><summary>Skipped ({sum(found.skipped.values())})</summary>"
    yield ""
    lines = [f"- {count} × {sentence(reason)}" for reason, count in found.skipped.items()]
    yield from fitting(lines, SKIPPED_SHARE, "- and {} more")
    yield ""
    yield "</details>"
    yield ""


def _chart(frame: pd.DataFrame) -> Iterator[str]:
    chart = FIGURES["ball_chart"]
    if not chart.lacking(frame):
        yield from mermaid.ball_chart(chart(frame), chart.title, frame, looks(frame))
        yield ""


def _table(frame: pd.DataFrame) -> Iterator[str]:
    if frame.empty:
        return
    shown = [key for key in SHOWN if frame[key].notna().any()]
    count = frame["architecture"].nunique()
    yield f"### Networks ({count}{'' if count == len(frame) else f' in {len(frame)} rows'})"
    yield ""
    yield "| Network | Setting | " + "".join(f"{COLUMNS[key].title} | " for key in shown) + "Top-1 from |"
    yield "| --- | --- |" + " ---: |" * len(shown) + " --- |"
    rows = [
        f"| {code(record['architecture'])} | {_where(record)} | "
        + "".join(f"{_quantity(record, key)} | " for key in shown)
        + f"{escaped(_short(_from(record)))} |"
        for record in frame.to_dict("records")
    ]
    yield from fitting(rows, TABLE_SHARE, "\nand {} more")
    if any(doubt(record, key) for record in frame.to_dict("records") for key in shown):
        yield ""
        yield f"{DOUBTFUL} disturbed, or less certain than was asked for: `measurements.csv` says how."


def _quantity(record: Record, key: str) -> str:
    if not measured(record[key]):
        return "–"
    return with_interval(record, key) + (f" {DOUBTFUL}" if doubt(record, key) else "")


def _from(record: Record) -> str:
    """Whose the top-1 is, and of which data where they were measured: ``measured on digits``."""
    source, data = record["top1_source"] or "", record["top1_data"]
    return f"{source} on {data}" if source == MEASURED and data else source


def _accounts(frame: pd.DataFrame) -> Iterator[str]:
    """What each measured accuracy is of, by name: subsets, own labels, weights, what was stopped early, trainings."""
    of: dict[str, dict[str, None]] = defaultdict(dict)
    measured_here = frame[frame["origin"] == MEASURED]
    for record in measured_here.to_dict("records"):
        for said in _told(record):
            of[said][record["architecture"]] = None
    if of:
        yield ""
        yield "### What the accuracies are of"
        yield ""
        lines = [f"- {sentence(said)}: {_names([*names])}" for said, names in of.items()]
        lines += [f"- {RUNNING['train_accuracy']}"] if measured_here["training_of"].notna().any() else []
        yield from fitting(lines, ACCOUNT_SHARE, "- and {} more")


def _beside(near: Beside | None) -> Iterator[str]:
    """The first table of what was published on other devices; the others are on the page and in a file."""
    if near is None or not near.comparisons:
        return
    first, *others = near.comparisons
    yield ""
    yield f"<details><summary>Beside published devices: {escaped(first.title)}</summary>"
    yield ""
    yield SAID + (" More of them: `tables/beside_published.csv`." if others else "")
    yield ""
    yield "| Network | " + "".join(f"{escaped(_short(name))} | " for name, _ in first.heads)
    yield "| --- |" + " ---: |" * len(first.heads)
    rows = [f"| {code(name)} | " + "".join(f"{cell.text} | " for cell in cells) for name, cells in first.rows]
    yield from fitting(rows, BESIDE_SHARE, "\nand {} more")
    yield ""
    yield "</details>"


def _told(record: Record) -> Iterator[str]:
    """What the evaluation and the training of a network were of; top-5 is said where it is of something else."""
    top1, top5 = (evaluation(record, key) for key in EVALUATED)
    if top1:
        yield f"Top-1 on {top1}"
    if top5 and top5 != top1:
        yield f"Top-5 on {top5}"
    if record["training_of"]:
        yield f"Trained on {record['training_of']}"


def _names(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return ", ".join(map(code, names[:MOST_NAMES])) + more


def fitting(lines: Sequence[str], size: int, more: str) -> list[str]:
    """As many lines as ``size`` bytes of UTF-8 hold, then ``more`` with the number of those left out."""
    kept: list[str] = []
    for line in lines:
        size -= len(line.encode()) + 1
        if size < 0:
            return [*kept, more.format(len(lines) - len(kept))]
        kept.append(line)
    return kept


def _where(record: Record) -> str:
    return escaped(_short(place(record)))


def _short(text: str, length: int = LONGEST_NAME) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def sentence(value: object) -> str:
    return escaped(_short(legible(value), LONGEST_SENTENCE))


def escaped(text: str) -> str:
    """Text that Markdown shows as it is: no tag, link, image, table cell, emphasis or mention comes of it."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    text = re.sub(r"([\\`*\[\]|~#!$])", r"\\\1", text)
    text = re.sub(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])", r"\_", text)
    return text.replace("@", "@\u200b")  # a zero-width space: no one is called to a pull request by a network's name


def code(value: object) -> str:
    """A name as it is, in a code span that its own backticks cannot end; a pipe is escaped even there."""
    text = _short(legible(value) or "unknown")
    fence = "`" * (max(map(len, re.findall("`+", text)), default=0) + 1)
    pad = " " if "`" in text else ""
    return f"{fence}{pad}{text}{pad}{fence}".replace("|", "\\|")
