"""Who and when between two runs, asked of real repositories: whole, shallow, forked, foreign and absent ones."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from pytest_archbench.blame import MOST, Between, Commit, NoCommits, between, shallow

AUTHORS = ("Ada Miller", "Bo Chen", "Chiara Rossi")


def git(folder: Path, *arguments: str, **environment: str) -> str:
    command = ["git", "-c", "user.name=Merger", "-c", "user.email=m@example.org", *arguments]
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def commit(folder: Path, number: int, subject: str) -> str:
    """A commit of day ``number`` by one of the authors in turn; its hash."""
    who = {"GIT_AUTHOR_NAME": AUTHORS[number % 3], "GIT_AUTHOR_EMAIL": "a@example.org"}
    day = f"2026-01-{number:02}T12:00:00+00:00"
    git(folder, "commit", "--allow-empty", "-m", subject, GIT_AUTHOR_DATE=day, GIT_COMMITTER_DATE=day, **who)
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """Ten commits, the first of day 1, on main; and one of day 11 on a branch off the third."""
    folder = tmp_path_factory.mktemp("project")
    git(folder, "init", "-q", "-b", "main")
    commits = [commit(folder, day, f"Change {day}\n\nwith a body") for day in range(1, 11)]
    git(folder, "checkout", "-q", "-b", "side", commits[2])
    commits.append(commit(folder, 11, "Aside: \x1b[31mred"))
    git(folder, "checkout", "-q", "main")
    return folder, commits


def test_it_tells_author_day_and_subject_the_latest_first(project: tuple[Path, list[str]]) -> None:
    folder, commits = project
    assert between(folder, commits[0], commits[2]) == Between(
        (
            Commit(commits[2], "Ada Miller", "2026-01-03", "Change 3"),
            Commit(commits[1], "Chiara Rossi", "2026-01-02", "Change 2"),
        ),
        count=2,
        undone=0,
    )


def test_of_many_commits_it_tells_the_latest_and_counts_all(project: tuple[Path, list[str]]) -> None:
    folder, commits = project
    found = between(folder, commits[0], commits[9])
    assert [each.subject for each in found.commits] == [f"Change {day}" for day in range(10, 10 - MOST, -1)]
    assert found.count == 9


def test_an_abbreviated_commit_will_do(project: tuple[Path, list[str]]) -> None:
    folder, commits = project
    assert between(folder, commits[0][:10], commits[1][:10]).count == 1


def test_it_says_what_a_fork_left_behind(project: tuple[Path, list[str]]) -> None:
    folder, commits = project
    forked = between(folder, commits[5], commits[10])
    assert (forked.count, forked.undone) == (1, 3)
    assert forked.commits[0].subject == "Aside: \x1b[31mred"
    back = between(folder, commits[5], commits[2])
    assert (back.commits, back.count, back.undone) == ((), 0, 3)
    assert [each.subject for each in back.gone] == ["Change 6", "Change 5", "Change 4"]


def test_a_folder_of_the_project_will_do(project: tuple[Path, list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    folder, commits = project
    (folder / "part").mkdir(exist_ok=True)
    monkeypatch.setenv("GIT_DIR", "/nowhere")  # as a hook of another repository has it
    assert between(folder / "part", commits[0], commits[1]).count == 1


@pytest.mark.parametrize(
    ("before", "since"), [("unknown", "a" * 40), ("a" * 40, "HEAD"), ("--all", "b" * 40), ("", "")]
)
def test_a_run_without_a_commit_is_a_sentence(project: tuple[Path, list[str]], before: str, since: str) -> None:
    with pytest.raises(NoCommits, match="the runs do not tell their commits: measure in a git repository"):
        between(project[0], before, since)


def test_one_commit_on_both_sides_is_a_sentence(project: tuple[Path, list[str]]) -> None:
    folder, commits = project
    with pytest.raises(NoCommits, match=f"both runs are of commit {commits[0][:7]}: what changed is not in it"):
        between(folder, commits[0], commits[0])


def test_a_commit_of_another_repository_is_a_sentence(project: tuple[Path, list[str]]) -> None:
    folder, commits = project
    with pytest.raises(NoCommits, match="commit ccccccc is not here: name the project's repository, or fetch"):
        between(folder, commits[0], "c" * 40)


def test_a_shallow_clone_says_how_to_deepen_it(project: tuple[Path, list[str]], tmp_path: Path) -> None:
    folder, commits = project
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{folder}", "shallow")
    with pytest.raises(NoCommits, match=f"commit {commits[0][:7]} is not here: this clone is shallow.*--unshallow"):
        between(tmp_path / "shallow", commits[0], commits[9])
    assert shallow(tmp_path / "shallow").endswith(
        "may be missing: git fetch --unshallow (in a workflow: fetch-depth: 0)"
    )
    assert shallow(folder) == shallow(tmp_path) == ""


def test_a_commit_is_never_an_option_of_git(project: tuple[Path, list[str]], tmp_path: Path) -> None:
    with pytest.raises(NoCommits, match="the runs do not tell their commits"):
        between(project[0], project[1][0], f"--output={tmp_path}/written")
    assert not (tmp_path / "written").exists()


def test_a_folder_without_a_repository_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(NoCommits, match=r"not a git repository.*name the project's repository"):
        between(tmp_path, "a" * 40, "b" * 40)
    with pytest.raises(NoCommits, match=r"nowhere: expected a folder: No such file"):
        between(tmp_path / "nowhere", "a" * 40, "b" * 40)


def test_a_machine_without_git_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NoCommits, match="git cannot be run: No such file"):
        between(tmp_path, "a" * 40, "b" * 40)
