"""Every command of the ready workflows for GitHub, run: what a pull request and nights come to."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from ci_project import NIGHT, REQUEST, Project
from ci_shell import git, read, variables
from emulated_github import Hub, Job

from pytest_archbench import store


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


@pytest.fixture
def hub(project: Project, tmp_path: Path) -> Hub:
    facts = {
        "github.repository": "ada/nets",
        "github.event.pull_request.head.repo.full_name": "ada/nets",
        "github.event.pull_request.number": "7",
        "github.base_ref": "main",
        "github.token": "a token",
        "github.ref": "refs/pull/7/merge",
        "github.run_id": "1001",
        "github.run_attempt": "1",
    }
    return Hub(tmp_path, project.bare, facts)


def steps_of(text: Mapping[str, Any], name: str) -> set[str]:
    return {step["name"] for step in text["jobs"][name]["steps"]}


def test_counts_of_a_pull_request_before_the_first_night(hub: Hub, project: Project) -> None:
    project.request(small=4, large=6)
    job = hub.run(read(REQUEST), "counts")
    assert not job.failed, job.said
    assert job.outcomes["Check out the history"] == "failure", "there is none yet, and that is no fault"
    assert "| `small` | cpu, batch 1 | 0.000162 |" in job.summary, job.summary


GH = '''#!{python}
"""``gh api`` on the comments in comments.json, as far as the workflow asks for it; it takes no other argument."""
import argparse, json, os, pathlib, re, subprocess, sys

parser = argparse.ArgumentParser()
api = parser.add_subparsers(required=True).add_parser("api")
api.add_argument("path")
api.add_argument("--method", default="GET", choices=["GET", "POST", "PATCH"])
api.add_argument("--paginate", action="store_true")
api.add_argument("--jq")
api.add_argument("--field")
asked = parser.parse_args()
assert os.environ["GH_TOKEN"] == "a token"
file = pathlib.Path(__file__).with_name("comments.json")
comments = json.loads(file.read_text())
if asked.method == "GET":
    assert asked.path == "repos/ada/nets/issues/7/comments" and asked.paginate and not asked.field
    sys.exit(subprocess.run(["jq", "--raw-output", asked.jq], input=json.dumps(comments), text=True).returncode)
body = pathlib.Path(re.fullmatch("body=@(.+)", asked.field)[1]).read_text()
if asked.method == "POST":
    assert asked.path == "repos/ada/nets/issues/7/comments"
    comments.append({{"id": 100 + len(comments), "user": {{"login": "github-actions[bot]"}}, "body": body}})
else:
    place = int(re.fullmatch("repos/ada/nets/issues/comments/([0-9]+)", asked.path)[1])
    next(each for each in comments if each["id"] == place)["body"] = body
file.write_text(json.dumps(comments))
'''
OTHERS = [
    {"id": 1, "user": {"login": "mallory"}, "body": "<!-- archbench --> not theirs"},
    {"id": 2, "user": {"login": "github-actions[bot]"}, "body": "Coverage: 90 %"},
]
"""Comments that the workflow must leave alone."""


@pytest.fixture
def gh(tmp_path: Path) -> Callable[[], list[dict[str, Any]]]:
    """A ``gh`` in the folder ``bin``; what comments there are now."""
    if shutil.which("jq") is None:
        pytest.skip("no jq, in whose language gh is asked: install jq")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/gh").write_text(GH.format(python=sys.executable))
    (tmp_path / "bin/gh").chmod(0o755)
    (tmp_path / "bin/comments.json").write_text(json.dumps(OTHERS))
    return lambda: json.loads((tmp_path / "bin/comments.json").read_text())


@pytest.mark.slow
def test_a_pull_request_that_slows_a_network(
    hub: Hub, project: Project, tmp_path: Path, gh: Callable[[], list[dict[str, Any]]]
) -> None:
    """It fails, and says so in one comment however often it is pushed to."""
    text = read(REQUEST)
    project.request(small=256, large=6)
    compare = hub.run(text, "compare")
    assert compare.failed
    assert compare.outcomes["Measure in turn"] == "failure", compare.said
    assert compare.outcomes["Write the comment"] == "success", compare.said
    assert "regressed" in compare.said
    run = store.read(hub.artifact("archbench-comparison"))
    assert {(row["architecture"], row["metric"]) for row in run.rows} == {
        (name, metric) for name in ("small", "large") for metric in ("latency", "peak_memory")
    }
    assert project.first in json.dumps(run.rows[0]["against"]), "not the tip of main, where large is another"
    assert compare.summary.startswith("<!-- archbench -->")

    path = f"{tmp_path / 'bin'}:{variables(tmp_path / 'home', {})['PATH']}"
    assert hub.wanted(text, "comment")
    assert not hub.wanted(text, "comment", {"github.event.pull_request.head.repo.full_name": "eve/nets"})
    first = hub.run(text, "comment", variables={"PATH": path})
    assert not first.failed, first.said
    assert [each["body"] for each in gh()] == [*(each["body"] for each in OTHERS), compare.summary]
    hub.artifact("archbench-comment/comment.md").write_text("<!-- archbench -->\nagain")
    second = hub.run(text, "comment", variables={"PATH": path})
    assert not second.failed, second.said
    assert [each["body"] for each in gh()] == [*(each["body"] for each in OTHERS), "<!-- archbench -->\nagain"]
    for name, job in (("compare", compare), ("comment", second)):
        assert {each for each, outcome in job.outcomes.items() if outcome != "skipped"} == steps_of(text, name)


def measured(hub: Hub, text: Mapping[str, Any], device: str, shard: int) -> Job:
    return hub.run(text, "measure", facts={"matrix.device": device, "matrix.shard": str(shard)})


def outputs(collect: Job) -> dict[str, str]:
    return {f"needs.collect.outputs.{name}": value for name, value in collect.outputs().items()}


@pytest.mark.slow
def test_nights_on_github(hub: Hub, project: Project) -> None:
    """One that is good, one with an alarm of which a part comes late and two do not come, and one without any."""
    hub.facts["github.ref"] = "refs/heads/main"
    text = read(NIGHT)
    project.begin()
    mine = {**text, "env": {"PARTS": "cpu-1 cpu-2"}}
    for shard in (1, 2):
        part = measured(hub, mine, "cpu", shard)
        assert not part.failed, part.said
    assert {*part.outcomes} == steps_of(text, "measure")

    def somebody_pushes() -> None:
        git(project.clone, "checkout", "--quiet", "-B", "archbench-history", "origin/archbench-history")
        (project.clone / "elsewhere").write_text("of another workflow")
        git(project.clone, "add", "elsewhere")
        git(project.clone, "commit", "--quiet", "--message", "Elsewhere")
        git(project.clone, "push", "--quiet", "origin", "HEAD")
        git(project.clone, "checkout", "--quiet", "main")

    collect = hub.run(mine, "collect", arriving={"Fetch the parts": somebody_pushes})
    assert not collect.failed, collect.said
    assert [*collect.outcomes.values()] == ["success"] * len(steps_of(text, "collect"))
    assert "rejected" in collect.said, "the push was too late once"
    assert project.nights() == ["Night 1001", "Elsewhere", "The history of nights"]
    past = project.kept()
    assert len(store.read(hub.artifact("night")).rows) == 4
    assert len(past.runs) == 1, "two runs, and one night"
    assert {case[0] for case in past.series} == {"small", "large"}
    assert re.findall(r"no alarm in (\d) cases", collect.summary) == ["2", "4"], "each part adds to the night"
    assert hub.wanted(text, "deploy", outputs(collect))
    assert not hub.run(text, "deploy", facts=outputs(collect)).failed
    assert (hub.site / "index.html").exists()

    shutil.rmtree(hub.artifact(""))
    shutil.rmtree(hub.site)
    project.commit(small=4, large=8)
    hub.facts["github.run_id"] = "1002"
    assert measured(hub, text, "cpu", 1).failed, "it has more parameters than in the night before"
    assert measured(hub, text, "cuda", 1).failed, "there is no such device here"
    collect = collected_again(hub, text, 1)
    assert missing(collect) == ["cpu-2", "cuda-1", "cuda-2"]
    assert len(project.nights()) == 4
    assert [len(points) for points in project.kept().series.values()] == [2, 2, 1, 1], "two of large, one of small"
    assert not hub.run(text, "deploy", facts=outputs(collect)).failed
    assert (hub.site / "index.html").exists()

    assert not measured(hub, text, "cpu", 2).failed
    for attempt in (2, 3):  # the second adds nothing
        assert missing(collected_again(hub, text, attempt)) == ["cuda-1", "cuda-2"]
        assert len(project.nights()) == 5
    past = project.kept()
    assert len(past.runs) == 2, "what came late is of the same night"
    assert [len(points) for points in past.series.values()] == [2, 2, 2, 2]

    shutil.rmtree(hub.artifact(""))
    hub.facts["github.run_id"] = "1003"
    collect = hub.run(text, "collect")
    assert collect.outcomes["Keep the parts as one night, judge and publish it"] == "failure"
    assert len(missing(collect)) == 4
    assert len(project.nights()) == 5

    hub.facts["github.ref"] = "refs/pull/7/merge"
    project.request(small=5, large=6)
    counts = hub.run(read(REQUEST), "counts")
    assert {*counts.outcomes} == steps_of(read(REQUEST), "counts")
    assert counts.outcomes["Count"] == "failure"
    told = re.findall(r"^(\w+) params: .* deviates .*: (\d+ instead of \d+)", counts.said, re.MULTILINE)
    assert told == [("small", "200 instead of 162")], "what large was before its alarm it is here"


def missing(collect: Job) -> list[str]:
    return re.findall(r"::error::part (\S+) did not come", collect.said)


def collected_again(hub: Hub, text: Mapping[str, Any], attempt: int) -> Job:
    """A night with an alarm and without some of its parts: kept and published, and red."""
    hub.facts["github.run_attempt"] = str(attempt)
    collect = hub.run(text, "collect")
    assert {name for name, outcome in collect.outcomes.items() if outcome != "success"} == {
        "Keep the parts as one night, judge and publish it",
        "Name the parts that did not come",
    }, collect.said
    assert "**regressed** `large params" in collect.summary
    assert hub.wanted(text, "deploy", outputs(collect))
    return collect
