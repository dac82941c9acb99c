"""The page as text: what it says, in which order, and that nothing untrusted becomes markup."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from report_data import EVIL, HEADER, SOURCES, Run, broken, published, row, small, verdict

from pytest_archbench import meters  # noqa: F401  (enters the metrics)
from pytest_archbench.registry import METRICS
from pytest_archbench.report import frames, page, render
from pytest_archbench.report.columns import COLUMNS, counted, fixed, remedy


class Seen(HTMLParser):
    """Every tag, and attributes that could load or run something."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs


def html(run: Run, figures: object = (), sources: dict[str, str] | None = None) -> str:
    return page.html(run, frames.networks(run, figures), [], SOURCES if sources is None else sources)  # type: ignore[arg-type]


def text_of(fragment: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", fragment).split())


def test_failures_come_first_each_with_its_sentence() -> None:
    said = html(*small())
    order = [
        said.index(part)
        for part in (
            "out of memory: 2 GiB asked",
            "deviates (+8.2 %)",
            "convolutions only",
            "no baseline.",
            "Some Processor",
            'id="networks"',
        )
    ]
    assert order == sorted(order)
    assert "resnet18, oom : out of memory: 2 GiB asked latency · cpu, batch 1" in text_of(said)


def test_what_was_not_measured_is_counted_in_red_before_all_verdicts() -> None:
    said = html(broken())
    chips = re.findall(r'<li class="(\w+)"><b>(\d+)</b> ([\w ]+)</li>', said)
    assert chips == [
        ("fail", "1", "crashed"),
        ("fail", "3", "failed"),
        ("fail", "1", "timeout"),
        ("fail", "2", "oom"),
        ("skip", "1", "inconclusive"),
        ("skip", "1", "skipped"),
    ]


def test_a_network_that_gives_no_number_to_any_metric_is_listed_once() -> None:
    said = text_of(html(broken()))
    assert "Tried and not measured (7 cases)" in said
    assert (
        "headless, failed : KeyError: &#39;no such head&#39; (in meters/running.py:32)"
        " latency, macs, params · cpu, batch 1"
    ) in said
    assert said.count("no such head") == 1
    assert said.count("GiB asked") == 2  # another message is another reason


def test_a_case_at_two_batch_sizes_that_ends_alike_names_both() -> None:
    rows = [row("a", "latency", status="oom", message="too large", batch_size=size) for size in (8, 64)]
    said = text_of(html(Run(HEADER, tuple(rows))))
    assert "Tried and not measured (2 cases)" in said
    assert "a, oom : too large latency · cpu, batch 8; cpu, batch 64" in said


def test_it_says_what_ran_on_what() -> None:
    said = text_of(html(*small()))
    assert "Run run-7 · commit 0123abc, with uncommitted changes · 3 networks on cpu · 8 cases" in said
    assert "packages.torch 2.15.0" in said
    assert "fingerprint.cores 2" in said


def test_one_of_a_thing_is_no_plural() -> None:
    said = text_of(html(Run({"run": "r"}, (row("a", "macs", 5),))))
    assert "Run r · commit unknown · 1 network on cpu · 1 case What" in said
    assert [counted(number, "thread") for number in (0, 1, 2)] == ["0 threads", "1 thread", "2 threads"]


def test_bytes_of_a_device_are_readable_and_exact() -> None:
    devices = {"cpu": {"memory_bytes": 25_276_502_016, "cores": 2}}
    assert '<dt>memory</dt><dd title="25276502016 B">23.5 GiB</dd>' in html(Run({"run": "r", "devices": devices}, ()))
    assert page.flat(devices["cpu"])[1] == page.Fact("cores", "2")


def test_a_key_of_published_figures_is_not_shown() -> None:
    run = Run(HEADER, (row("resnet50", "macs", 5, topology="timm:resnet50"), row("resnet50", "params", 7)))
    assert "timm:" not in html(run, [published("timm:resnet50", 0.8, "timm_suite")])


def test_a_published_value_links_to_its_source() -> None:
    said = html(*small())
    assert '<td><a href="https://example.org/bianco" rel="noopener noreferrer">bianco2018</a></td>' in said
    assert '· <a href="https://example.org/torchvision" rel="noopener noreferrer">torchvision</a></small>' in said


@pytest.mark.parametrize("address", ["javascript:alert(1)", "data:text/html,x", "//example.org", "http://[", ""])
def test_only_a_web_address_becomes_a_link(address: str) -> None:
    said = html(*small(), sources={"bianco2018": address})
    assert "<a " not in said
    assert "<td>bianco2018</td>" in said


def test_a_quantity_nobody_measured_has_no_column_but_a_mention() -> None:
    run, figures = small()
    made = page.table(frames.networks(run, figures))
    assert "Peak memory" not in [head.heading for head in made.heads]
    assert made.remedy == (
        "To measure: `pytest --archbench --archbench-metric=activations,model_size,throughput,peak_memory`."
        " Not measured by this version: energy."
        " Neither measured by this version nor published for these networks: top-5."
    )
    assert made.absent == ["activations", "model size", "throughput", "peak memory", "energy", "top-5"]


def test_a_cell_holds_the_exact_number_and_shows_a_short_one() -> None:
    run, figures = small()
    made = page.table(frames.networks(run, figures))
    place = [head.heading for head in made.heads].index("Operations")
    assert [(row[place].value, row[place].text) for row in made.rows][1] == ("4089184256", "4.089")
    latency = [head.heading for head in made.heads].index("Latency")
    assert [(row[latency].value, row[latency].text) for row in made.rows] == [("", ""), ("0.03", "30.00"), ("", "")]


def test_advice_asks_for_metrics_that_this_version_has_and_denies_only_those_it_lacks() -> None:
    assert {column.metric for column in COLUMNS.values() if column.metric} <= {*METRICS}
    assert [key for key, column in COLUMNS.items() if column.absence] == ["energy", "top1", "top5"]
    assert not {"energy", "top1_accuracy", "top5_accuracy"} & {*METRICS}
    assert remedy(["accuracy_density"]) == remedy([]) == ""


@pytest.mark.parametrize(
    ("value", "decimals", "expected"),
    [(4.089184, 3, "4.089"), (0.00420, 3, "0.00420"), (0, 2, "0.00"), (143.667, 2, "143.67"), (0.05, 2, "0.0500")],
)
def test_numbers_keep_three_significant_places(value: float, decimals: int, expected: str) -> None:
    assert fixed(value, decimals) == expected


def test_an_empty_run_says_so() -> None:
    said = text_of(html(Run({}, ())))
    assert "This run has no measurements." in said
    assert "pytest --archbench measures the networks of the default suite" in said
    assert "No network to show yet." in said
    assert "Nothing failed" not in said


def test_a_run_without_failures_says_so() -> None:
    assert "Nothing failed." in html(Run(HEADER, (row("a", "macs", 5, verdicts=(verdict("passed"),)),)))


def test_nothing_is_loaded_from_anywhere(tmp_path: Path) -> None:
    run, figures = small()
    render(run, tmp_path, figures, SOURCES)
    seen = Seen((tmp_path / "index.html").read_text(encoding="utf-8"))
    assert not {"img", "iframe", "object", "embed", "base", "form"} & set(seen.tags)
    addresses = [value for name, value in seen.attributes if name in ("src", "href", "xlink:href", "srcset", "action")]
    assert {value for value in addresses if not str(value).startswith("#")} == {"data:,", *SOURCES.values()}
    ids = [value for name, value in seen.attributes if name == "id"]
    assert len(ids) == len(set(ids))


UNTRUSTED = st.text(max_size=40) | st.sampled_from(
    [EVIL, "</script>", "</title>", "{{ 7 * 7 }}", "]]>", "\x00", "\ud800", "$x$"]
)


@settings(max_examples=40, deadline=None)
@given(name=UNTRUSTED, family=UNTRUSTED, reason=UNTRUSTED, message=UNTRUSTED, source=UNTRUSTED)
def test_no_text_becomes_markup(name: str, family: str, reason: str, message: str, source: str) -> None:
    def made(name: str, family: str, reason: str, message: str, source: str) -> list[str]:
        rows = (
            row(
                name,
                "macs",
                5,
                family=family,
                verdicts=(verdict("deviates", reason, source), verdict("known deviation", reason, source)),
            ),
            row(name, "params", 7, family=family),
            row(name, "latency", status="crashed", message=message),
        )
        header = HEADER | {"run": name, "environment": {family: message}}
        text = html(Run(header, rows), [published(name, 0.5, source)], {})
        assert text.encode("utf-8")
        return Seen(text).tags

    assert made(name, family, reason, message, source) == made("n", "f", "r", "m", "s")
