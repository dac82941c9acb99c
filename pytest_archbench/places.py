"""Where a key stands in a TOML file, so that a message about it can name the line."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_OPENS = re.compile(r"\s*(?:\[+(?P<table>[^]#]+)\]|(?P<key>[^][{}=#]+)=)")
_DRESS = re.compile(r"[\"'\s]")


@dataclass(frozen=True, slots=True)
class Place:
    """A key of a table in a file; as text ``pyproject.toml:7: [tool.archbench] suite``."""

    file: Path
    line: int
    table: str
    key: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: [{self.table}] {self.key}"


def find(file: Path, text: str, table: str, key: str) -> Place:
    """The place of ``key`` in ``table`` of a file with that text, which a TOML parser has found to be there."""
    return Place(file, line_of(text, f"{table}.{key}"), table, key)


def line_of(text: str, path: str) -> int:
    """The first line that opens the dotted ``path`` or something in it, else what is around it, else 1.

    TOML has a key alone, under a dotted path and in an inline table; the line of the last is its table's.
    """
    table = ""
    opened: dict[str, int] = {}
    for number, line in enumerate(text.split("\n"), 1):
        if found := _OPENS.match(line):
            if found["table"]:
                table = name = _bare(found["table"])
            else:
                name = f"{table}.{_bare(found['key'])}".removeprefix(".")
            opened.setdefault(f"{name}.", number)
    wanted = _bare(path)
    while wanted:
        if inside := [number for name, number in opened.items() if name.startswith(f"{wanted}.")]:
            return min(inside)
        wanted = wanted.rpartition(".")[0]
    return 1


def _bare(name: str) -> str:
    """A dotted name without the quotes and spaces that TOML allows around its parts."""
    return _DRESS.sub("", name)
