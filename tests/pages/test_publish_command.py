"""``archbench history publish`` as a shell runs it: what it prints where, and its exit codes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from pages_data import git, header, keep, kept, point, project

from pytest_archbench.cli import main


def publish(folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("archbench")), "history", "publish", *map(str, arguments)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture
def nights(tmp_path: Path) -> Path:
    """Two good nights and a damaged one."""
    folder = kept(tmp_path / "history", [{("a", "latency"): 1.0}, {("a", "latency"): 2.0}])
    (folder / "nights/cpu/20260103T030000Z-night-03.json.gz").write_bytes(b"half a night")
    return folder


def test_pages_lie_in_the_history_and_what_is_left_out_is_said(nights: Path, tmp_path: Path) -> None:
    done = publish(tmp_path, "history")
    assert (done.returncode, done.stdout) == (0, "history/pages/html: 2 nights, 1 series, 2 values\n")
    (line,) = done.stderr.splitlines()
    assert line.startswith("left out: history/nights/cpu/20260103T030000Z-night-03.json.gz: expected a kept night; ")
    again = publish(tmp_path, "history", "--out", "elsewhere", "--nights", "2", "--project", "Networks")
    assert again.stdout == "elsewhere/html: 1 night, 1 series, 1 value\n", again.stderr
    assert '"project": "Networks"' in (tmp_path / "elsewhere/html/index.json").read_text()


def test_a_shallow_clone_is_named(nights: Path, tmp_path: Path) -> None:
    project(tmp_path / "whole", ["one", "two"])
    git(tmp_path, "clone", "--quiet", "--depth=1", (tmp_path / "whole").as_uri(), "shallow")
    done = publish(tmp_path, "history", "--repository", "shallow")
    assert done.returncode == 0
    assert "shallow: a shallow clone, commits between two runs may be missing: git fetch --unsh" in done.stderr


def test_where_nothing_can_be_published_the_exit_code_is_one(tmp_path: Path) -> None:
    told = header(1)
    keep(tmp_path / "history", told, [point("a", "speediness", 1.0, told)])
    done = publish(tmp_path, "history")
    assert (done.returncode, done.stdout) == (1, "")
    assert "history: expected nights to publish; got none: " in done.stderr
    assert "speediness: a metric that this version does not know" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere"], "nowhere: expected a folder of journals; got nothing"),
        (["history", "--renamed", "cpu"], "--renamed: expected OLD=NEW"),
        (["history", "--renamed", "a=b", "--renamed", "b=c"], "--renamed: expected OLD=NEW"),
        (["history", "--project-url", "javascript:alert(1)"], "--project-url: expected an address that begins with"),
        (["history", "--nights", "-1"], "--nights"),
    ],
)
def test_a_mistake_in_an_option_is_said(
    nights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(main, ["history", "publish", *arguments])
    assert (done.exit_code, done.stdout) == (2, "")
    assert said in done.stderr
