"""Every command of the ready pipeline for GitLab, run: what merge requests and nights come to."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from ci_project import GITLAB, Project
from ci_shell import read
from emulated_gitlab import Lab


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def pipeline(project: Project, folder: Path, commit: str, **given: str) -> Lab:
    own = {"CI_REPOSITORY_URL": f"file://{project.bare}", "CI_PROJECT_URL": "https://gitlab.com/ada/nets"}
    folder.mkdir()
    return Lab(folder, project.bare, read(GITLAB), commit, {**own, **given})


@pytest.mark.slow
def test_a_merge_request_on_gitlab(project: Project, tmp_path: Path) -> None:
    """One that changes nothing passes, before the first night too; one that slows a network fails and is told of."""
    lab = pipeline(project, tmp_path / "counted", project.request(small=4, large=6))
    code, said = lab.run("counts")
    assert code == 0, said
    assert (lab.artifacts("counts") / "reports/measurements.jsonl").exists()
    for name, channels, expected in (("same", 4, 0), ("slower", 256, 1)):
        head = project.request(small=channels, large=6)
        lab = pipeline(project, tmp_path / name, head, CI_MERGE_REQUEST_DIFF_BASE_SHA=project.first)
        code, said = lab.run("compare")
        assert code == expected, said
        assert (lab.artifacts("compare") / "comparison.md").read_text().startswith("<!-- archbench -->")


@pytest.mark.slow
def test_nights_on_gitlab(project: Project, tmp_path: Path) -> None:
    """One that is good, and one with an alarm and without three of its parts: both are kept and published."""
    project.begin()
    lab = pipeline(project, tmp_path / "good", project.first, CI_PIPELINE_ID="1001", PARTS="cpu-1 cpu-2")
    for shard in ("1", "2"):
        code, said = lab.run("measure", DEVICE="cpu", SHARD=shard)
        assert code == 0, said
    for name in ("collect", "pages", "complete"):
        code, said = lab.run(name)
        assert code == 0, said
    assert (lab.artifacts("pages") / "public/index.html").exists()
    assert {case[0] for case in project.kept().series} == {"small", "large"}

    lab = pipeline(project, tmp_path / "bad", project.commit(small=4, large=8), CI_PIPELINE_ID="1002")
    assert [lab.run("measure", DEVICE=device, SHARD="1")[0] for device in ("cpu", "cuda")] == [1, 4]
    code, said = lab.run("collect")
    assert code == 1, said
    assert "regressed" in (lab.artifacts("collect") / "summary.md").read_text()
    assert len(project.kept().runs) == 2
    assert lab.run("pages")[0] == 0
    assert (lab.artifacts("pages") / "public/index.html").exists()
    code, said = lab.run("complete")
    assert code == 1
    assert re.findall(r"part (\S+) did not come", said) == ["cpu-2", "cuda-1", "cuda-2"]
    assert {*lab.ran, "counts", "compare"} == {name for name in lab.text if "script" in (lab.text[name] or {})}
