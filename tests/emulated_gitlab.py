"""What GitLab does with a pipeline, as far as the ready one needs it."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ci_shell import copied, git, shell, variables


@dataclass
class Lab:
    """A project on GitLab and one of its pipelines."""

    folder: Path
    bare: Path
    text: Mapping[str, Any]
    commit: str
    given: Mapping[str, str]
    """The variables that GitLab sets."""
    ran: list[str] = field(default_factory=list)

    def job(self, name: str) -> dict[str, Any]:
        """A job with all that it extends."""
        own = self.text[name]
        parents = own.get("extends", [])
        found: dict[str, Any] = {}
        for parent in [parents] if isinstance(parents, str) else parents:
            found.update(self.job(parent))
        return {**found, **{key: value for key, value in own.items() if key != "extends"}}

    def artifacts(self, name: str) -> Path:
        return self.folder / "artifacts" / name

    def run(self, name: str, **more: str) -> tuple[int, str]:
        """Exit code of a job and what it said; ``more``: its variables of the matrix."""
        job = self.job(name)
        workspace = self.folder / f"machine-{len(self.ran)}" / "workspace"
        self.ran.append(name)
        workspace.parent.mkdir(parents=True)
        assert self.text["variables"]["GIT_DEPTH"] == "0"
        git(self.folder, "clone", "--quiet", "--no-checkout", f"file://{self.bare}", str(workspace))
        git(workspace, "checkout", "--quiet", "--detach", self.commit)
        for each in self._taken(name, job):
            for part in sorted(self.folder.glob(f"artifacts/{each}*")):
                shutil.copytree(part, workspace, dirs_exist_ok=True)
        own = {**self.text["variables"], **job.get("variables", {}), **self.given, **more}
        environment = variables(workspace.parent / "home", own)
        code, said = shell("\n".join([*job.get("before_script", ()), *job["script"]]), workspace, environment)
        if "after_script" in job:
            said += shell("\n".join(job["after_script"]), workspace, environment)[1]
        if not code or job.get("artifacts", {}).get("when") == "always":
            self._keep(workspace, job, self.artifacts("-".join([name, *more.values()])))
        return code, said

    def _taken(self, name: str, job: Mapping[str, Any]) -> list[str]:
        """The jobs whose artifacts a job gets."""
        before = self.text["stages"][: self.text["stages"].index(job["stage"])]
        earlier = [each for each in self.ran if each != name and self.job(each)["stage"] in before]
        chosen = job.get("needs", job.get("dependencies", earlier))
        assert set(chosen) <= set(self.text)
        return [each for each in dict.fromkeys(self.ran) if each in chosen]

    def _keep(self, workspace: Path, job: Mapping[str, Any], target: Path) -> None:
        for path in job.get("artifacts", {}).get("paths", ()):
            if (workspace / path).exists():
                place = target / path if (workspace / path).is_dir() else (target / path).parent
                copied(workspace / path, place)
