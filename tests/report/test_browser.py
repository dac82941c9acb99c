"""The page in a real browser without a network: it sorts, filters, darkens, fits a phone and prints."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright
from report_data import EVIL, SOURCES, Run, published, row, small, verdict

from pytest_archbench.report import render

pytestmark = pytest.mark.browser


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


def test_it_sorts_by_a_click_and_again_the_other_way(opened: Page) -> None:
    head = opened.get_by_role("columnheader", name="Parameters")
    head.get_by_role("button").click()
    assert column(opened, 5) == ["61.00", "25.00", "11.70", "3.00"]
    assert head.get_attribute("aria-sort") == "descending"
    head.get_by_role("button").click()
    assert column(opened, 5) == ["3.00", "11.70", "25.00", "61.00"]
    assert head.get_attribute("aria-sort") == "ascending"


def test_it_sorts_by_keyboard_and_names_by_their_numbers(opened: Page) -> None:
    opened.get_by_role("columnheader", name="Network").get_by_role("button").focus()
    opened.keyboard.press("Enter")
    assert column(opened, 1)[1:] == ["alexnet", "resnet18", "resnet50"]
    opened.keyboard.press("Space")
    assert column(opened, 1)[:3] == ["resnet50", "resnet18", "alexnet"]


def test_what_was_not_measured_stays_last_either_way(opened: Page) -> None:
    button = opened.get_by_role("columnheader", name="Latency").get_by_role("button")
    for _ in range(2):
        button.click()
        assert column(opened, 7) == ["30.00", "–", "–", "–"]


def test_verdicts_sort_by_how_bad_they_are(opened: Page) -> None:
    opened.get_by_role("columnheader", name="Verdict").get_by_role("button").click()
    assert column(opened, 11) == ["oom", "regressed", "deviates", "known deviation"]


def test_it_filters_by_words(opened: Page) -> None:
    opened.fill("#filter", "RESNET bianco")
    assert column(opened, 1) == ["resnet50"]
    assert opened.locator("#shown").text_content() == "1 of 4 rows"
    opened.fill("#filter", "")
    assert len(column(opened, 1)) == 4


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


def test_a_hostile_name_is_shown_and_not_obeyed(opened: Page) -> None:
    assert opened.title() == f"archbench: {EVIL}"
    assert EVIL in column(opened, 1)
    assert any(EVIL in text for text in opened.locator("#ball_chart svg text").all_text_contents()) is False
    assert any(text.startswith("<script>") for text in opened.locator("#ball_chart svg text").all_text_contents())
    assert opened.locator("img").count() == 0


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


@pytest.mark.parametrize("width", [320, 390, 768, 1920])
def test_no_width_makes_the_body_scroll_sideways(opened: Page, width: int) -> None:
    opened.set_viewport_size({"width": width, "height": 800})
    assert opened.evaluate("document.documentElement.scrollWidth") == width
    table = opened.locator(".scroll").evaluate("element => element.scrollWidth - element.clientWidth")
    assert table > 0 or width > 1000
    name = opened.locator("#networks tbody th", has_text="resnet50")
    assert name.evaluate("cell => cell.clientWidth") > 60  # a name stands on one line, not a letter on each


def test_print_shows_everything(opened: Page) -> None:
    opened.evaluate("document.querySelectorAll('details').forEach((part) => { part.open = false; })")
    opened.emulate_media(media="print", color_scheme="dark")
    assert opened.pdf(format="A4").startswith(b"%PDF")
    assert opened.evaluate("[...document.querySelectorAll('details')].every((part) => part.open)")
    assert brightness(opened.locator("body").evaluate("element => getComputedStyle(element).color")) < 80
