"""What a foreign journal holds, made fit to be shown and computed with. Pure.

Control characters and lone surrogates, which neither XML nor UTF-8 can carry, and signs that turn the direction of what
follows are replaced here, once, so that figures and pages need not think of them.
"""

from __future__ import annotations

import re
import sys

_UNFIT = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")


def legible(value: object) -> str:
    """``value`` as text on one line, with U+FFFD for what no document can carry; None is the empty text."""
    return _UNFIT.sub("\ufffd", " ".join(("" if value is None else str(value)).split()))


def number(value: object) -> int | float | None:
    """``value`` where it can be computed with: a foreign journal may hold text, infinity or an endless integer."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if abs(value) <= sys.float_info.max else None
