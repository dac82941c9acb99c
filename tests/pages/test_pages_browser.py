"""The pages in a real browser without a network: grid, list, graph, regressions, nights, search, hostile names."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from pages_data import EVIL, git, header, keep, planted, point, project, publish
from playwright.sync_api import Browser, Page, sync_playwright

from pytest_archbench.pages import Project

pytestmark = pytest.mark.browser

Open = Callable[[str], Page]


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


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
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The planted history with a hostile network, device, run and commit in each of its last nights."""
    folder = tmp_path_factory.mktemp("browser")
    hashes = project(folder / "project", [f"Change {number} {EVIL}" for number in range(27)])
    planted(folder / "history", dict(enumerate(hashes)))
    for number in (27, 28):
        told = header(number, run=f"{number} {EVIL}", commit=hashes[number - 2], devices={EVIL: {"model": EVIL}})
        keep(folder / "history", told, [point(EVIL, "latency", 1.0, told, device=EVIL, alarmed=True)])
    publish(folder / "history", folder / "pages", Project(EVIL, folder / "project", "https://example.org/n"))
    return folder / "pages"


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two machines whose nights alternate; one becomes slower at its sixth, which is the eleventh of all."""
    folder = tmp_path_factory.mktemp("two")
    for number in range(1, 21):
        told = header(number)
        seconds = 1.5 if number % 2 and number >= 11 else 1.0
        device = "cpu" if number % 2 else "orin"
        keep(folder / "history", told, [point("a", "latency", seconds + number % 5 / 500, told, device=device)])
    publish(folder / "history", folder / "pages")
    return folder / "pages"


@pytest.fixture(scope="module")
def address(out: Path, two: Path) -> Iterator[str]:
    shutil.copytree(two / "html", out / "html/two")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(out / "html")))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def visit(browser: Browser, address: str) -> Iterator[Open]:
    """Opens one of the pages; at the end none must have complained or asked for anything that is not beside it."""
    complaints: list[str] = []
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.route(lambda url: not url.startswith(address), lambda route: route.abort())
    context.on("page", lambda tab: _listen(tab, address, complaints))

    def visit(path: str) -> Page:
        tab = context.new_page()
        tab.goto(address + path)
        return tab

    yield visit
    context.close()
    assert complaints == []


def _listen(tab: Page, address: str, complaints: list[str]) -> None:
    """The graph of a benchmark that a machine has not run is asked for in vain: asv's pages go on without it."""
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.on("dialog", lambda dialog: complaints.append(dialog.message))
    tab.on("console", lambda said: None if "404" in said.text else complaints.append(said.text))
    tab.on("request", lambda asked: None if asked.url.startswith(address) else complaints.append(asked.url[:99]))


def night(out: Path, number: int) -> str:
    return git(out / "repository", "rev-list", "--reverse", "main").split()[number][:12]


def test_the_grid_has_a_graph_for_each_benchmark(visit: Open) -> None:
    tab = visit("index.html")
    tab.wait_for_selector(".benchmark-container canvas")
    assert tab.locator(".benchmark-group h1").all_inner_texts() == ["latency", "macs", "top1_error"]
    assert tab.locator(".benchmark-container canvas").count() >= 4


def test_the_list_has_the_series_of_a_machine_with_the_last_change(visit: Open) -> None:
    tab = visit("index.html#/summarylist?machine=cpu")
    tab.wait_for_selector("#summarylist-body tbody tr")
    rows = {text.split("\t")[0]: text.split("\t")[1:] for text in tab.locator("tbody tr").all_inner_texts()}
    assert len(rows) == 90 + 1, "the network that another machine has measured has an empty row"
    assert rows["top1_error.bs1 ('net07')"][0] == "40.00 %"
    assert rows["macs.bs1 ('net05')"][:2] == ["6,000,001,042 MAC", "+0.0% (+1,000 MAC)"]
    assert rows["latency.bs1 ('net11')"][1].startswith("\N{MINUS SIGN}")
    assert tab.locator("td.positive-change").count() == 2


def test_the_list_can_be_sorted_by_change(visit: Open) -> None:
    tab = visit("index.html#/summarylist?machine=cpu")
    head = tab.locator("#summarylist-body th", has_text="Recent change")
    first = tab.locator("#summarylist-body tbody tr").first
    head.click()
    tab.wait_for_function("location.hash.endsWith('sort=2&dir=asc')")
    assert "net11" in first.inner_text()
    head.click()
    tab.wait_for_function("location.hash.endsWith('sort=2&dir=desc')")
    assert "net07" in first.inner_text()


def test_regressions_lead_to_their_night(visit: Open, out: Path) -> None:
    tab = visit("index.html#/regressions")
    tab.wait_for_selector("#regressions-body tbody tr")
    names = tab.locator("#regressions-body tbody:visible tr td:first-child").all_inner_texts()
    assert names == ["top1_error.bs1('net07') cpu", "latency.bs1('net03') cpu", "macs.bs1('net05') cpu"]
    tab.locator("#regressions-body a", has_text=night(out, 12)).click()
    tab.wait_for_selector("section.shown")
    shown = tab.locator("section.shown").inner_text()
    assert "packages.torch\t2.15.0\t2.16.0" in shown
    assert "Judged worse than its own past: 1" in shown
    assert tab.locator("section:visible").count() == 1
    assert not tab.locator("#nights").is_visible()


def test_a_range_of_commits_leads_to_the_later_night(visit: Open, two: Path) -> None:
    """Between two nights of a machine lies one of another; asv's pages link a range to github.com alone."""
    tab = visit("two/index.html#/regressions")
    tab.locator("#regressions-body a", has_text=f"{night(two, 8)}..{night(two, 10)}").click()
    tab.wait_for_selector("section.shown")
    assert tab.locator("section.shown h1").inner_text() == "2026-01-11 03:00 UTC"
    assert "cpu since 2026-01-09 03:00" in tab.locator("section.shown").inner_text()


def test_a_regression_leads_to_its_graph(visit: Open) -> None:
    tab = visit("index.html#/regressions")
    tab.locator("#regressions-body a", has_text="latency.bs1('net03') cpu").click()
    tab.wait_for_selector("#main-graph canvas")
    tab.wait_for_selector(".legendLabel, #main-graph .flot-text")
    assert tab.locator("#graphdisplay-navigation-params .btn.active", has_text="net").all_inner_texts() == ["net03"]


def test_a_click_on_a_point_opens_its_night(visit: Open, out: Path) -> None:
    tab = visit("index.html#latency.bs1?machine=cpu&p-model='net00'&y-axis-scale=zoom")
    tab.wait_for_selector("#main-graph canvas.flot-overlay")
    tab.wait_for_timeout(300)
    box = tab.locator("#main-graph canvas.flot-overlay").bounding_box()
    assert box is not None
    points = tab.evaluate(
        """() => fetch('graphs/branch-main/machine-cpu/latency.bs1.json').then(r => r.json())
                 .then(rows => rows.map(row => row[1][0]))"""
    )
    assert len(points) == 26
    with tab.context.expect_page() as opened:
        found = False
        for x in range(int(box["x"]) + 30, int(box["x"] + box["width"]), 12):
            for y in range(int(box["y"]) + 20, int(box["y"] + box["height"]) - 20, 12):
                tab.mouse.click(x, y)
                if len(tab.context.pages) > 1:
                    found = True
                    break
            if found:
                break
    page = opened.value
    page.wait_for_selector("section.shown h1")
    assert page.url.split("#")[1] in {night(out, number) for number in range(26)}
    assert page.locator("section.shown h1").inner_text().endswith("UTC")


def test_an_axis_tells_its_ticks_apart(visit: Open) -> None:
    tab = visit("index.html#macs.bs1?machine=cpu&p-model='net05'&y-axis-scale=zoom")
    tab.wait_for_selector("#main-graph .flot-y-axis .tickLabel")
    ticks = tab.locator("#main-graph .flot-y-axis .tickLabel").all_inner_texts()
    assert "6.0000005 G" in ticks
    assert len(ticks) == len({*ticks}) > 3


def test_networks_are_found_by_a_search(visit: Open) -> None:
    tab = visit("index.html#latency.bs1?machine=cpu")
    panel = tab.locator("#graphdisplay-navigation-params .panel", has_text="model").last
    panel.locator("input").fill("NET2")
    buttons = panel.locator(".btn:visible")
    assert buttons.all_inner_texts() == [f"net2{place}" for place in range(10)]
    buttons.nth(5).click()
    tab.wait_for_function("location.hash.includes('net25')")
    assert panel.locator("input").input_value() == "NET2"
    assert panel.locator(".btn:visible").count() == 10


def test_hostile_names_stay_text(visit: Open, out: Path) -> None:
    tab = visit("index.html#latency.bs1?x-axis=model")
    tab.wait_for_selector("#main-graph canvas")
    for button in tab.locator("#graphdisplay-state-params .btn").all():
        button.hover()
    tab.goto(tab.url.split("index")[0] + f"night.html#{night(out, 27)}")
    tab.reload()
    assert "<img src=x onerror=alert(1)>" in tab.locator("section.shown").inner_text()
    assert tab.locator("img").count() == 0


def test_the_page_of_nights_lists_them_and_knows_an_address_that_is_none(visit: Open) -> None:
    tab = visit("night.html")
    assert tab.locator("#nights tr").count() == 1 + 28
    tab.locator("#nights a").nth(3).click()
    tab.wait_for_selector("section.shown")
    assert tab.locator("section.shown").count() == 1
    tab.evaluate("location.hash = 'abc'")
    tab.wait_for_selector("#unknown.shown")


def test_a_whole_hash_as_the_feed_has_it_is_a_night_too(visit: Open, out: Path) -> None:
    tab = visit("night.html#" + git(out / "repository", "rev-parse", "main"))
    assert tab.locator("section.shown h1").inner_text() == "2026-01-28 03:00 UTC"


def test_pages_that_are_opened_as_a_file_say_how_to_open_them(browser: Browser, out: Path) -> None:
    context = browser.new_context(offline=True)
    tab = context.new_page()
    tab.goto((out / "html/index.html").as_uri())
    tab.wait_for_selector("#error-message:visible")
    assert "python -m http.server" in tab.locator("#error-message").inner_text()
    tab.goto((out / "html/night.html").as_uri())
    assert tab.locator("#nights tr").count() == 1 + 28
    context.close()
