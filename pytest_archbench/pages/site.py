"""asv's pages as they can be opened without a network: published by asv, with every file that they load beside them."""

from __future__ import annotations

import contextlib
import html
import io
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from asv import util
from asv.commands.publish import Publish
from asv.config import Config
from asv.console import log
from asv.graph import Graph
from asv.plugins import regressions
from asv.plugins.git import Git

from pytest_archbench.pages.commits import PagesError, environment

HERE = Path(__file__).parent
VENDOR = "vendor"
OURS = "archbench.js"
LONGEST = 200
"""Characters of a fact about a machine."""

HOSTED: Mapping[str, str] = {
    "https://code.jquery.com/jquery-3.3.1.min.js": "jquery.min.js",
    "https://cdnjs.cloudflare.com/ajax/libs/flot/0.8.3/jquery.flot.min.js": "jquery.flot.js",
    "https://cdnjs.cloudflare.com/ajax/libs/flot/0.8.3/jquery.flot.time.min.js": "jquery.flot.time.js",
    "https://cdnjs.cloudflare.com/ajax/libs/flot/0.8.3/jquery.flot.selection.min.js": "jquery.flot.selection.js",
    "https://cdnjs.cloudflare.com/ajax/libs/flot/0.8.3/jquery.flot.categories.min.js": "jquery.flot.categories.js",
    "https://cdn.jsdelivr.net/npm/flot-orderbars@1.0.0/js/jquery.flot.orderBars.js": "jquery.flot.orderBars.js",
    "https://cdnjs.cloudflare.com/ajax/libs/stupidtable/1.0.1/stupidtable.min.js": "stupidtable.min.js",
    "https://cdnjs.cloudflare.com/ajax/libs/blueimp-md5/2.19.0/js/md5.min.js": "md5.min.js",
    "https://cdn.jsdelivr.net/npm/bootstrap@3.1.1/dist/js/bootstrap.min.js": "bootstrap.min.js",
    "https://cdn.jsdelivr.net/npm/bootstrap@3.1.1/dist/css/bootstrap.min.css": "bootstrap.min.css",
}
"""What asv's page loads from public hosts, and the file in ``vendor/`` that takes its place."""

_LOADED = re.compile(
    r"""<(?P<tag>script|link|img)\b[^>]*?\s(?P<name>src|href)=["'](?P<address>(?:https?:)?//[^"']+)["'][^>]*>"""
)
_SCRIPTS_END = '<link href="asv.css"'
_TABS_END = '<li id="nav-li-graphdisplay">'


def publish(made: Config) -> None:
    """Let asv write its pages into ``made.html_dir``, and make them load nothing from elsewhere.

    Raises: PagesError.
    """
    try:
        with contextlib.redirect_stdout(io.StringIO()), _hastened() as warnings:
            Publish.run(made, pull=False)
    except util.UserError as error:
        raise PagesError(f"asv cannot publish: {error}") from None
    if warnings:
        raise PagesError(f"asv left out {len(warnings)} parts of its results: the first: {warnings[0]}")
    folder = Path(made.html_dir)
    index = folder / "index.html"
    index.write_text(offline(index.read_text(encoding="utf-8")), encoding="utf-8")
    shutil.copytree(HERE / VENDOR, folder / VENDOR)
    shutil.copy(HERE / "templates" / OURS, folder / OURS)


def offline(page: str) -> str:
    """asv's page with its files from beside it, our script and the tab of nights. Raises: PagesError.

    An address or a place that is not there, or one more, is of an asv that we do not know.
    """
    found: list[str] = []

    def local(tag: re.Match[str]) -> str:
        address = tag["address"]
        if address not in HOSTED:
            raise PagesError(f"asv's page loads {address}, which is not bundled: take asv>=0.6.4,<0.7")
        found.append(address)
        path = f"{VENDOR}/{HOSTED[address]}"
        if tag["tag"] == "link":
            return f'<link rel="stylesheet" href="{path}">'
        return f'<script src="{path}" onerror="js_load_failure()">'

    page = _LOADED.sub(local, page)
    if missing := sorted(HOSTED.keys() - {*found}):
        raise PagesError(f"asv's page does not load {', '.join(missing)} as expected: take asv>=0.6.4,<0.7")
    additions = {
        _SCRIPTS_END: f'<script src="{OURS}"></script>\n    {_SCRIPTS_END}',
        _TABS_END: f'<li><a href="night.html">Nights</a></li>\n        {_TABS_END}',
    }
    for place, text in additions.items():
        if page.count(place) != 1:
            raise PagesError(f"asv's page has no single {place} as expected: take asv>=0.6.4,<0.7")
        page = page.replace(place, text)
    return page


def plain(text: str) -> str:
    """A text as HTML, on one line; asv's pages put what they tell of a machine into theirs as it is."""
    return html.escape("".join(sign if sign.isprintable() else " " for sign in text))[:LONGEST]


def constant_steps(data: Sequence[tuple[int, Any, Any]]) -> list[tuple[int, int, Any, Any, float]] | None:
    """The steps of a series (revision, value or None, weight) that has one value throughout, exactly as asv finds them
    in a hundredth of its time; None for any other series.
    """
    known = [(revision, value) for revision, value, _ in data if value is not None]
    if not known or any(value != known[0][1] for _, value in known) or any(weight is not None for *_, weight in data):
        return None
    value = known[0][1]
    return [(known[0][0], known[-1][0] + 1, float(value), value, 0.0)]


class _Pool:
    """asv's pool of processes for finding steps, which is not asked about series that never changed."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool
        self.close, self.join, self.terminate = pool.close, pool.join, pool.terminate

    def apply_async(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        steps = constant_steps(*arguments)
        return self._pool.apply_async(function, arguments) if steps is None else steps


@contextlib.contextmanager
def _hastened() -> Iterator[list[str]]:
    """asv with four functions wrapped, no environment of a git that we are called from, and what it warns of: it leaves
    out what it cannot read or place, and goes on.
    """
    pool, data, described, ranges, warn = (
        util.get_multiprocessing_pool,
        Graph.get_data,
        regressions._GraphDataFilter.get_graph_data,
        Git.get_hashes_from_range,
        log.warning,
    )
    warnings: list[str] = []

    def with_machine(self: Any, graph: Any, benchmark: Any) -> Iterator[tuple[Any, ...]]:
        """A regression is called by its machine too: two devices of one night would have one name in the feed."""
        for index, name, *rest in described(self, graph, benchmark):
            yield index, f"{name} {graph.params['machine']}", *rest

    before = dict(os.environ)
    try:
        for name in before.keys() - environment().keys():
            del os.environ[name]
        util.get_multiprocessing_pool = lambda parallel=None: _Pool(pool(parallel))
        regressions._GraphDataFilter.get_graph_data = with_machine
        Graph.get_data, Git.get_hashes_from_range = cache(data), cache(ranges)
        log.warning = lambda said, *_: warnings.append(said)
        yield warnings
    finally:
        os.environ.update(before)
        util.get_multiprocessing_pool, Graph.get_data = pool, data
        regressions._GraphDataFilter.get_graph_data = described
        Git.get_hashes_from_range, log.warning = ranges, warn
