"""``summary.md``: what it says, that it stays small, and that no text can break out of its place."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from report_data import HEADER, Run, broken, evaluated, many, published, row, small, trained, verdict

from pytest_archbench.records import Baseline
from pytest_archbench.report import frames, text
from pytest_archbench.report.cells import legible
from pytest_archbench.report.mermaid import label
from pytest_archbench.report.text import LIMIT, code, escaped, fitting


def summary(run: Run, figures: Sequence[Baseline] = ()) -> str:
    return text.summary(run, frames.networks(run, figures))


def test_it_counts_verdicts_and_says_what_failed() -> None:
    said = summary(*small())
    assert "| oom | deviates | known deviation | passed | no baseline |" in said
    assert "| 1 | 1 | 1 | 1 | 1 |" in said
    assert "### What failed" in said
    assert "- **deviates** (cpu, batch 1): resnet50 macs: 4.089 GMAC, deviates (+8.2 %) from torchvision" in said
    assert "- **oom** `resnet18`: out of memory: 2 GiB asked (`latency`; cpu, batch 1)" in said
    assert "commit 0123abc, with uncommitted changes" in said


def test_what_was_not_measured_is_counted_by_its_status_and_listed_once_for_each_reason() -> None:
    said = summary(broken())
    assert "| crashed | failed | timeout | oom | inconclusive | skipped |" in said
    assert "| 1 | 3 | 1 | 2 | 1 | 1 |" in said
    listed = [line for line in said.splitlines() if line.startswith("- **")]
    assert listed == [
        "- **crashed** `boom`: signal SIGSEGV (`latency`; cpu, batch 1)",
        "- **failed** `headless`: KeyError: 'no such head' (in meters/running.py:32)"
        " (`latency`, `macs`, `params`; cpu, batch 1)",
        "- **timeout** `slow`: no answer for 600 s (`latency`; cpu, batch 1)",
        "- **oom** `huge`: 9 GiB asked (`latency`; cpu, batch 64)",
        "- **oom** `huge`: 4 GiB asked (`latency`; cpu, batch 8)",
    ]


def test_it_folds_known_deviations() -> None:
    folded = re.search(r"<details>(.*)</details>", summary(*small()), re.DOTALL)
    assert folded is not None
    assert "Known deviations (1)" in folded.group(1)
    assert "alexnet macs: 714.0 MMAC, known deviation: convolutions only" in folded.group(1)


POINT = re.compile(
    r' {4}"(?P<name>[\w.:+? -]+)": \[(?P<x>0\.\d{3}), (?P<y>0\.\d{3})\] radius: (?P<r>\d+), color: #[0-9a-f]{6}'
)
"""A point of a Mermaid quadrant chart: its grammar knows whole radii only."""


def chart(said: str) -> list[str]:
    """The lines of the chart."""
    return said.split("```mermaid\n")[1].split("```")[0].splitlines()


def test_the_chart_is_drawn_by_the_host_and_needs_no_file() -> None:
    _, kind, title, x, y, *points = chart(summary(*small()))
    assert kind == "quadrantChart"
    assert title == "    title Top-1 accuracy against operations; area for parameters"
    assert x == '    x-axis "Operations from 0.714" --> "to 4.09 GMAC, logarithmic"'
    assert y == '    y-axis "Top-1 from 56.6" --> "to 76 %"'
    found = {match["name"]: match for match in map(POINT.fullmatch, points) if match}
    assert list(found) == ["alexnet", "resnet50", "resnet18"]  # the largest first, so that none hides another
    assert (found["alexnet"]["x"], found["alexnet"]["y"], found["alexnet"]["r"]) == ("0.050", "0.050", "24")
    assert (found["resnet50"]["x"], found["resnet50"]["y"]) == ("0.950", "0.950")
    assert found["resnet50"]["r"] == "15"  # 24 * sqrt(25 / 61)
    # log10(1.814 / 0.714) / log10(4.089 / 0.714) = 0.534, and (69.64 - 56.62) / (76.01 - 56.62) = 0.671
    assert (found["resnet18"]["x"], found["resnet18"]["y"]) == ("0.531", "0.654")


def test_a_crowd_is_shown_by_its_front_and_the_best_of_its_families() -> None:
    said = summary(*many(100, families=5))
    assert len([line for line in chart(said) if POINT.fullmatch(line)]) == 16
    assert "16 of 100 networks, those on the Pareto front first; all are in `figures/`." in said


def test_no_name_breaks_out_of_the_chart() -> None:
    name = 'a"]: [0, 0]\n```<script>'
    run = Run(HEADER, (row(name, "macs", 5), row(name, "params", 7)))
    *_, point = chart(summary(run, [published(legible(name), 0.5)]))
    assert POINT.fullmatch(point)


def test_what_was_measured_in_turn_is_told_whatever_came_of_it() -> None:
    said = verdict("passed", "a latency: as fast (-0.1 % to +0.2 %)", "main (27aea02aec)", 0.0005)
    timed = row("a", "latency", 0.1, verdicts=(said,)) | {"against": {"side": "main (27aea02aec)", "log_ratios": [0.0]}}
    text_of_it = summary(Run(HEADER, (timed,)))
    assert (
        "### Measured in turn against main (27aea02aec)\n\n- **passed** (cpu, batch 1): a latency: as fast"
        in text_of_it
    )


def test_what_improved_is_told() -> None:
    said = summary(Run(HEADER, (row("a", "latency", 5, verdicts=(verdict("improved", "a latency: faster"),)),)))
    assert "### What improved\n\n- **improved** (cpu, batch 1): a latency: faster" in said


def test_it_shows_the_networks() -> None:
    said = summary(*small())
    # 76.01 % / 25 M = 3.04; the median of 20, 30 and 40 ms; no memory was measured, so it has no column.
    assert "| `resnet50` | cpu, batch 1 | 25.00 | 4.089 | 76.01 | 3.04 | 30.00 | bianco2018 |" in said
    assert "| `alexnet` | cpu, batch 1 | 61.00 | 0.714 | 56.62 | 0.928 | – | bianco2018 |" in said
    assert "Peak memory" not in said


def test_nothing_failed_has_no_heading() -> None:
    said = summary(Run(HEADER, (row("a", "macs", 5, verdicts=(verdict("passed"),)),)))
    assert "failed" not in said
    assert "<details>" not in said


@pytest.mark.parametrize(
    ("dirty", "said"), [(True, "with uncommitted changes"), (False, ""), ("unknown", "unknown whether with changes")]
)
def test_it_says_whether_the_commit_tells_all(dirty: object, said: str) -> None:
    line = next(line for line in summary(Run(HEADER | {"dirty": dirty}, ())).splitlines() if line.startswith("Run"))
    assert line == "Run `run-7`, commit 0123abc" + (f", {said}." if said else ".")


@pytest.mark.parametrize("header", [{}, {"commit": "unknown", "dirty": "unknown"}, {"commit": None, "dirty": True}])
def test_an_unknown_commit_has_no_unknown_changes(header: dict[str, object]) -> None:
    line = next(line for line in summary(Run({"run": "run-7"} | header, ())).splitlines() if line.startswith("Run"))
    assert line == "Run `run-7`, commit unknown."


def test_an_empty_run_says_so_and_what_to_do() -> None:
    said = summary(Run({}, ()))
    assert "no measurements" in said
    assert "`pytest --archbench`" in said
    assert "figures/" not in said


def test_a_thousand_networks_and_failures_stay_small_and_are_counted() -> None:
    run, figures = many(1400, families=60)
    failures = [
        row(
            f"broken{index}",
            "macs",
            1,
            verdicts=(verdict("deviates", "ü" * 900), verdict("known deviation", "é" * 900)),
        )
        for index in range(1000)
    ]
    said = summary(Run(HEADER, (*run.rows, *failures)), figures)
    assert len(said.encode()) < LIMIT
    left_out = [int(number) for number in re.findall(r"and (\d+) more", said)]
    assert left_out[:2] == [1000 - said.count("- **deviates**"), 1000 - len(re.findall("^- é", said, re.MULTILINE))]
    assert left_out[2] == 2400 - len(re.findall("^\\| `", said, re.MULTILINE))


def test_lines_that_fit_exactly_are_kept() -> None:
    assert fitting(["abc", "de"], 7, "{} more") == ["abc", "de"]
    assert fitting(["abc", "de"], 6, "{} more") == ["abc", "1 more"]
    assert fitting([], 0, "{} more") == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a|b", r"a\|b"),
        ("<script>", "&lt;script&gt;"),
        ("![x](http://y)", r"\!\[x\](http://y)"),
        ("mobilenet_v2 _it_", r"mobilenet_v2 \_it\_"),
        ("@team", "@\u200bteam"),
        ("`a` & *b*", r"\`a\` &amp; \*b\*"),
    ],
)
def test_markdown_is_escaped(text: str, expected: str) -> None:
    assert escaped(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("a_b", "`a_b`"), ("a|b", r"`a\|b`"), ("a`b", "`` a`b ``"), ("``", "``` `` ```"), ("", "`unknown`")],
)
def test_a_name_is_a_code_span(text: str, expected: str) -> None:
    assert code(text) == expected


UNTRUSTED = st.text(max_size=60) | st.sampled_from(
    [
        "<script>alert(1)</script>",
        "a|b",
        "</details>",
        "x\n\n# heading",
        "`|`",
        "$x$",
        "\x00",
        "\ud800",
        "@all",
        "](http://e)",
    ]
)


@settings(max_examples=60, deadline=None)
@given(name=UNTRUSTED, family=UNTRUSTED, reason=UNTRUSTED, message=UNTRUSTED, source=UNTRUSTED, run=UNTRUSTED)
def test_no_text_breaks_the_summary(name: str, family: str, reason: str, message: str, source: str, run: str) -> None:
    rows = (
        row(name, "macs", 5, family=family, verdicts=(verdict("deviates", reason), verdict("known deviation", reason))),
        row(name, "params", 7, family=family),
        row(name, "latency", status="crashed", message=message, device=source),
    )
    said = summary(Run(HEADER | {"run": run, "commit": source}, rows), [published(name, 0.5, source)])
    assert said.encode("utf-8")
    outside = re.sub(r"(?<!\\)(`+)(?!`).*?(?<!`)\1(?!`)", "", said)
    assert set(re.findall(r"<[a-z/]+", outside)) == {"<details", "<summary", "</summary", "</details"}
    assert len(re.findall("^#+ ", said, re.MULTILINE)) == 3
    (line,) = [line for line in said.splitlines() if line.startswith("| `")]
    heading = next(line for line in said.splitlines() if line.startswith("| Network"))
    assert len(re.findall(r"(?<!\\)\|", line)) == heading.count("|")


def test_it_says_what_an_accuracy_is_of_by_name() -> None:
    rows = (
        evaluated("early", "imagenet", 0.75, 500, total=50_000, risk=0.05),
        evaluated("few", "imagenet", 0.9, 500, part="10 of 1,000 classes", random=False),
        evaluated("own", "imagenet", 0.9, 30, part="own labels: 2 classes", random=False),
        trained("one", "digits", valid_accuracy=(0.5, 0.9)),
        trained("two", "digits", valid_accuracy=(0.5, 0.8)),
    )
    said = summary(Run(HEADER, rows)).partition("### What the accuracies are of")[2].strip().splitlines()
    assert said == [
        "- Top-1 on imagenet, 500 of 50,000 images, stopped early at a risk of 5 %, weights early.pth: `early`",
        "- Top-1 on imagenet, 10 of 1,000 classes, 500 images, weights few.pth: `few`",
        "- Top-1 on imagenet, own labels: 2 classes, 30 images, weights own.pth: `own`",
        "- Trained on digits, 2 epochs, batches of 32: `one`, `two`",
        "- Training accuracy is a running value over the epoch, taken while the weights still change: it may lie below"
        " validation accuracy.",
    ]


def test_a_measured_accuracy_has_its_interval_in_the_table() -> None:
    said = summary(Run(HEADER, (evaluated("a", "digits", 0.95, 360),)))
    assert "| `a` | cpu, batch 1 | 95.00 (94.00 to 96.00) | measured on digits |" in said
    assert "What the accuracies are of" not in summary(*small())


def test_what_was_assumed_of_weights_is_said_and_top5_where_it_is_of_something_else() -> None:
    one = evaluated("a", "imagenet", 0.5, 600) | {"notes": ["600 images in 2 s", "preprocessing assumed: of B.V1"]}
    rows = (one, evaluated("b", "digits", 0.5, 360), evaluated("b", "digits", 0.9, 300, "top5_accuracy", total=360))
    said = summary(Run(HEADER, rows)).partition("### What the accuracies are of")[2].strip().splitlines()
    assert said == [
        "- Top-1 on imagenet, 600 images, weights a.pth, preprocessing assumed: of B.V1: `a`",
        "- Top-1 on digits, 360 images, weights b.pth: `b`",
        "- Top-5 on digits, 300 of 360 images, weights b.pth: `b`",
    ]


def test_the_title_of_the_chart_is_readable_and_cut_at_no_number() -> None:
    rows = [evaluated("a/b", "imagenet", 0.9, 100, total=600, part="12 of 1,000 classes", random=False)]
    rows += [row("a/b", "macs", 10**9), row("a/b", "params", 10**6)]
    drawn = chart(summary(Run(HEADER, tuple(rows))))
    assert drawn[2].startswith(
        "    title Top-1 accuracy against operations (imagenet - 12 of 1000 classes - 100 of 600 images); area"
    )
    assert drawn[-1].startswith('    "a-b": ')


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("own labels: 1,234,567 of 2,000,000", "own labels - 1234567 of 2000000"),
        ("x" * 36 + "12345", "x" * 36 + "..."),  # 41 signs: 37 would end within the number
        ("y" * 34 + " 1.2345", "y" * 34 + "..."),
        ("z" * 41, "z" * 37 + "..."),
        ("50 % \u2013 8\u00d78", "50 percent - 8x8"),
    ],
)
def test_a_name_in_the_chart_is_readable_and_cut_at_no_number(name: str, shown: str) -> None:
    assert label(name) == shown
