"""The other side of a comparison: the same networks from another revision, or in another environment."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from pytest_archbench.environment import PACKAGES
from pytest_archbench.jobs import Failure
from pytest_archbench.worker import Surroundings, Worker

PACKAGE = Path(__file__).parent
OLDEST = (3, 10)
"""The Python that this package needs."""


class NoOpponent(ValueError):
    """There is nothing to compare with; the message says what was looked for and what to do."""


@dataclass(frozen=True, slots=True)
class Opponent:
    """The other side: what it is called in a sentence, where its processes run, and the facts of it for a journal."""

    label: str
    surroundings: Surroundings
    facts: Mapping[str, Any]


def revision(folder: Path, name: str, instrument: Path, stack: ExitStack) -> Opponent:
    """The project around ``folder`` as it was at a git revision, checked out beside it until ``stack`` is closed.

    Both sides are measured by this package as it is here. Raises: NoOpponent.
    """
    top = Path(_git(folder, name, "rev-parse", "--show-toplevel"))
    commit = _git(folder, name, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    tree = Path(tempfile.mkdtemp(prefix="archbench-against-"))
    stack.callback(shutil.rmtree, tree, ignore_errors=True)
    checked_out = tree / "project"
    _git(
        folder,
        name,
        "-c",
        "core.hooksPath=/dev/null",
        "worktree",
        "add",
        "--detach",
        "--quiet",
        str(checked_out),
        commit,
    )
    stack.callback(_forget, top, checked_out)
    there = partial(_moved, top=top, to=checked_out)
    path = (str(instrument), *(there(Path(entry or Path.cwd())) for entry in sys.path))
    surroundings = Surroundings(sys.executable, Path(there(Path.cwd())), path)
    return Opponent(f"{name} ({commit[:10]})", surroundings, {"revision": name, "commit": commit})


def _git(folder: Path, name: str, *arguments: str) -> str:
    try:
        said = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True)
    except OSError as error:
        raise NoOpponent(f"--archbench-against={name}: git cannot be run: {error.strerror}; install it") from None
    except subprocess.CalledProcessError as error:
        told = " ".join(error.stderr.split()) or f"no revision is called {name!r}"
        expected = f"expected a revision such as main or HEAD~1 of the repository around {folder}"
        raise NoOpponent(f"--archbench-against={name}: {told}; {expected}") from None
    return said.stdout.strip()


def _forget(top: Path, tree: Path) -> None:
    subprocess.run(["git", "worktree", "remove", "--force", str(tree)], cwd=top, capture_output=True, check=False)


def _moved(path: Path, *, top: Path, to: Path) -> str:
    """The place of ``path`` in the other tree; what is not in that tree (an environment beside the code) stays."""
    resolved = path.resolve()
    if resolved.is_relative_to(top.resolve()):
        there = to / resolved.relative_to(top.resolve())
        if there.exists():
            return str(there)
    return str(path)


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
    return Opponent(f"{python} (torch {versions['torch']})", surroundings, {"executable": python, "versions": versions})


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
