"""The page: its text by parsing, its behaviour in a real browser without a network."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from playwright.sync_api import Browser, Page, sync_playwright
from report_data import HEADER, SOURCES, Run, published, row, small, verdict

from pytest_archbench.report import frames, page, render
from pytest_archbench.report.columns import fixed

EVIL = "<script>document.title='owned'</script>\"'><img src=x onerror=alert(1)>"


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
            "deviates (+8.2 %)",
            "out of memory: 2 GiB asked",
            "convolutions only",
            "no baseline.",
            "Some Processor",
            'id="networks"',
        )
    ]
    assert order == sorted(order)
    assert "resnet18 latency, oom: out of memory: 2 GiB asked" in said


def test_it_says_what_ran_on_what() -> None:
    said = text_of(html(*small()))
    assert "Run run-7 · commit 0123abc, with uncommitted changes · 3 networks on cpu · 8 measurements" in said
    assert "packages.torch 2.15.0" in said
    assert "fingerprint.cores 2" in said


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
    assert made.absent == ["activations", "model size", "throughput", "peak memory", "energy", "top-5"]


def test_a_cell_holds_the_exact_number_and_shows_a_short_one() -> None:
    run, figures = small()
    made = page.table(frames.networks(run, figures))
    place = [head.heading for head in made.heads].index("Operations")
    assert [(row[place].value, row[place].text) for row in made.rows][1] == ("4089184256", "4.089")
    latency = [head.heading for head in made.heads].index("Latency")
    assert [(row[latency].value, row[latency].text) for row in made.rows] == [("", ""), ("0.03", "30.00"), ("", "")]


@pytest.mark.parametrize(
    ("value", "decimals", "expected"),
    [(4.089184, 3, "4.089"), (0.00420, 3, "0.00420"), (0, 2, "0.00"), (143.667, 2, "143.67"), (0.05, 2, "0.0500")],
)
def test_numbers_keep_three_significant_places(value: float, decimals: int, expected: str) -> None:
    assert fixed(value, decimals) == expected


def test_an_empty_run_says_so() -> None:
    said = text_of(html(Run({}, ())))
    assert "This run has no measurements." in said
    assert "pytest bench_suite --archbench" in said
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


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("Chromium is not installed: apt-get install chromium")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A report with a hostile network and a hostile sentence in it."""
    folder = tmp_path_factory.mktemp("report")
    run, figures = small()
    hostile = (
        row(EVIL, "params", 3_000_000, family=EVIL),
        row(EVIL, "macs", 300_000_000, family=EVIL, verdicts=(verdict("regressed", EVIL, EVIL),)),
    )
    render(Run(run.header | {"run": EVIL}, (*run.rows, *hostile)), folder, [*figures, published(EVIL, 0.6)], SOURCES)
    return (folder / "index.html").as_uri()


@pytest.fixture
def opened(browser: Browser, address: str) -> Iterator[Page]:
    """The page, freshly opened offline; at the end it must have complained of nothing and asked for nothing."""
    context = browser.new_context(offline=True, viewport={"width": 1280, "height": 900}, color_scheme="light")
    tab = context.new_page()
    complaints: list[str] = []
    tab.on("console", lambda said: complaints.append(said.text))
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.on("request", lambda asked: None if asked.url == address else complaints.append(asked.url[:99]))
    tab.goto(address)
    yield tab
    context.close()
    assert [said for said in complaints if said != "data:,"] == []


def column(tab: Page, number: int) -> list[str]:
    return [
        text.strip() for text in tab.locator(f"#networks tbody tr:visible > :nth-child({number})").all_text_contents()
    ]


@pytest.mark.browser
def test_it_sorts_by_a_click_and_again_the_other_way(opened: Page) -> None:
    head = opened.get_by_role("columnheader", name="Parameters")
    head.get_by_role("button").click()
    assert column(opened, 5) == ["61.00", "25.00", "11.70", "3.00"]
    assert head.get_attribute("aria-sort") == "descending"
    head.get_by_role("button").click()
    assert column(opened, 5) == ["3.00", "11.70", "25.00", "61.00"]
    assert head.get_attribute("aria-sort") == "ascending"


@pytest.mark.browser
def test_it_sorts_by_keyboard_and_names_by_their_numbers(opened: Page) -> None:
    opened.get_by_role("columnheader", name="Network").get_by_role("button").focus()
    opened.keyboard.press("Enter")
    assert column(opened, 1)[1:] == ["alexnet", "resnet18", "resnet50"]
    opened.keyboard.press("Space")
    assert column(opened, 1)[:3] == ["resnet50", "resnet18", "alexnet"]


@pytest.mark.browser
def test_what_was_not_measured_stays_last_either_way(opened: Page) -> None:
    button = opened.get_by_role("columnheader", name="Latency").get_by_role("button")
    for _ in range(2):
        button.click()
        assert column(opened, 7) == ["30.00", "–", "–", "–"]


@pytest.mark.browser
def test_verdicts_sort_by_how_bad_they_are(opened: Page) -> None:
    opened.get_by_role("columnheader", name="Verdict").get_by_role("button").click()
    assert column(opened, 11) == ["regressed", "deviates", "known deviation", "no baseline"]


@pytest.mark.browser
def test_it_filters_by_words(opened: Page) -> None:
    opened.fill("#filter", "RESNET bianco")
    assert column(opened, 1) == ["resnet50"]
    assert opened.locator("#shown").text_content() == "1 of 4 rows"
    opened.fill("#filter", "")
    assert len(column(opened, 1)) == 4


@pytest.mark.browser
def test_a_ball_says_what_it_is(opened: Page) -> None:
    titles = opened.locator("#ball_chart svg title").all_text_contents()
    assert "resnet50 · family resnet · top-1 76.01 % (bianco2018) · 4.089 GMAC · 25.00 M parameters" in titles
    assert len(titles) == 4
    hit = opened.evaluate(
        """() => {
            const ball = document.getElementById("ball_chart-network-0");
            ball.scrollIntoView({ block: "center" });
            const box = ball.getBoundingClientRect();
            const hit = document.elementFromPoint(box.x + box.width / 2, box.y + box.height * 0.9);
            return hit.closest("g:has(> title)")?.querySelector("title").textContent;
        }"""
    )
    assert str(hit).startswith("alexnet · family alexnet")


@pytest.mark.browser
def test_a_hostile_name_is_shown_and_not_obeyed(opened: Page) -> None:
    assert opened.title() == f"archbench: {EVIL}"
    assert EVIL in column(opened, 1)
    assert any(EVIL in text for text in opened.locator("#ball_chart svg text").all_text_contents()) is False
    assert any(text.startswith("<script>") for text in opened.locator("#ball_chart svg text").all_text_contents())
    assert opened.locator("img").count() == 0


@pytest.mark.browser
def test_dark_is_dark_and_its_chart_is_legible(opened: Page) -> None:
    light = opened.screenshot()
    opened.emulate_media(color_scheme="dark")
    assert opened.screenshot() != light
    fill = "element => getComputedStyle(element).fill"
    ink = opened.locator("#ball_chart svg text").first.evaluate(fill)
    paper = opened.locator("#ball_chart-patch_1 path").evaluate(fill)
    assert brightness(ink) > 200
    assert brightness(paper) < 40


def brightness(colour: str) -> float:
    """0 to 255 of ``rgb(r, g, b)``."""
    return sum(float(part) for part in re.findall(r"[\d.]+", colour)[:3]) / 3


@pytest.mark.browser
@pytest.mark.parametrize("width", [320, 390, 768, 1920])
def test_no_width_makes_the_body_scroll_sideways(opened: Page, width: int) -> None:
    opened.set_viewport_size({"width": width, "height": 800})
    assert opened.evaluate("document.documentElement.scrollWidth") == width
    table = opened.locator(".scroll").evaluate("element => element.scrollWidth - element.clientWidth")
    assert table > 0 or width > 1000


@pytest.mark.browser
def test_print_shows_everything(opened: Page) -> None:
    opened.evaluate("document.querySelectorAll('details').forEach((part) => { part.open = false; })")
    opened.emulate_media(media="print", color_scheme="dark")
    assert opened.pdf(format="A4").startswith(b"%PDF")
    assert opened.evaluate("[...document.querySelectorAll('details')].every((part) => part.open)")
    assert brightness(opened.locator("body").evaluate("element => getComputedStyle(element).color")) < 80
