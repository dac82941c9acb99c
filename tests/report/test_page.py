"""The page as text: what it says, in which order, and that nothing untrusted becomes markup."""

from __future__ import annotations

import base64
import gzip
import json
import re
from dataclasses import dataclass, replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markupsafe import Markup
from page_data import frame_of, html_of
from report_data import EVIL, HEADER, SOURCES, Run, broken, evaluated, published, row, small, trained, verdict

from pytest_archbench import meters  # noqa: F401  (enters the metrics)
from pytest_archbench.registry import METRICS
from pytest_archbench.report import Literature, page, render
from pytest_archbench.report.columns import COLUMNS, counted, fixed, remedy
from pytest_archbench.report.plotting import digest, library
from pytest_archbench.report.sheets import Extra, Sheet


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


def text_of(fragment: str) -> str:
    fragment = re.sub(r"<(script|style)[^>]*>.*?</\1>", " ", fragment, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", fragment).split())


def test_failures_come_first_each_with_its_sentence() -> None:
    said = html_of(*small())
    order = [
        said.index(part)
        for part in (
            "out of memory: 2 GiB asked",
            "deviates (+8.2 %)",
            "convolutions only",
            "no baseline.",
            'id="figures"',
            'id="recommend"',
            'id="networks"',
            "Some Processor",
        )
    ]
    assert order == sorted(order)
    assert "resnet18, oom : out of memory: 2 GiB asked latency · cpu, batch 1" in text_of(said)


def test_what_was_not_measured_is_counted_in_red_before_all_verdicts() -> None:
    said = html_of(broken())
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
    said = text_of(html_of(broken()))
    assert "Tried and not measured (7 cases)" in said
    assert (
        "headless, failed : KeyError: &#39;no such head&#39; (in meters/running.py:32)"
        " latency, macs, params · cpu, batch 1"
    ) in said
    assert said.count("no such head") == 1
    assert said.count("GiB asked") == 2  # another message is another reason


def test_a_case_at_two_batch_sizes_that_ends_alike_names_both() -> None:
    rows = [row("a", "latency", status="oom", message="too large", batch_size=size) for size in (8, 64)]
    said = text_of(html_of(Run(HEADER, tuple(rows))))
    assert "Tried and not measured (2 cases)" in said
    assert "a, oom : too large latency · cpu, batch 8; cpu, batch 64" in said


def test_it_says_what_ran_on_what() -> None:
    said = text_of(html_of(*small()))
    assert "Run run-7 · commit 0123abc, with uncommitted changes · 3 networks on cpu · 8 cases" in said
    assert "packages.torch 2.15.0" in said
    assert "fingerprint.cores 2" in said


def test_published_figures_beside_a_run_are_not_taken_for_it() -> None:
    run, figures = small()
    elsewhere = replace(published("vgg16", 0.71, "elsewhere"), device="Titan", batch_size=1)
    said = text_of(html_of(run, [*figures, elsewhere], shown=["elsewhere"]))
    assert "3 networks on cpu · 8 cases · beside published figures of elsewhere" in said


def test_published_figures_alone_are_no_empty_run() -> None:
    said = text_of(html_of(Run({}, ()), small()[1], shown=["bianco2018"]))
    assert "archbench: published figures" in said
    assert "2 networks as published: bianco2018" in said
    assert "No run is shown here" in said
    assert "no measurements" not in said


def test_one_of_a_thing_is_no_plural() -> None:
    said = text_of(html_of(Run({"run": "r"}, (row("a", "macs", 5),))))
    assert "Run r · commit unknown · 1 network on cpu · 1 case What" in said
    assert [counted(number, "thread") for number in (0, 1, 2)] == ["0 threads", "1 thread", "2 threads"]


def test_bytes_of_a_device_are_readable_and_exact() -> None:
    devices = {"cpu": {"memory_bytes": 25_276_502_016, "cores": 2}}
    assert '<dt>memory</dt><dd title="25276502016 B">23.5 GiB</dd>' in html_of(
        Run({"run": "r", "devices": devices}, ())
    )
    assert page.flat(devices["cpu"])[1] == page.Fact("cores", "2")


def test_a_key_of_published_figures_is_not_shown() -> None:
    run = Run(HEADER, (row("resnet50", "macs", 5, topology="timm:resnet50"), row("resnet50", "params", 7)))
    assert "timm:" not in html_of(run, [published("timm:resnet50", 0.8, "timm_suite")])


def test_a_published_value_links_to_its_source() -> None:
    said = html_of(*small())
    assert '<td><a href="https://example.org/bianco" rel="noopener noreferrer">bianco2018</a></td>' in said
    assert '· <a href="https://example.org/torchvision" rel="noopener noreferrer">torchvision</a></small>' in said


@pytest.mark.parametrize("address", ["javascript:alert(1)", "data:text/html,x", "//example.org", "http://[", ""])
def test_only_a_web_address_becomes_a_link(address: str) -> None:
    said = html_of(*small(), sources={"bianco2018": address})
    assert [at for at in re.findall(r'href="([^"]*)"', said) if not at.startswith(("#", "figures/"))] == ["data:,"]
    assert "<td>bianco2018</td>" in said


def test_a_quantity_nobody_measured_has_no_column_but_a_mention() -> None:
    run, figures = small()
    made = page.table(frame_of(run, figures))
    assert "Peak memory" not in [head.heading for head in made.heads]
    assert made.remedy == (
        "To measure: the same `pytest --archbench` with"
        " `--archbench-metric=activations,model_size,throughput,peak_memory,peak_host_memory,energy,energy_above_idle,"
        "power,top5_accuracy`."
    )
    assert made.absent[:6] == ["activations", "model size", "throughput", "peak memory", "peak host memory", "energy"]


def test_a_cell_holds_the_exact_number_and_shows_a_short_one() -> None:
    run, figures = small()
    made = page.table(frame_of(run, figures))
    place = [head.heading for head in made.heads].index("Operations")
    assert [(row[place].value, row[place].text) for row in made.rows][1] == ("4089184256", "4.089")
    latency = [head.heading for head in made.heads].index("Latency")
    assert [(row[latency].value, row[latency].text) for row in made.rows] == [("", ""), ("0.03", "30.00"), ("", "")]


def test_advice_asks_for_metrics_that_this_version_has() -> None:
    assert {column.metric for column in COLUMNS.values() if column.metric} <= {*METRICS}
    assert remedy(["accuracy_density"]) == remedy([]) == ""


@pytest.mark.parametrize(
    ("value", "decimals", "expected"),
    [(4.089184, 3, "4.089"), (0.00420, 3, "0.00420"), (0, 2, "0.00"), (143.667, 2, "143.67"), (0.05, 2, "0.0500")],
)
def test_numbers_keep_three_significant_places(value: float, decimals: int, expected: str) -> None:
    assert fixed(value, decimals) == expected


def test_an_empty_run_says_so() -> None:
    said = text_of(html_of(Run({}, ())))
    assert "This run has no measurements." in said
    assert "pytest --archbench measures the networks of the default suite" in said
    assert "No network to show yet." in said
    assert "Nothing failed" not in said


def test_a_run_without_failures_says_so() -> None:
    assert "Nothing failed." in html_of(Run(HEADER, (row("a", "macs", 5, verdicts=(verdict("passed"),)),)))


def test_nothing_is_loaded_from_anywhere(tmp_path: Path) -> None:
    run, figures = small()
    render(run, tmp_path, Literature(tuple(figures), addresses=SOURCES))
    seen = Seen((tmp_path / "index.html").read_text(encoding="utf-8"))
    assert not {"img", "iframe", "object", "embed", "base", "form"} & set(seen.tags)
    addresses = [value for name, value in seen.attributes if name in ("src", "href", "xlink:href", "srcset", "action")]
    files = {str(value) for value in addresses if str(value).startswith("figures/")}
    assert "figures/ball_chart.svg" in files
    assert all((tmp_path / name).is_file() for name in files)
    others = {value for value in addresses if not str(value).startswith(("#", "figures/"))}
    assert others == {"data:,", *SOURCES.values()}
    ids = [value for name, value in seen.attributes if name == "id"]
    assert len(ids) == len(set(ids))


def test_what_runs_is_named_by_its_digest() -> None:
    said = html_of(*small())
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', said)
    assert policy
    script = said.rpartition("<script>")[2].partition("</script>")[0]
    assert f"script-src '{digest(script.encode())}' '{library().digest}'; img-src data:;" in policy[1]
    assert "unsafe-eval" not in policy[1]
    packed = re.search(r'id="library">([^<]*)<', said)
    assert packed
    assert digest(gzip.decompress(base64.b64decode(packed[1]))) == library().digest


def test_the_data_of_the_script_are_the_rows_of_the_table() -> None:
    found = re.search(r'id="data">([^<]*)<', html_of(*small()))
    assert found
    data = json.loads(found[1])
    assert data["rows"]["architecture"] == ["alexnet", "resnet50", "resnet18"]
    assert data["rows"]["macs"] == [714_000_000, 4_089_184_256, 1_814_000_000]
    assert data["rows"]["latency"] == [None, 0.03, None]
    assert data["sources"]["top1"] == ["bianco2018", "bianco2018", "torchvision"]
    assert data["failures"] == [["resnet18", "cpu", 1, "latency", "oom: out of memory: 2 GiB asked"]]
    assert data["standing"] == [True, True, False]


def test_a_figure_without_data_says_what_would_give_them() -> None:
    said = text_of(html_of(*small()))
    assert "Peak memory against model size: this run has no" in said
    assert "--archbench-metric=peak_memory,model_size" in said


def test_a_small_table_is_read_like_ours() -> None:
    made = Sheet(
        "top_memory", "Best under limits", ("Limit", "Network", "Top-1"), (("0.7 GB", EVIL, "70.1"),), "A note."
    )
    said = html_of(*small(), sheets=[made])
    assert '<details id="top_memory" open><summary>Best under limits (1 row)</summary>' in said
    assert '<th scope="col" class="number">Top-1</th>' in said
    assert '<td class="number">70.1</td>' in said
    assert EVIL not in said
    with pytest.raises(ValueError, match="has 2 heads and a row of 1 cells"):
        Sheet("t", "T", ("a", "b"), (("1",),))


def test_what_a_user_adds_stands_on_the_page() -> None:
    extras = [
        Extra("Energy", svg=b"<svg/>"),
        Extra("Cost", sheet=Sheet("cost", "Cost", ("Network", "€"), (("alexnet", "5"),))),
        Extra("Markup", html=Markup("<b>bold</b>")),
        Extra("Broken", error="conftest.py: `energy` raised KeyError: 'watt'"),
    ]
    said = html_of(*small(), extras=extras)
    assert f'<img src="data:image/svg+xml;base64,{base64.b64encode(b"<svg/>").decode()}" alt="Energy">' in said
    assert "<td>alexnet</td><td" in said
    assert "<b>bold</b>" in said
    assert "<code>energy</code> raised KeyError: &#39;watt&#39;" in said


@dataclass(frozen=True)
class Concluded:
    """What a conclusion of a paper looks like to the page."""

    statement: str
    source: str
    holds: bool | None
    sentence: str


def test_conclusions_of_papers_say_whether_they_hold_here() -> None:
    claims = [
        Concluded("Operations predict time", "bianco2018", False, "r² is 0.31 on cpu."),
        Concluded("Density differs", "nowhere", None, "one network only."),
    ]
    said = html_of(*small(), claims=claims)
    assert "What the papers concluded, on these data" in said
    assert (
        "Operations predict time does not hold here r² is 0.31 on cpu. bianco2018"
        " Density differs cannot be said one network only. nowhere"
    ) in text_of(said)
    assert said.index("does not hold here") > said.index('id="recommend"')


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
        text = html_of(Run(header, rows), [published(name, 0.5, source)], {})
        assert text.encode("utf-8")
        return Seen(text).tags

    assert made(name, family, reason, message, source) == made("n", "f", "r", "m", "s")


def test_a_measured_accuracy_says_in_the_table_what_it_is_of_and_links_nowhere() -> None:
    rows = (evaluated("a", "digits", 0.95, 360), trained("a", "digits", valid_accuracy=(0.5, 0.9)))
    made = page.table(frame_of(Run(HEADER, rows)))
    cells = dict(zip((head.heading for head in made.heads), made.rows[0], strict=True))
    assert (cells["Top-1"].text, cells["Top-1"].value) == ("95.00 (94.00 to 96.00)", "0.95")
    assert cells["Top-1 from"].text == "measured on digits, 360 images, weights a.pth"
    assert not cells["Top-1 from"].linked
    assert cells["Trained on"].text == "digits, 2 epochs, batches of 32"


def test_the_script_gets_curves_their_colours_and_what_they_are_of() -> None:
    rows = [trained(name, "digits", valid_accuracy=(0.5, 0.9), family="blocks") for name in "ab"]
    found = re.search(r'id="data">([^<]*)<', html_of(Run(HEADER, tuple(rows))))
    assert found
    data = json.loads(found[1])
    assert data["rows"]["valid_accuracy_epochs"] == [[[1, 0.5], [2, 0.9]]] * 2
    (chart,) = (each for each in data["charts"] if each["name"] == "learning_accuracy")
    (panel,) = chart["panels"]
    assert len(set(panel["strokes"])) == 2
    assert data["rows"][data["columns"]["valid_accuracy"]["told"]] == ["digits, 2 epochs, batches of 32"] * 2
