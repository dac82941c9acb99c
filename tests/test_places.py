"""Where a key stands: on its own line, under a dotted path, in a table of its own, or inside its table's line."""

from __future__ import annotations

from pathlib import Path

import pytest
import tomli

from pytest_archbench.places import Place, find, line_of

TEXT = """\
title = "one = two"

[project]
suite = "another table's"

[ tool . archbench ]
# suite = "a comment's"
suite = "user"
"batch-size" = [
  1,
]
devices.first = "cpu"

[tool.archbench.architectures]
mynet = {factory = "nets:make", input = [3, 8, 8]}
'quoted' = {factory = "nets:make"}
deep.factory = "nets:make"

[tool.archbench.architectures.own]
factory = "nets:make"
"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("title", 1),
        ("project", 3),
        ("tool", 6),
        ("tool.archbench", 6),
        ("tool.archbench.suite", 8),
        ("tool.archbench.batch-size", 9),
        ("tool.archbench.devices", 12),
        ("tool.archbench.architectures", 14),
        ("tool.archbench.architectures.mynet", 15),
        ("tool.archbench.architectures.mynet.input", 15),
        ("tool.archbench.architectures.quoted", 16),
        ("tool.archbench.architectures.deep", 17),
        ("tool.archbench.architectures.own", 19),
        ("tool.archbench.architectures.own.factory", 20),
        ("nowhere", 1),
    ],
)
def test_a_key_has_a_line(path: str, line: int) -> None:
    tomli.loads(TEXT)
    assert line_of(TEXT, path) == line


def test_a_place_reads_as_editors_understand_it() -> None:
    place = find(Path("pyproject.toml"), TEXT, "tool.archbench", "suite")
    assert place == Place(Path("pyproject.toml"), 8, "tool.archbench", "suite")
    assert str(place) == "pyproject.toml:8: [tool.archbench] suite"
