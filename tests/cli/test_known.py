"""The commands about networks, devices and reports, as a shell runs them in a user's folder."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from shell import archbench

NET = """\
from torch import nn


def make():
    return nn.Linear(3, 2)


def text():
    return "a network"
"""
DECLARED = """\
[tool.archbench.architectures]
mynet = {factory = "n:make", input = [3]}
text = {factory = "n:text", input = [3]}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with a module and the networks it declares: 3*2 weights and 2 biases; 6 MACs."""
    (tmp_path / "n.py").write_text(NET)
    (tmp_path / "pyproject.toml").write_text(DECLARED)
    return tmp_path


@pytest.mark.parametrize(("group", "commands"), [((), 11), (("history",), 6), (("device",), 2)])
def test_the_help_lists_every_command_with_a_whole_sentence(
    group: tuple[str, ...], commands: int, tmp_path: Path
) -> None:
    ran = archbench(tmp_path, *group, "--help")
    lines = ran.stdout.partition("Commands:\n")[2].splitlines()
    assert len(lines) == commands
    assert [line for line in lines if not line.endswith(".") or line.endswith("...")] == []


def test_it_counts_a_network_of_the_folder(project: Path) -> None:
    ran = archbench(project, "count", "mynet", "--json")
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)
    assert (found["architecture"], found["params"], found["macs"]) == ("mynet", 8, 6)


def test_it_shows_every_published_figure(tmp_path: Path) -> None:
    ran = archbench(tmp_path, "count", "alexnet")
    assert ran.stdout.startswith("alexnet, one image of shape [3, 224, 224]\n")
    assert "714,188,480  714.2 MMAC" in ran.stdout
    assert re.search(r" 0\.66 G +bianco2018 \(.*Fig\. 1.*\): known deviation\n", ran.stdout)


def test_it_shows_modules_as_deep_as_asked(tmp_path: Path) -> None:
    shallow = archbench(tmp_path, "count", "alexnet", "--by-module", "--depth=1").stdout
    deep = archbench(tmp_path, "count", "alexnet", "--by-module", "--depth=2").stdout
    assert "features.0" not in shallow
    assert "features.0" in deep


def test_it_lists_the_seeds_and_what_the_folder_declares(project: Path) -> None:
    listed = [line.split()[0] for line in archbench(project, "list").stdout.splitlines()]
    assert {"mynet", "alexnet"} <= set(listed)
    assert [line.split()[0] for line in archbench(project, "list", "--suite=user").stdout.splitlines()] == [
        "mynet",
        "text",
    ]


@pytest.mark.parametrize("command", ["list", "count"])
def test_help_says_which_networks_it_knows(tmp_path: Path, command: str) -> None:
    said = " ".join(archbench(tmp_path, command, "--help").stdout.split())
    assert "(default: seeds and those that ./pyproject.toml declares; hooks are known to pytest only)" in said


def test_it_says_what_a_mistake_is(project: Path) -> None:
    unknown = archbench(project, "count", "mynt")
    assert (unknown.returncode, unknown.stdout) == (2, "")
    assert "unknown architecture 'mynt': did you mean mynet" in unknown.stderr
    wrong = archbench(project, "count", "text")
    assert wrong.returncode == 1
    assert wrong.stderr == "Error: text: TypeError: n:text: expected a torch.nn.Module; got str\n"
    (project / "pyproject.toml").write_text(f"[tool.archbench]\nsuit = 'timm'\n{DECLARED}")
    assert (
        f"{project / 'pyproject.toml'}:2: [tool.archbench] suit: unknown setting" in archbench(project, "list").stderr
    )


def test_it_names_the_devices_that_are_here(tmp_path: Path) -> None:
    said = archbench(tmp_path, "device").stdout.splitlines()
    assert any(line.startswith("cpu ") and "not here" not in line for line in said)


def test_it_reports_only_from_a_journal(tmp_path: Path) -> None:
    ran = archbench(tmp_path, "report", "nowhere")
    assert ran.returncode == 2
    assert "nowhere" in ran.stderr
    assert list(tmp_path.iterdir()) == []
