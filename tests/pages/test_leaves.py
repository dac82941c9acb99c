"""The page of nights: what changed since the night before on the same device, and the project's commits between."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pages_data import CPU, EVIL, header, keep, point, project, publish

from pytest_archbench.pages import Project


def sections(folder: Path) -> list[str]:
    """The text of each night's section, the oldest first, blanks as one."""
    page = (folder / "html/night.html").read_text(encoding="utf-8")
    found = re.findall(r'<section id="n[0-9a-f]{12}">(.*?)</section>', page, re.DOTALL)
    return [re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", text)).strip() for text in reversed(found)]


@pytest.fixture
def told(tmp_path: Path) -> list[str]:
    """Two machines whose nights alternate, one with a kernel update; three commits of a project."""
    repository = tmp_path / "project"
    one, two, three = project(repository, ["First", f"Second {EVIL}", "Third"])
    nights = [
        (1, "cpu", one, CPU),
        (2, "orin", one, {"kind": "jetson"}),
        (3, "cpu", three, CPU | {"governor": "powersave"}),
        (4, "orin", two, {"kind": "jetson"}),
        (5, "cpu", one, CPU),
        (6, "orin", two, {"kind": "jetson"}),
        (7, "cpu", "f" * 40, CPU),
    ]
    for number, device, commit, facts in nights:
        night = header(number, commit=commit, devices={device: facts}, dirty=number == 6)
        keep(tmp_path / "history", night, [point("a", "latency", 1.0, night, device=device, alarmed=number == 4)])
    whose = Project("networks", repository, "https://example.org/n")
    publish(tmp_path / "history", tmp_path / "pages", whose)
    return sections(tmp_path / "pages")


def test_the_first_night_of_a_device_has_nothing_before(told: list[str]) -> None:
    assert "cpu The first night of this device." in told[0]
    assert "orin The first night of this device." in told[1]


def test_commits_are_those_since_the_night_before_on_the_same_device(told: list[str]) -> None:
    assert "cpu since 2026-01-01 03:00 (run night-01) Commits" in told[2]
    assert re.search(r"\( compare \): [0-9a-f]{10} Third Ada [0-9a-f]{10} Second &lt;img src=x", told[2]), told[2]
    assert "Third" not in told[3]
    assert "Second &lt;img" in told[3]


def test_facts_that_changed_are_told_with_both_values(told: list[str]) -> None:
    assert "Changed Before Now device.governor unknown powersave" in told[2]
    assert "Versions and device are the same." in told[3]


def test_the_same_commit_and_unsaved_changes_are_said(told: list[str]) -> None:
    assert "The same commit." in told[5]
    assert "with changes that are not committed" in told[5]


def test_commits_that_are_gone_are_shown_too(told: list[str]) -> None:
    assert "Third Ada" in told[4]


def test_commits_of_another_repository_are_said_to_be_unknown(told: list[str]) -> None:
    assert "the project's repository does not have them" in told[6]


def test_alarms_are_listed(told: list[str]) -> None:
    assert "Judged worse than its own past: 1 a latency orin bs1" in told[3]


def test_nothing_from_a_file_becomes_markup(told: list[str], tmp_path: Path) -> None:
    assert "<img" not in (tmp_path / "pages/html/night.html").read_text(encoding="utf-8")
