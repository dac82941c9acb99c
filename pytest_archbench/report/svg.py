"""A matplotlib SVG made fit to stand inside a page: themed by CSS, named for readers, its ids its own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from xml.etree import ElementTree as ET

from markupsafe import Markup

from pytest_archbench.report.palette import FAINT, INK, MUTED, PAPER

SVG = "http://www.w3.org/2000/svg"
XLINK = "http://www.w3.org/1999/xlink"
ET.register_namespace("", SVG)
ET.register_namespace("xlink", XLINK)

THEME = {INK: "var(--ink)", PAPER: "var(--paper)", FAINT: "var(--line)", MUTED: "var(--muted)"}
"""Colours that the page's light or dark scheme decides; the families' colours suit both."""

PIXELS_PER_POINT = 96 / 72
SMALLEST = 0.7
"""Of its natural size, below which the names could not be read: a narrow screen scrolls the figure instead."""


def inline(svg: bytes, name: str, label: str, titles: Mapping[str, str]) -> Markup:
    """``<svg>`` for a page: marks whose gid is in ``titles`` get a hover title; ids are prefixed with ``name``."""
    root = ET.fromstring(svg)
    for child in [child for child in root if child.tag == f"{{{SVG}}}metadata"]:
        root.remove(child)
    for parent in root.iter(f"{{{SVG}}}defs"):
        for sheet in parent.findall(f"{{{SVG}}}style"):
            parent.remove(sheet)  # inside a page it would style the page; the page's own sheet says the same
    for element in root.iter():
        title = titles.get(element.get("id", ""))
        if title is not None:
            element.insert(0, _title(title))
        _rename(element, f"{name}-")
        if "style" in element.attrib:
            element.set("style", re.sub("|".join(THEME), lambda found: THEME[found.group()], element.get("style", "")))
    width = float(root.get("viewBox", "0 0 0 0").split()[2]) * PIXELS_PER_POINT
    for size in ("width", "height"):
        root.attrib.pop(size, None)
    root.set("style", f"max-width: {width:.0f}px; min-width: {width * SMALLEST:.0f}px")
    root.set("role", "img")
    root.set("aria-label", label)
    return Markup(ET.tostring(root, encoding="unicode"))  # what was text is escaped by the serialiser


def _title(text: str) -> ET.Element:
    title = ET.Element(f"{{{SVG}}}title")
    title.text = text
    return title


def _rename(element: ET.Element, prefix: str) -> None:
    """Two figures on a page must not share an id, and what refers to one must follow."""
    if "id" in element.attrib:
        element.set("id", prefix + element.get("id", ""))
    for key, old, new in ((f"{{{XLINK}}}href", "#", f"#{prefix}"), ("clip-path", "url(#", f"url(#{prefix}")):
        if key in element.attrib:
            element.set(key, element.get(key, "").replace(old, new, 1))
