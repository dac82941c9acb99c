"""The library that draws on the page, packed to travel inside it."""

from __future__ import annotations

import base64
import gzip
import hashlib
from dataclasses import dataclass
from functools import cache

from plotly.offline import get_plotlyjs


@dataclass(frozen=True, slots=True)
class Packed:
    """A script as base64 of gzip, and the digest by which a page's Content-Security-Policy lets it run."""

    base64: str
    digest: str


@cache
def library() -> Packed:
    """plotly.js: 4.8 MB of script in 2 MB of text, the same bytes every time."""
    source = get_plotlyjs().encode()
    packed = gzip.compress(source, compresslevel=9, mtime=0)
    return Packed(base64.b64encode(packed).decode(), digest(source))


def digest(script: bytes) -> str:
    """``sha256-…`` of a script's text, as a Content-Security-Policy names it."""
    return f"sha256-{base64.b64encode(hashlib.sha256(script).digest()).decode()}"
