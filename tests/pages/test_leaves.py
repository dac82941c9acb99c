"""The page of nights: what changed since the night before on the same device, and the project's commits between."""

from __future__ import annotations

import re
from hashlib import sha256
from pathlib import Path

import pytest
from pages_data import CPU, EVIL, header, keep, point, project, publish

from pytest_archbench.files import as_file
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
        (1, "cpu", one, CPU | {"governor": "unknown"}),
        (2, "orin", one, {"kind": "jetson"}),
        (3, "cpu", three, CPU | {"governor": "powersave"}),
        (4, "orin", two, {"kind": "jetson"}),
        (5, "cpu", one, CPU),
        (6, "orin", two, {"kind": "jetson"}),
        (7, "cpu", "f" * 40, CPU),
    ]
    for number, device, commit, facts in nights:
        night = header(number, commit=commit, devices={device: facts}, dirty=number == 6, night=f"night {number}")
        seconds = 1.25 if number == 4 else 1.0
        alarmed = point("a", "latency", seconds, night, device=device, alarmed=number == 4)
        keep(tmp_path / "history", night, [alarmed, point("b", "macs", number, night, device=device, alarmed=True)])
    (tmp_path / "history/journals" / as_file("night 4")).mkdir(parents=True)
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


def test_alarms_are_listed_beside_the_last_night_without_one(told: list[str]) -> None:
    assert (
        "Judged worse than its own past: 2 a latency orin bs1: 1.000 s -&gt; 1.250 s b macs orin bs1: 4 MAC" in told[3]
    )


def test_a_night_has_its_name_and_says_where_what_is_meant_is_promoted_from(told: list[str]) -> None:
    assert told[3].startswith("2026-01-04 03:00 UTC, night night 4 Run night-04 on orin")
    mark = sha256(b"night 4").hexdigest()[:8]
    said = f"One that is meant is accepted with archbench promote history/journals/night-4-{mark} ."
    assert [said in each for each in told] == [number == 4 for number in range(1, 8)]


def test_what_is_not_known_is_not_told(told: list[str]) -> None:
    assert "torch 2.15.0" in told[0]
    assert "governor" not in told[0]


def test_nothing_from_a_file_becomes_markup(told: list[str], tmp_path: Path) -> None:
    assert "<img" not in (tmp_path / "pages/html/night.html").read_text(encoding="utf-8")
