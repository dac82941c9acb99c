"""The ready workflows as text: valid by the services' own schemas, and asking for no more than they need."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from ci_project import GITLAB, NIGHT, REQUEST
from ci_shell import INSTALLS, read
from emulated_github import ACTIONS

SCHEMAS = {
    REQUEST: ["--builtin-schema", "vendor.github-workflows"],
    NIGHT: ["--builtin-schema", "vendor.github-workflows"],
    GITLAB: ["--builtin-schema", "vendor.gitlab-ci", "--data-transform", "gitlab-ci"],
}


def checked(path: Path, schema: list[str]) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).parent / "check-jsonschema"), *schema, str(path)]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.mark.parametrize("path", SCHEMAS, ids=lambda path: path.stem)
def test_a_workflow_follows_its_schema(path: Path) -> None:
    done = checked(path, SCHEMAS[path])
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("path", "right", "wrong"),
    [
        (REQUEST, "    timeout-minutes: 20", "    timeout-minute: 20"),
        (NIGHT, "      fail-fast: false", "      fail-fast: [cpu]"),
        (GITLAB, "    when: always\n    paths", "    when: ever\n    paths"),
    ],
    ids=lambda given: given.stem if isinstance(given, Path) else "",
)
def test_a_broken_workflow_is_refused(path: Path, right: str, wrong: str, tmp_path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert right in text
    (tmp_path / path.name).write_text(text.replace(right, wrong, 1))
    assert checked(tmp_path / path.name, SCHEMAS[path]).returncode == 1


def commands(text: Mapping[str, Any]) -> list[str]:
    """Every line that a workflow of either service runs."""
    steps = [step for job in text.get("jobs", {}).values() for step in job["steps"]]
    scripts = [step["run"] for step in steps if "run" in step]
    jobs = [job for job in text.values() if isinstance(job, dict)]
    scripts += [
        line for job in jobs for key in ("before_script", "script", "after_script") for line in job.get(key, ())
    ]
    return [line.strip() for script in scripts for line in script.splitlines()]


def test_what_is_installed_is_all_that_a_test_leaves_out() -> None:
    lines = {line for path in SCHEMAS for line in commands(read(path))}
    assert {line for line in lines if re.search(r"\binstall\b", line)} == set(INSTALLS)


@pytest.mark.parametrize("path", [REQUEST, NIGHT], ids=lambda path: path.stem)
def test_a_workflow_of_github_asks_for_little(path: Path) -> None:
    """Known actions, a time limit for each job, and no right to write but where something is written."""
    text = read(path)
    assert text["permissions"] == {"contents": "read"}
    given = {name: job.get("permissions", {}) for name, job in text["jobs"].items() if "permissions" in job}
    assert given == (
        {"comment": {"pull-requests": "write"}}
        if path == REQUEST
        else {"collect": {"contents": "write"}, "deploy": {"pages": "write", "id-token": "write"}}
    )
    assert all("timeout-minutes" in job for job in text["jobs"].values())
    assert {step["uses"] for job in text["jobs"].values() for step in job["steps"] if "uses" in step} <= {*ACTIONS}


def test_the_parts_of_a_night_are_those_of_the_matrix() -> None:
    for text, (devices, shards) in (
        (read(NIGHT), read(NIGHT)["jobs"]["measure"]["strategy"]["matrix"].values()),
        (read(GITLAB), read(GITLAB)["measure"]["parallel"]["matrix"][0].values()),
    ):
        parts = (text.get("env") or text["variables"])["PARTS"].split()
        assert parts == [f"{device}-{shard}" for device in devices for shard in shards]
        measure = " ".join(commands(text))
        assert f'--archbench-shard="$SHARD/{len(shards)}"' in measure
