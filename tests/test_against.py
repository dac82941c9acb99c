"""The other side of a comparison: real checkouts and real interpreters."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from pytest_archbench import against
from pytest_archbench.against import PACKAGE, NoOpponent, Opponent
from pytest_archbench.catalogue import Factory, Network
from pytest_archbench.jobs import Failure, Job
from pytest_archbench.places import Place
from pytest_archbench.records import Architecture, Conditions, Reading, Settings
from pytest_archbench.worker import Surroundings, Worker

OLD = "from torch import nn\n\n\ndef net():\n    return nn.Linear(4, 2)\n"
NEW = OLD.replace("nn.Linear(4, 2)", "nn.Linear(4, 3)")


def git(folder: Path, *arguments: str, **variables: str) -> str:
    own = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull, **variables}
    who = ("-c", "user.name=someone", "-c", "user.email=someone@example.org", "-c", "init.defaultBranch=main")
    asked = ["git", *who, *arguments]
    return subprocess.run(
        asked, cwd=folder, env={**os.environ, **own}, capture_output=True, text=True, check=True
    ).stdout


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def commit(folder: Path, files: dict[str, str]) -> str:
    """Commit everything in ``folder`` and say which commit that is."""
    write(folder, files)
    if not (folder / ".git").exists():
        git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "-m", "a state of the project")
    return git(folder, "rev-parse", "HEAD").strip()


def trees(folder: Path) -> list[str]:
    return [line.split()[0] for line in git(folder, "worktree", "list").splitlines()]


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with two commits, in whose folder we are; temporary files lie beside it."""
    folder, temporary = tmp_path / "repository", tmp_path / "temporary"
    folder.mkdir()
    temporary.mkdir()
    commit(folder, {"nets.py": OLD, "sub/nets.py": OLD, ".gitignore": "built\n"})
    commit(folder, {"nets.py": NEW})
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    monkeypatch.chdir(folder)
    return folder


Meet = Callable[..., Opponent]


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as found:
        yield found


@pytest.fixture
def meet(repository: Path, stack: ExitStack) -> Meet:
    """An opponent from a revision."""

    def revision(name: str = "HEAD~1", folder: Path = repository) -> Opponent:
        return against.revision(folder, name, against.instrument({}, stack), stack)

    return revision


def test_a_revision_is_checked_out_until_the_end(repository: Path, meet: Meet, stack: ExitStack) -> None:
    write(repository, {"nets.py": "not committed"})
    found = meet("HEAD~1")
    first = git(repository, "rev-parse", "HEAD~1").strip()
    assert found.label == f"HEAD~1 ({first[:10]})"
    assert found.facts == {"revision": "HEAD~1", "commit": first}
    assert found.surroundings.folder == found.home
    assert (found.home / "nets.py").read_text() == OLD
    assert (repository / "nets.py").read_text() == "not committed"
    assert trees(repository) == [str(repository), str(found.home)]
    stack.close()
    assert trees(repository) == [str(repository)]
    assert list((repository.parent / "temporary").iterdir()) == []


def test_the_same_package_measures_both_sides(meet: Meet) -> None:
    first, *_ = meet().surroundings.path
    assert [(path.name, path.resolve()) for path in Path(first).iterdir()] == [(PACKAGE.name, PACKAGE)]


def test_what_was_of_the_project_on_the_path_is_the_revisions(
    repository: Path, meet: Meet, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(repository, {"built/lib.py": "", "later/mod.py": ""})
    outside = str(repository.parent)
    entries = ["", str(repository / "sub"), str(repository / "built"), str(repository / "later"), outside]
    monkeypatch.setattr(sys, "path", entries)
    found = meet()
    home = found.home
    # Built here and ignored by git: for both. New here: not theirs, and not ours either.
    assert found.surroundings.path[1:] == (
        *(str(home), str(home / "sub"), str(repository / "built"), str(home / "later"), outside),
        *(str(home), str(home / "src")),
    )


def test_an_environment_in_the_project_serves_both_sides(
    repository: Path, meet: Meet, monkeypatch: pytest.MonkeyPatch
) -> None:
    packages = repository / "env/lib/site-packages"
    packages.mkdir(parents=True)
    monkeypatch.setattr(sys, "path", [str(packages)])
    monkeypatch.setattr(against, "INSTALLED", (packages,))
    assert meet().surroundings.path[1] == str(packages)


def test_a_project_may_be_a_folder_of_its_repository(repository: Path, meet: Meet) -> None:
    found = meet(folder=repository / "sub")
    assert found.home.name == "sub"
    assert (found.home / "nets.py").read_text() == OLD
    write(repository, {"fresh/nets.py": NEW})
    with pytest.raises(NoOpponent, match=r"HEAD~1: the project's folder .*fresh is not in [0-9a-f]{10}$"):
        meet(folder=repository / "fresh")


def test_a_folder_that_was_not_there_is_no_place_to_run(
    repository: Path, meet: Meet, monkeypatch: pytest.MonkeyPatch
) -> None:
    (repository / "later").mkdir()
    monkeypatch.chdir(repository / "later")
    found = meet()
    assert found.surroundings.folder == found.home


def test_a_revision_of_a_linked_worktree(
    repository: Path, meet: Meet, monkeypatch: pytest.MonkeyPatch, stack: ExitStack
) -> None:
    linked = repository.parent / "linked"
    git(repository, "worktree", "add", "--quiet", str(linked), "HEAD~1")
    monkeypatch.chdir(linked)
    found = meet("main", folder=linked)
    assert (found.home / "nets.py").read_text() == NEW
    stack.close()
    assert trees(repository) == [str(repository), str(linked)]


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        (
            "manes",
            "--archbench-against=manes: no revision is called 'manes'; expected a revision such as main or HEAD~1",
        ),
        ("--help", "--archbench-against=--help: no revision is called '--help'; expected"),
        ("HEAD:nets.py", "--archbench-against=HEAD:nets.py: "),
        ("HEAD~9", "no revision is called 'HEAD~9'"),
    ],
)
def test_it_refuses_what_is_no_revision(repository: Path, meet: Meet, name: str, sentence: str) -> None:
    with pytest.raises(NoOpponent) as told:
        meet(name)
    assert str(told.value).startswith(sentence) or sentence in str(told.value)
    assert "\n" not in str(told.value)
    assert trees(repository) == [str(repository)]


def test_it_says_that_there_is_no_repository_or_no_git(
    repository: Path, meet: Meet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(NoOpponent, match=r"^--archbench-against=HEAD: fatal: not a git repository"):
        meet("HEAD", folder=tmp_path / "temporary")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NoOpponent, match="git cannot be run: No such file or directory; install it"):
        meet("HEAD")


def test_a_commit_under_way_is_left_alone(
    repository: Path, meet: Meet, monkeypatch: pytest.MonkeyPatch, stack: ExitStack
) -> None:
    """git tells its hooks which index a commit is made from; a checkout made with that would write to it."""
    write(repository, {"staged.py": "", "nets.py": OLD})
    git(repository, "add", "staged.py")
    monkeypatch.setenv("GIT_INDEX_FILE", str(repository / ".git/index"))
    monkeypatch.setenv("GIT_DIR", str(repository / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(repository))
    before = git(repository, "status", "--porcelain")
    assert before == " M nets.py\nA  staged.py\n"
    found = meet("HEAD~1")
    assert (found.home / "nets.py").read_text() == OLD
    assert not (found.home / "staged.py").exists()
    stack.close()
    assert git(repository, "status", "--porcelain") == before


def test_hooks_of_the_repository_do_not_run(repository: Path, meet: Meet) -> None:
    write(repository, {".git/hooks/post-checkout": f"#!/bin/sh\ntouch {repository}/built\n"})
    (repository / ".git/hooks/post-checkout").chmod(0o755)
    meet()
    assert not (repository / "built").exists()


def test_an_interrupted_checkout_is_forgotten(
    repository: Path, meet: Meet, monkeypatch: pytest.MonkeyPatch, stack: ExitStack
) -> None:
    def interrupted(folder: Path, name: str, *arguments: str) -> str:
        said = plain(folder, name, *arguments)
        if "worktree" in arguments:
            git(folder, "worktree", "lock", arguments[-2])  # as git does until a tree is whole
            raise KeyboardInterrupt
        return said

    plain = against._git
    monkeypatch.setattr(against, "_git", interrupted)
    with pytest.raises(KeyboardInterrupt):
        meet()
    assert len(trees(repository)) == 2
    stack.close()
    assert trees(repository) == [str(repository)]


def network(file: Path, factory: str = "nets:net", fed: Any = (4,)) -> Architecture:
    """A declared network, as a pyproject.toml in that place declares it."""
    place = Place(file, 1, "tool.archbench.architectures", "net")
    given = Factory(fed, place) if isinstance(fed, str) else fed
    return Architecture("net", "user", Network(Factory(factory, place)), given, provider="user", suites=("user",))


def count(architecture: Architecture, metric: str = "counts") -> Job:
    asked = Conditions("cpu", input_shape=architecture.input_shape)
    return Job(metric, architecture, asked, Settings(time_budget=0.05, timeout=120))


def test_a_declared_network_is_looked_for_beside_the_revisions_file(repository: Path, meet: Meet) -> None:
    found = meet()
    ours = count(network(repository / "pyproject.toml", fed="nets:fed"))
    theirs = found.job(ours)
    there = network(found.home / "pyproject.toml", fed="nets:fed")
    assert theirs == count(there)
    assert ours == count(network(repository / "pyproject.toml", fed="nets:fed")), "ours is as it was"
    hooked = count(Architecture("net", "mine", dict, input_shape=(4,)))
    assert found.job(hooked) == hooked


def params(job: Job, surroundings: Surroundings) -> Any:
    """The parameters that a process there counts, or its failure."""
    worker = Worker(surroundings)
    try:
        answer = worker.ask("measure", job, timeout=120)
    finally:
        worker.stop()
    return answer if isinstance(answer, Failure) else answer["params"].samples[0]


def test_a_process_there_counts_the_revisions_network(repository: Path, meet: Meet) -> None:
    """4*2 + 2 = 10 parameters then, 4*3 + 3 = 15 now; a module that is new is not there."""
    write(repository, {"later.py": NEW})
    found = meet()
    ours = count(network(repository / "pyproject.toml"))
    assert params(found.job(ours), found.surroundings) == 10
    assert params(ours, Surroundings.here()) == 15
    new = params(found.job(count(network(repository / "pyproject.toml", "later:net"))), found.surroundings)
    assert isinstance(new, Failure)
    assert new.message.startswith("ModuleNotFoundError: No module named 'later'")


def program(path: Path, text: str) -> str:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def environment(folder: Path, python: str, stack: ExitStack) -> Opponent:
    return against.environment(folder, python, against.instrument({}, stack))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("echo 3 8", "expected Python 3.10 or newer; got 3.8"),
        ("echo 2 7", "expected Python 3.10 or newer; got 2.7"),
        ("echo hello", "it does not answer as a Python does"),
        ("echo", "it does not answer as a Python does"),
        ("echo 3", "it does not answer as a Python does"),
        ("echo 3 12; exit 1", "it does not answer as a Python does"),
        (
            "echo 3 12; test $# -eq 2",
            "it cannot measure: the measuring process ended with exit status 1; install torch",
        ),
    ],
)
def test_it_refuses_what_is_no_python(tmp_path: Path, stack: ExitStack, text: str, sentence: str) -> None:
    python = program(tmp_path / "python", text)
    with pytest.raises(NoOpponent) as told:
        environment(tmp_path, python, stack)
    assert str(told.value).startswith(f"--archbench-against-python={python}: {sentence}")


def test_it_refuses_a_program_that_is_not_there_or_cannot_run(tmp_path: Path, stack: ExitStack) -> None:
    (tmp_path / "text").write_text("no program")
    for name in ("no-such-python", str(tmp_path / "none"), str(tmp_path), str(tmp_path / "text")):
        with pytest.raises(NoOpponent, match="there is no such program; expected a Python, "):
            environment(tmp_path, name, stack)
    (tmp_path / "text").chmod(0o755)
    (tmp_path / "text").write_bytes(b"\x7fELF")
    with pytest.raises(NoOpponent, match="it does not answer as a Python does"):
        environment(tmp_path, str(tmp_path / "text"), stack)


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment in which nothing is installed."""
    folder = tmp_path_factory.mktemp("bare")
    venv.create(folder, symlinks=True, with_pip=False)
    return folder / "bin/python"


def test_it_refuses_an_environment_without_torch(tmp_path: Path, bare: Path, stack: ExitStack) -> None:
    with pytest.raises(NoOpponent) as told:
        environment(tmp_path, str(bare), stack)
    said = str(told.value)
    assert said.startswith(
        f"--archbench-against-python={bare}: it cannot measure: ModuleNotFoundError: No module named"
    )
    assert "'torch'" in said
    assert said.endswith("; install torch and your networks' packages there")


NEEDED_BY_TORCH = (
    *("torch", "torchgen", "functorch", "typing_extensions.py", "filelock", "sympy", "mpmath", "networkx", "jinja2"),
    *("markupsafe", "fsspec", "nvidia", "triton", "cuda", "setuptools", "_distutils_hack"),
)
"""What its wheel asks for, as far as it is here: the environment has none of this package's other dependencies."""


@pytest.fixture(scope="module")
def other(bare: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment that has torch, and neither this package nor pytest nor the other libraries."""
    folder = tmp_path_factory.mktemp("other")
    venv.create(folder, symlinks=True, with_pip=False)
    (packages,) = folder.glob("lib/python*/site-packages")
    import torch

    here = Path(torch.__file__).parent.parent
    for path in (*(here / name for name in NEEDED_BY_TORCH), *here.glob("torch-*.dist-info")):
        if path.exists():
            (packages / path.name).symlink_to(path)
    return folder / "bin/python"


def test_an_environment_needs_torch_and_none_of_our_tools(tmp_path: Path, other: Path, stack: ExitStack) -> None:
    """Measured by this package as it is here, and that in every way: counts, times, memory."""
    import torch

    missing = (
        "import importlib.util as u; print([m for m in ('pytest', 'pytest_archbench', 'numpy') if u.find_spec(m)])"
    )
    said = subprocess.run([other, "-c", missing], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"
    write(tmp_path, {"nets.py": OLD, "src/more.py": NEW})
    found = environment(tmp_path, str(other), stack)
    release = torch.__version__.partition("+")[0]
    assert found.label.startswith(f"{other} (torch {release}")
    assert found.facts["executable"] == str(other)
    assert found.facts["versions"]["torch"].startswith(release)
    assert found.facts["versions"]["pytest"] == "unknown"
    assert found.home == found.surroundings.folder == tmp_path
    worker = Worker(found.surroundings)
    stack.callback(worker.stop)
    for factory, number in (("nets:net", 10), ("more:net", 15)):
        job = found.job(count(network(tmp_path / "pyproject.toml", factory)))
        answer = worker.ask("measure", job, timeout=120)
        assert not isinstance(answer, Failure), answer
        assert answer["params"].samples == (number,)
    for metric, unit in (("latency", "latency"), ("memory", "peak_memory")):
        answer = worker.ask("measure", count(network(tmp_path / "pyproject.toml"), metric), timeout=120)
        assert isinstance(answer, dict), answer
        assert isinstance(answer[unit], Reading)
