"""The script for boards whose Python and torch are too old for this package: one file, drawn from the parts here.

The parts are modules of the package in the syntax and with the standard library of Python 3.6, and need torch alone.
They import names from each other, never modules, so that they can stand in one file one after the other.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

PACKAGE = Path(__file__).parents[1]
PARTS = (
    "power/rails.py",
    *(
        f"old_boards/{name}.py"
        for name in ("rows", "witness", "timing", "energy", "networks", "host", "children", "command", "probe")
    ),
)
"""From the bottom up: what a part imports stands before it."""
HEAD = '''#!/usr/bin/env python3
"""Measures neural networks on a board: pytest-archbench {version}'s script for Python 3.6 and torch 1.4 or later.

python3 THIS_FILE resnet18 --device cuda --batch-size 1,2,4 --out DIR

Written by ``archbench device script``; its parts are those of the package, under the MIT licence.
"""
'''
TAIL = """

VERSION = {version!r}

if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
"""


def script() -> str:
    """The whole script."""
    written_by = version("pytest-archbench")
    sources = {part: (PACKAGE / part).read_text(encoding="utf-8") for part in PARTS}
    imports = sorted({line for source in sources.values() for line in _imports(source)})
    bodies = [f"\n\n# {part}\n{_body(source)}" for part, source in sources.items()]
    return "\n".join([HEAD.format(version=written_by), *imports, *bodies]) + TAIL.format(version=written_by)


def _imports(source: str) -> Iterator[str]:
    """What a part needs of others than the parts, a name a line."""
    for node in ast.parse(source).body:
        if isinstance(node, ast.Import):
            yield from (ast.unparse(ast.Import([name])) for name in node.names)
        if isinstance(node, ast.ImportFrom) and not str(node.module).startswith(PACKAGE.name):
            yield from (ast.unparse(ast.ImportFrom(node.module, [name], 0)) for name in node.names)


def _body(source: str) -> str:
    """A part without its imports."""
    lines = source.splitlines()
    for node in ast.parse(source).body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            for number in range(node.lineno, (node.end_lineno or node.lineno) + 1):
                lines[number - 1] = ""
    text = "\n".join(lines).strip()
    while "\n\n\n\n" in text:
        text = text.replace("\n\n\n\n", "\n\n\n")
    return text
