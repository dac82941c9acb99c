"""The other side of a comparison: the same networks from another revision, or in another environment."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from pytest_archbench.catalogue import Factory, Network
from pytest_archbench.environment import PACKAGES
from pytest_archbench.jobs import Failure, Job
from pytest_archbench.worker import Surroundings, Worker

PACKAGE = Path(__file__).parent
OLDEST = (3, 10)
"""The Python that this package needs."""
INSTALLED = tuple(Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib", "purelib", "platlib"))
"""Folders of the environment, which serves both sides even where it lies inside the project."""
OF_A_HOOK = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY")
"""What git sets for its hooks: a checkout made under them would write to the index of the commit that is under way."""


class NoOpponent(ValueError):
    """There is nothing to compare with; the message says what was looked for and what to do."""


@dataclass(frozen=True, slots=True)
class Opponent:
    """The other side: what it is called in a sentence, where its processes run, and the facts of it for a journal.

    ``home`` is the project's folder as it has it.
    """

    label: str
    surroundings: Surroundings
    facts: Mapping[str, Any]
    home: Path

    def job(self, ours: Job) -> Job:
        """A job as this side does it: modules that lie beside the project's files are those in its own folder."""
        entry, asked = ours.architecture, ours.conditions
        build, fed = self._its(entry.build), self._its(entry.input_shape)
        conditions = replace(asked, input_shape=self._its(asked.input_shape))
        return replace(ours, architecture=replace(entry, build=build, input_shape=fed), conditions=conditions)

    def _its(self, made: Any) -> Any:
        if isinstance(made, Network):
            return Network(self._its(made.factory))
        if isinstance(made, Factory):
            return replace(made, place=replace(made.place, file=self.home / made.place.file.name))
        return made


def revision(folder: Path, name: str, instrument: Path, stack: ExitStack) -> Opponent:
    """The project around ``folder`` as it was at a git revision, checked out beside it until ``stack`` is closed.

    Both sides are measured by this package as it is here. Raises: NoOpponent.
    """
    top = Path(_git(folder, name, "rev-parse", "--show-toplevel")).resolve()
    commit = _git(folder, name, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    tree = Path(tempfile.mkdtemp(prefix="archbench-against-")).resolve()
    stack.callback(shutil.rmtree, tree, ignore_errors=True)
    checked_out = tree / "project"
    stack.callback(_forget, top, checked_out)
    no_hooks = ("-c", f"core.hooksPath={os.devnull}")
    _git(folder, name, *no_hooks, "worktree", "add", "--detach", "--quiet", str(checked_out), commit)
    home = checked_out / folder.resolve().relative_to(top)
    if not home.is_dir():
        raise NoOpponent(f"--archbench-against={name}: the project's folder {folder} is not in {commit[:10]}")
    there = partial(_moved, top=top, to=checked_out)
    # Its folders once more at the end: plain pytest puts none on the path, and an editable install may need none there.
    path = (instrument, *(there(Path(entry or Path.cwd())) for entry in sys.path), home, home / "src")
    cwd = there(Path.cwd())
    surroundings = Surroundings(sys.executable, cwd if cwd.is_dir() else home, tuple(map(str, path)))
    return Opponent(f"{name} ({commit[:10]})", surroundings, {"revision": name, "commit": commit}, home)


def _git(folder: Path, name: str, *arguments: str) -> str:
    asked = ["git", *arguments]
    try:
        said = subprocess.run(asked, cwd=folder, env=_outside_hooks(), capture_output=True, text=True, check=True)
    except OSError as error:
        raise NoOpponent(f"--archbench-against={name}: git cannot be run: {error.strerror}; install it") from None
    except subprocess.CalledProcessError as error:
        told = " ".join(error.stderr.split()) or f"no revision is called {name!r}"
        expected = f"expected a revision such as main or HEAD~1 of the repository around {folder}"
        raise NoOpponent(f"--archbench-against={name}: {told}; {expected}") from None
    return said.stdout.strip()


def _outside_hooks() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in OF_A_HOOK}


def _forget(top: Path, tree: Path) -> None:
    removal = ["git", "worktree", "remove", "--force", "--force", str(tree)]  # once more: one half made is locked
    subprocess.run(removal, cwd=top, env=_outside_hooks(), capture_output=True, check=False)


def _moved(path: Path, *, top: Path, to: Path) -> Path:
    """The place of ``path`` in the other tree, whether there is one or not: code that is new was not there.

    An environment in this tree serves both sides, and so does what was built into it: git ignores that.
    """
    resolved = path.resolve()
    if not resolved.is_relative_to(top) or any(map(resolved.is_relative_to, INSTALLED)):
        return path
    there = to / resolved.relative_to(top)
    return path if not there.exists() and _is_ignored(resolved, top) else there


def _is_ignored(path: Path, top: Path) -> bool:
    asked = ["git", "check-ignore", "--quiet", str(path)]
    return subprocess.run(asked, cwd=top, env=_outside_hooks(), capture_output=True, check=False).returncode == 0


def environment(folder: Path, python: str, instrument: Path) -> Opponent:
    """The same project under another interpreter, which needs torch and what the networks need, and none of our tools.

    Raises: NoOpponent.
    """
    where = f"--archbench-against-python={python}"
    program = shutil.which(Path(python).expanduser())
    if program is None:
        raise NoOpponent(f"{where}: there is no such program; expected a Python, such as other/.venv/bin/python")
    asked = [program, "-c", "import sys; print(*sys.version_info[:2])"]
    try:
        said = subprocess.run(asked, capture_output=True, text=True, timeout=60, check=True).stdout.split()
        version = (int(said[0]), int(said[1]))
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        raise NoOpponent(f"{where}: it does not answer as a Python does") from None
    if version < OLDEST:
        raise NoOpponent(f"{where}: expected Python {OLDEST[0]}.{OLDEST[1]} or newer; got {version[0]}.{version[1]}")
    project = dict.fromkeys(str(path) for path in (folder, folder / "src") if path.is_dir())
    # Without resolving links: that of an environment's interpreter leads out of the environment.
    surroundings = Surroundings(str(Path(program).absolute()), folder, front=(str(instrument), *project))
    versions = _versions(surroundings, where)
    return Opponent(
        f"{python} (torch {versions['torch']})", surroundings, {"executable": python, "versions": versions}, folder
    )


def _versions(surroundings: Surroundings, where: str) -> dict[str, str]:
    worker = Worker(surroundings)
    try:
        found = worker.ask("versions", PACKAGES, timeout=300)
    finally:
        worker.stop()
    if isinstance(found, Failure):
        raise NoOpponent(
            f"{where}: it cannot measure: {found.message}; install torch and your networks' packages there"
        )
    versions: dict[str, str] = found
    return versions


def instrument(packages: Mapping[str, Path], stack: ExitStack) -> Path:
    """A folder that holds this package alone, whatever else lies beside it, so that both sides are measured alike."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="archbench-instrument-")))
    for name, path in {PACKAGE.name: PACKAGE, **packages}.items():
        (folder / name).symlink_to(path.resolve(), target_is_directory=True)
    return folder
