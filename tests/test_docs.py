"""The documentation: every command in it runs, every file in it is used as printed, every link and table holds."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_archbench import meters  # noqa: F401  (enters the metrics)
from pytest_archbench.options import OPTIONS
from pytest_archbench.registry import METRICS

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
JUDGE_TIMES = {"own-past", "pull-request"}
"""Pages whose commands fail where a time changed: all others may take it quickly."""
EXITS = {"console": 0, "console fails": 1}
"""What the commands of a block exit with, by what stands at its head."""
FENCE = re.compile(r"^```(?P<info>[^\n]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?:)(?P<target>[^)#]+)(?:#[^)]*)?\)")


def commands(page: Path) -> bool:
    return "```console" in page.read_text(encoding="utf-8")


LONG = {
    *("first-run", "pull-request", "own-network", "own-past", "report", "comparing", "choosing"),
    *("variants", "accuracy", "training", "nightly", "measuring", "counting", "conclusions"),
}
"""Pages whose commands take half a minute and more."""


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, marks=[pytest.mark.slow] * (page.stem in LONG), id=page.stem)
        for page in PAGES
        if commands(page)
    ],
)
def test_commands_of_a_page_run(page: Path, tmp_path: Path) -> None:
    """In one folder, top to bottom, as a reader would: files are written, commands exit as their block says."""
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    environment["PYTEST_ADDOPTS"] = "" if page.stem in JUDGE_TIMES else "--archbench-time-budget=300ms"
    ran = 0
    for block in FENCE.finditer(page.read_text(encoding="utf-8")):
        title = re.search(r"title=(\S+)", block["info"])
        if title:
            (tmp_path / title[1]).write_text(block["body"], encoding="utf-8")
        if block["info"].strip() not in EXITS:
            continue
        for line in block["body"].splitlines():
            assert line.startswith("$ "), f"{page.name}: a console block holds commands only; got {line!r}"
            done = subprocess.run(
                ["bash", "-c", line[2:]], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300
            )
            said = f"{page.name}: {line}\n{done.stdout[-3000:]}\n{done.stderr[-2000:]}"
            assert done.returncode == EXITS[block["info"].strip()], said
            ran += 1
    assert ran > 0


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_of_a_page_lead_somewhere(page: Path) -> None:
    broken = [t for t in LINK.findall(page.read_text(encoding="utf-8")) if not (page.parent / t).exists()]
    assert broken == []


def test_reference_lists_every_option_with_its_default_and_help() -> None:
    text = (ROOT / "docs/reference.md").read_text(encoding="utf-8")
    for option in OPTIONS:
        default = f"`{option.default}`" if option.default else ""
        assert f"| `{option.flag}` | {default} | {option.help} |" in text


def test_reference_lists_every_metric_with_its_unit_and_direction() -> None:
    text = (ROOT / "docs/reference.md").read_text(encoding="utf-8")
    for metric in METRICS.values():
        assert f"| `{metric.name}` | {metric.unit} | {metric.better} | {metric.description} |" in text
