"""The page without public hosts: each file that asv loads lies beside it, as its authors made it."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

import asv
import pytest

from pytest_archbench.pages.commits import PagesError
from pytest_archbench.pages.site import HERE, HOSTED, VENDOR, offline, plain

PAGE = (Path(asv.__file__).parent / "www/index.html").read_text(encoding="utf-8")
INTEGRITY = re.compile(r'(?:src|href)="(?P<address>https://[^"]+)" integrity="(?P<kind>sha\d+)-(?P<digest>[^"]+)"')
OTHERS = {"jquery.flot.js", "jquery.flot.time.js", "jquery.flot.selection.js", "jquery.flot.categories.js"}
"""npm has these not minified, and of the last another version."""


def test_the_page_loads_nothing_from_elsewhere() -> None:
    made = offline(PAGE)
    loaded = re.findall(r'<(?:script|link|img)\b[^>]*?\s(?:src|href)="([^"]+)"', made)
    assert [address for address in loaded if "//" in address] == []
    assert {f"{VENDOR}/{name}" for name in HOSTED.values()} < set(loaded)
    assert "integrity" not in made
    assert "crossorigin" not in made


def test_each_file_is_bundled_with_its_licence() -> None:
    bundled = {path.name for path in (HERE / VENDOR).iterdir()}
    assert bundled == {*HOSTED.values(), "LICENSES.txt"}
    listed = (HERE / VENDOR / "LICENSES.txt").read_text(encoding="utf-8")
    rows = re.findall(r"^(\S+\.(?:js|css)) +\S+ \d\S+ +MIT +https://", listed, re.MULTILINE)
    assert sorted(rows) == sorted(HOSTED.values())


def test_the_bundled_files_are_those_that_asv_trusts() -> None:
    """By the checksums in its own page, where the version and the form are the same."""
    checked = set()
    for found in INTEGRITY.finditer(PAGE):
        name = HOSTED[found["address"]]
        digest = hashlib.new(found["kind"], (HERE / VENDOR / name).read_bytes()).digest()
        if base64.b64encode(digest).decode() == found["digest"]:
            checked.add(name)
    assert {*HOSTED.values()} - checked == OTHERS | {"stupidtable.min.js"}


def test_an_asv_that_loads_another_file_is_refused() -> None:
    page = PAGE.replace("</head>", '<script src="https://example.org/new.js"></script></head>')
    with pytest.raises(PagesError, match=r"loads https://example.org/new.js, which is not bundled"):
        offline(page)


def test_an_asv_that_loads_one_file_less_is_refused() -> None:
    with pytest.raises(PagesError, match=r"does not load https://code.jquery.com/jquery-3.3.1.min.js"):
        offline(re.sub(r"<script src=\"https://code.jquery[^>]*></script>", "", PAGE))


def test_an_asv_whose_tabs_are_elsewhere_is_refused() -> None:
    with pytest.raises(PagesError, match="no single <li id"):
        offline(PAGE.replace('<li id="nav-li-graphdisplay">', "<li>"))


def test_a_fact_about_a_machine_is_one_line_of_html() -> None:
    assert plain("<b>\n'") == "&lt;b&gt; &#x27;"
    assert len(plain("x" * 999)) == 200
