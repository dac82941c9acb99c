"""A project with two networks in a repository that the emulated services serve."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from ci_shell import git, shell, variables

from pytest_archbench import history

DOCS = Path(__file__).parents[1] / "docs"
REQUEST, NIGHT, GITLAB = (
    DOCS / "workflows" / name for name in ("github-pull-request.yml", "github-nightly.yml", "gitlab-ci.yml")
)
NETS = """
from torch import nn


def net(channels):
    return nn.Sequential(nn.Conv2d(3, channels, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10))


def small():
    return net({small})


def large():
    return net({large})
"""
"""With 4 channels: 3*4*9 + 4 + 4*10 + 10 = 162 parameters; of two parts of a run ``large`` is the first."""
SETTINGS = """
[tool.archbench]
arch = ["small", "large"]
metric = ["params", "latency"]
time-budget = "50ms"
precision = "50%"

[tool.archbench.architectures]
small = {factory = "nets:small", input = [3, 32, 32]}
large = {factory = "nets:large", input = [3, 32, 32]}
"""


class Project:
    """A user's repository where everybody pushes to, and somebody's clone of it."""

    def __init__(self, folder: Path) -> None:
        self.bare, self.clone = folder / "nets.git", folder / "clone"
        git(folder, "init", "--quiet", "--bare", "--initial-branch=main", str(self.bare))
        git(folder, "clone", "--quiet", f"file://{self.bare}", str(self.clone))
        git(self.clone, "checkout", "--quiet", "-B", "main")
        (self.clone / "pyproject.toml").write_text(SETTINGS)
        (self.clone / ".gitignore").write_text("__pycache__\nreports\n")
        self.first = self.commit(small=4, large=6)

    def commit(self, to: str = "main", **channels: int) -> str:
        """Push a commit with networks of so many channels; its name."""
        (self.clone / "nets.py").write_text(NETS.format(**channels))
        git(self.clone, "add", "--all")
        git(self.clone, "commit", "--quiet", "--allow-empty", "--message", f"Channels: {channels}")
        git(self.clone, "push", "--quiet", "--force", "origin", f"HEAD:refs/heads/{to}")
        return git(self.clone, "rev-parse", "HEAD")

    def request(self, **channels: int) -> str:
        """Open a pull request off the first commit, on a main branch that goes on; the name of its commit."""
        git(self.clone, "checkout", "--quiet", "-B", "feature", self.first)
        head = self.commit("feature", **channels)
        git(self.clone, "checkout", "--quiet", "-B", "merged", self.first)
        git(self.clone, "merge", "--quiet", "--no-ff", "--message", "Merge", "feature")
        git(self.clone, "push", "--quiet", "--force", "origin", "HEAD:refs/pull/7/merge")
        git(self.clone, "checkout", "--quiet", "-B", "main", self.first)
        self.commit(small=4, large=7)
        return head

    def begin(self) -> None:
        """Make the branch of the history, with the commands of the page."""
        text = (DOCS / "ci.md").read_text(encoding="utf-8")
        commands = re.search(r"^```sh title=begin\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
        assert commands
        whose = {f"GIT_{role}_{fact}": "ada@here" for role in ("AUTHOR", "COMMITTER") for fact in ("NAME", "EMAIL")}
        code, said = shell(commands[1], self.clone, variables(self.clone.parent / "home", whose))
        assert code == 0, said

    def kept(self) -> history.Past:
        """The history as the branch has it now."""
        folder = self.clone.parent / "kept"
        shutil.rmtree(folder, ignore_errors=True)
        git(self.clone, "clone", "--quiet", "--branch=archbench-history", f"file://{self.bare}", str(folder))
        assert {path.name for path in folder.iterdir()} <= {".git", "nights", "elsewhere"}
        past = history.load(folder)
        assert past.broken == past.repeated == ()
        return past

    def nights(self) -> list[str]:
        return git(self.bare, "log", "--format=%s", "archbench-history").splitlines()
