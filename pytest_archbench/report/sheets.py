"""What stands on the page beside figures and the table of networks: small tables, and what a user's conftest adds."""

from __future__ import annotations

import re
from dataclasses import dataclass

from markupsafe import Markup

_NUMBER = re.compile(r"[-+]?[\d.,]+ ?%?|–|")


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table of text as it is read: ``heads`` over ``rows``, each as long; ``note`` is one sentence below the title.

    ``name`` becomes an id of the page and the name of a file: letters, digits and underscores.
    """

    name: str
    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.heads):
                raise ValueError(
                    f"the table {self.title!r} has {len(self.heads)} heads and a row of {len(row)} cells: {row!r};"
                    " give every row one cell for each head"
                )

    @property
    def numeric(self) -> tuple[bool, ...]:
        """Whether a column holds numbers and nothing else, and so stands flush right."""
        return tuple(
            all(_NUMBER.fullmatch(row[place]) for row in self.rows) and any(row[place] for row in self.rows)
            for place in range(len(self.heads))
        )


@dataclass(frozen=True, slots=True)
class Extra:
    """What one function of a user's conftest gave: markup, a picture as SVG, a table, or the sentence of its error."""

    title: str
    html: Markup | str = ""
    svg: bytes = b""
    error: str = ""
    sheet: Sheet | None = None
