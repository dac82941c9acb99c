"""What GitHub does with a workflow, as far as the ready ones need it.

An expression, an action or an input that is not known here fails.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ci_shell import copied, git, shell, variables

EXPRESSION = re.compile(r"\$\{\{ (.+?) \}\}")


@dataclass
class Hub:
    """A repository on GitHub, with what its workflow runs leave there."""

    folder: Path
    bare: Path
    facts: dict[str, str]
    """Values of expressions, by their text."""

    def artifact(self, name: str) -> Path:
        return self.folder / "artifacts" / name

    @property
    def site(self) -> Path:
        return self.folder / "site"

    def run(self, workflow: Mapping[str, Any], name: str, **more: Any) -> Job:
        """Run a job to its end, on a machine of its own. ``more``: as ``Job``."""
        workspace = self.folder / f"machine-{len(list(self.folder.glob('machine-*')))}" / "workspace"
        workspace.mkdir(parents=True)
        job = Job(self, workflow, workflow["jobs"][name], workspace, **more)
        job.run()
        return job

    def wanted(self, workflow: Mapping[str, Any], name: str, facts: Mapping[str, str] | None = None) -> bool:
        """Whether the condition of a job holds where one that it needs has failed."""
        condition = workflow["jobs"][name].get("if")
        return condition is not None and holds(condition, {**self.facts, **(facts or {})}, self.folder)


def holds(condition: str, facts: Mapping[str, str], workspace: Path) -> bool:
    """Whether a condition holds in a workflow run that nobody cancelled. It must say whether it asks for success."""
    whole = EXPRESSION.fullmatch(condition)
    assert whole, f"a condition is one expression; got {condition!r}"
    status, *others = whole[1].split(" && ")
    assert status in ("always()", "!cancelled()"), condition
    return all(_compares(each, facts, workspace) for each in others)


def _compares(term: str, facts: Mapping[str, str], workspace: Path) -> bool:
    left, operator, right = re.split(r" (==|!=) ", term)
    same = _value(left, facts, workspace) == _value(right, facts, workspace)
    return same if operator == "==" else not same


def _value(term: str, facts: Mapping[str, str], workspace: Path) -> str:
    if file := re.fullmatch(r"hashFiles\('(.+)'\)", term):
        return "a hash" if any(workspace.glob(file[1])) else ""
    return term[1:-1] if term.startswith("'") else facts[term]


@dataclass
class Job:
    """A job on one machine. ``arriving``: what happens elsewhere once a step has ended, by its name."""

    hub: Hub
    workflow: Mapping[str, Any]
    text: Mapping[str, Any]
    workspace: Path
    facts: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    arriving: Mapping[str, Callable[[], object]] = field(default_factory=dict)
    outcomes: dict[str, str] = field(default_factory=dict)
    """success, failure or skipped of each step."""
    said: str = ""
    _tolerated: set[str] = field(default_factory=set)

    @property
    def failed(self) -> bool:
        return any(outcome == "failure" and name not in self._tolerated for name, outcome in self.outcomes.items())

    @property
    def summary(self) -> str:
        path = self.workspace.parent / "summary.md"
        return path.read_text(encoding="utf-8") if path.exists() else ""

    @property
    def known(self) -> dict[str, str]:
        steps = {step["id"]: self.outcomes.get(step["name"], "") for step in self.text["steps"] if "id" in step}
        told = {f"steps.{name}.outcome": outcome for name, outcome in steps.items()}
        return {**self.hub.facts, **self.facts, **told}

    def filled(self, text: Any) -> str:
        """A text with the values of its expressions."""
        return EXPRESSION.sub(lambda found: self.known[found[1]], str(text))

    def outputs(self) -> dict[str, str]:
        return {name: self.filled(text) for name, text in self.text.get("outputs", {}).items()}

    def run(self) -> None:
        for step in self.text["steps"]:
            name, condition = step["name"], step.get("if")
            assert name not in self.outcomes, f"two steps are called {name!r}"
            due = not self.failed if condition is None else holds(condition, self.known, self.workspace)
            self.outcomes[name] = self._outcome(step) if due else "skipped"
            if step.get("continue-on-error"):
                self._tolerated.add(name)
            self.arriving.get(name, lambda: None)()

    def _outcome(self, step: Mapping[str, Any]) -> str:
        if "uses" in step:
            given = {name: self.filled(value) for name, value in step.get("with", {}).items()}
            try:
                ACTIONS[step["uses"]](self, **{name.replace("-", "_"): value for name, value in given.items()})
            except (subprocess.CalledProcessError, FileNotFoundError) as error:
                self.said += f"{step['name']}: {error}\n"
                return "failure"
            return "success"
        assert self.workflow["defaults"] == {"run": {"shell": "bash"}}, "a shell of STRICT's"
        places = [self.workflow.get("env", {}), self.text.get("env", {}), step.get("env", {})]
        own = {name: self.filled(value) for place in places for name, value in place.items()}
        machine = {
            "GITHUB_STEP_SUMMARY": str(self.workspace.parent / "summary.md"),
            "GITHUB_SERVER_URL": "https://github.com", "GITHUB_REPOSITORY": self.hub.facts["github.repository"],
            "GITHUB_RUN_ID": self.hub.facts["github.run_id"],
        }  # fmt: skip
        environment = variables(self.workspace.parent / "home", {**machine, **own, **self.variables})
        place = self.workspace / step.get("working-directory", ".")
        code, said = shell(self.filled(step["run"]), place, environment)
        self.said += said
        return "failure" if code else "success"


def _checkout(job: Job, ref: str = "", path: str = ".", fetch_depth: str = "1") -> None:
    folder = job.workspace / path
    folder.mkdir(exist_ok=True)
    git(folder, "init", "--quiet")
    git(folder, "remote", "add", "origin", f"file://{job.hub.bare}")
    wanted = ref or job.hub.facts["github.ref"]
    if fetch_depth == "0":
        git(folder, "fetch", "--quiet", "origin", "+refs/heads/*:refs/remotes/origin/*")
    depth = () if fetch_depth == "0" else (f"--depth={fetch_depth}",)
    git(folder, "fetch", "--quiet", *depth, "origin", wanted)
    branch = ("-B", ref, "FETCH_HEAD") if ref else ("--detach", "FETCH_HEAD")
    git(folder, "checkout", "--quiet", *branch)


def _python(job: Job, python_version: str) -> None:
    assert re.fullmatch(r"3\.1[0-9]", python_version)


def _upload(job: Job, name: str, path: str, overwrite: str = "False", retention_days: str = "90") -> None:
    target = job.hub.artifact(name)
    assert overwrite == "True" or not target.exists(), f"two artifacts are called {name!r}"
    shutil.rmtree(target, ignore_errors=True)
    if (job.workspace / path).exists():  # else GitHub warns, and there is none
        copied(job.workspace / path, target)


def _download(job: Job, name: str = "", pattern: str = "", path: str = ".", merge_multiple: str = "False") -> None:
    if name:
        found = [job.hub.artifact(name)]
    else:
        assert merge_multiple == "True", "else the folders depend on how many there are"
        found = sorted(job.hub.artifact("").glob(pattern))
    for each in found:
        copied(each, job.workspace / path)


def _hand_over_pages(job: Job, name: str, path: str) -> None:
    _upload(job, name, path)


def _deploy(job: Job, artifact_name: str) -> None:
    shutil.rmtree(job.hub.site, ignore_errors=True)
    copied(job.hub.artifact(artifact_name), job.hub.site)


ACTIONS: Mapping[str, Callable[..., None]] = {
    "actions/checkout@v4": _checkout,
    "actions/setup-python@v5": _python,
    "actions/upload-artifact@v4": _upload,
    "actions/download-artifact@v4": _download,
    "actions/upload-pages-artifact@v3": _hand_over_pages,
    "actions/deploy-pages@v4": _deploy,
}
