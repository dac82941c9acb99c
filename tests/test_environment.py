"""Where a run happened: what can be told is told, the rest is unknown."""

from __future__ import annotations

import json
import subprocess
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from pytest_archbench.environment import PACKAGES, environment, header


def git(folder: Path, *arguments: str) -> str:
    who = ["-c", "user.name=Some One", "-c", "user.email=some@example.org", "-c", "init.defaultBranch=main"]
    return subprocess.run(["git", *who, *arguments], cwd=folder, capture_output=True, text=True, check=True).stdout


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    git(tmp_path, "init")
    (tmp_path / "net.py").write_text("width = 64\n")
    git(tmp_path, "add", "net.py")
    git(tmp_path, "commit", "-m", "A network")
    return tmp_path


def test_it_names_the_commit(repository: Path) -> None:
    found = header({}, repository)
    assert found["commit"] == git(repository, "rev-parse", "HEAD").strip()
    assert found["dirty"] is False


def test_a_changed_file_is_dirty_a_new_one_is_not(repository: Path) -> None:
    (repository / "reports.txt").write_text("new\n")
    assert header({}, repository)["dirty"] is False
    (repository / "net.py").write_text("width = 32\n")
    assert header({}, repository)["dirty"] is True


def test_without_a_repository_the_commit_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    found = header({}, tmp_path)
    assert (found["commit"], found["dirty"]) == ("unknown", "unknown")


def test_without_git_the_commit_is_unknown(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    found = header({}, repository)
    assert (found["commit"], found["dirty"]) == ("unknown", "unknown")


def test_it_is_plain_data_with_versions_and_devices(tmp_path: Path) -> None:
    devices: dict[str, Any] = {"cpu": {"kind": "cpu", "model": "EPYC"}}
    found = json.loads(json.dumps(header(devices, tmp_path)))
    assert found["devices"] == devices
    assert found["environment"] == environment()
    assert found["environment"]["packages"].keys() == set(PACKAGES)
    assert found["environment"]["packages"]["torch"][0].isdigit()


def test_a_package_that_is_not_installed_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pytest_archbench.environment.PACKAGES", ("no-such-package",))
    assert environment()["packages"] == {"no-such-package": "unknown"}


def test_the_header_has_what_pytest_benchmark_stores(repository: Path) -> None:
    git(repository, "remote", "add", "origin", "https://me:secret@host/us/nets.git")
    said = header({}, repository)
    assert (said["branch"], said["project"]) == ("main", "nets")
    assert datetime.fromisoformat(said["commit_time"]) >= datetime.fromisoformat(said["author_time"])
    assert "secret" not in json.dumps(said)
    git(repository, "checkout", "--detach")
    assert header({}, repository)["branch"] == "(detached head)"


def test_outside_a_repository_times_and_branch_are_unknown(tmp_path: Path) -> None:
    said = header({}, tmp_path)
    assert [said[key] for key in ("commit_time", "author_time", "branch")] == ["unknown"] * 3
    assert said["project"] == tmp_path.name
