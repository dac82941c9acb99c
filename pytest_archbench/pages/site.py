"""asv's pages as they can be opened without a network: published by asv, with every file that they load beside them."""

from __future__ import annotations

import contextlib
import html
import io
import multiprocessing
import os
import re
import shutil
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import cache
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

from asv import util
from asv.commands.publish import Publish
from asv.config import Config
from asv.console import log
from asv.graph import Graph, _compute_graph_steps
from asv.plugins import regressions
from asv.plugins.git import Git

from pytest_archbench.pages.commits import PagesError, environment

Datum = tuple[int, Any, Any]
Step = tuple[int, int, float, Any, float]

HERE = Path(__file__).parent
VENDOR = "vendor"
OURS = "archbench.js"
LONGEST = 200
"""Characters of a fact about a machine."""
FEW = 16
"""Series that are searched for steps before other processes are begun, which takes half a second."""

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


def publish(made: Config, exact: Collection[str]) -> None:
    """Let asv write its pages into ``made.html_dir``, and make them load nothing from elsewhere.

    ``exact``: benchmarks of which each change is a step. Raises: PagesError.
    """
    try:
        with contextlib.redirect_stdout(io.StringIO()), _adapted(exact) as warnings:
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


def levels(data: Sequence[Datum]) -> list[Step]:
    """The stretches of one value in a series of (revision, value or None, weight), as asv describes a step: first
    revision, the one after the last, level, least value, mean deviation.
    """
    known = ((revision, value) for revision, value, _ in data if value is not None)
    stretches = ((value, [revision for revision, _ in same]) for value, same in groupby(known, key=itemgetter(1)))
    return [(revisions[0], revisions[-1] + 1, float(value), value, 0.0) for value, revisions in stretches]


def detect_steps(graph: Graph, pool: Any, exact: Collection[str]) -> None:
    """Find the steps of a graph's series, in the processes of ``pool`` where that takes a search.

    What asv finds in a series that never changes is known, and finding it takes as long as in one that does. In one
    whose name is among ``exact`` each change is a step, which asv does not see where it is small.
    """
    series = _series(graph)
    known = [levels(each) for each in series]
    is_exact = graph.benchmark_name in exact
    graph._steps = [
        steps if is_exact or len(steps) < 2 else pool.apply_async(_compute_graph_steps, (each,))
        for each, steps in zip(series, known, strict=True)
    ]


def _series(graph: Graph) -> list[list[Datum]]:
    """The data of each of a graph's series."""
    data = graph.get_data()
    return [
        [(revision, values[place], weights[place]) for revision, values, weights in data]
        for place in range(graph.n_series)
    ]


class Searchers:
    """asv's pool of processes that find steps, begun where there is much to search. They are fresh ones, no forks: a
    process that has threads by now must make none.
    """

    def __init__(self, processes: int | None = None) -> None:
        self._processes = processes
        self._begun: Any = None
        self.asked = 0

    def apply_async(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        self.asked += 1
        if self.asked <= FEW:
            return function(*arguments)
        if self._begun is None:
            self._begun = multiprocessing.get_context("forkserver").Pool(self._processes)
        return self._begun.apply_async(function, arguments)

    def close(self) -> None:
        if self._begun is not None:
            self._begun.close()

    def join(self) -> None:
        if self._begun is not None:
            self._begun.join()

    def terminate(self) -> None:
        if self._begun is not None:
            self._begun.terminate()


@contextlib.contextmanager
def _adapted(exact: Collection[str]) -> Iterator[list[str]]:
    """asv with some functions wrapped, no environment of a git that we are called from, and what it warns of: it leaves
    out what it cannot read or place, and goes on.
    """
    pool, steps, data, described, ranges, warn = (
        util.get_multiprocessing_pool,
        Graph.detect_steps,
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
        util.get_multiprocessing_pool = Searchers
        Graph.detect_steps = lambda graph, pool: detect_steps(graph, pool, exact)
        regressions._GraphDataFilter.get_graph_data = with_machine
        Graph.get_data, Git.get_hashes_from_range = cache(data), cache(ranges)
        log.warning = lambda said, *_: warnings.append(said)
        yield warnings
    finally:
        os.environ.update(before)
        util.get_multiprocessing_pool, Graph.detect_steps, Graph.get_data = pool, steps, data
        regressions._GraphDataFilter.get_graph_data = described
        Git.get_hashes_from_range, log.warning = ranges, warn
