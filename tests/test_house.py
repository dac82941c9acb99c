"""The picture of the house: imports go down, never up or in a circle, those hidden inside functions included."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

ENGINE = "pytest_archbench"
ROOT = Path(__file__).parent.parent

FLOORS = (
    ("protocols", "proportions"),
    ("records", "stats", "files", "environment", "inputs", "places", "machine", "claims", "computing", "nvml", "blame"),
    ("registry", "units", "options", "hooks", "nodes", "levels", "alarm", "outcomes", "power", "sparkline"),
    ("conversions", "store", "catalogue", "counting", "devices", "old_boards", "past", "limits", "bounds", "datasets"),
    ("baselines", "weights", "training", "benchmark_json", "trend", "points"),
    ("columns",),
    ("meters", "grades", "replay", "references", "nights"),
    ("judge", "jobs", "plan", "resume", "own", "comparing", "history", "ledger", "chronicle"),
    ("worker", "yardsticks", "pages", "renaming"),
    ("duel", "against"),
    ("runner", "tally", "hindsight"),
    ("arena", "certainty"),
    ("report", "checks", "progress"),
    ("outputs",),
    ("nightly", "account", "pruning"),
    ("session", "cli"),
    ("plugin",),
)
"""Rooms by floor, the ground floor first. A room is a module, or a package with all in it; it may import from every
floor below its own, and from no other room of its own floor."""

STANDARD_LIBRARY_ONLY = {
    *("records", "registry", "units", "stats", "options", "files", "store", "places", "machine", "claims"),
    *("protocols", "proportions"),
}
KNOW_PYTEST = {"plugin", "session", "nodes", "checks", "replay", "progress", "hooks"}
NOT_IN_THE_REPORT = {"pytest", "torch", "timm", "torchvision", f"{ENGINE}.devices", f"{ENGINE}.meters"}
MAY_IMPORT_BY_NAME = {"catalogue", "plan", "nodes", "old_boards", "references"}
"""Rooms that import what a user or the suite names: the rest states its imports."""
KNOWN_CIRCLES = {
    ("meters", f"meters.{instrument}")
    for instrument in ("accuracy", "counts", "device_memory", "energy", "latency", "memory", "training")
}
"""A package whose table its members fill, and which imports them at its end so that the table is full."""


class Import(NamedTuple):
    """One import statement's target; ``line`` for the message."""

    importer: str
    target: str
    line: int
    for_types_only: bool


def files(package: str) -> dict[str, Path]:
    """Every module of a package by its dotted name."""
    found = {}
    for path in sorted((ROOT / package).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = files(ENGINE)


def imports(module: str, path: Path) -> Iterator[Import]:
    """Every import of a module, wherever in it; ``from package import module`` counts as the module."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing = {
        id(node)
        for branch in ast.walk(tree)
        if isinstance(branch, ast.If) and ast.unparse(branch.test).endswith("TYPE_CHECKING")
        for statement in branch.body
        for node in ast.walk(statement)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import"
            spelt = [f"{node.module}.{alias.name}" for alias in node.names]
            targets = [name if name in MODULES else str(node.module) for name in spelt]
        else:
            continue
        for target in dict.fromkeys(targets):
            yield Import(module, target, node.lineno, id(node) in typing)


EDGES = [edge for module, path in MODULES.items() for edge in imports(module, path)]
INSIDE = [edge for edge in EDGES if edge.target in MODULES and not edge.for_types_only]


def room(module: str) -> str:
    return module.removeprefix(f"{ENGINE}.").split(".")[0]


def floor(module: str) -> int:
    return next(number for number, rooms in enumerate(FLOORS) if room(module) in rooms)


def reached(module: str) -> set[str]:
    """What importing and running a module may import in the end, its own name left out."""
    seen: set[str] = set()
    waiting = [name for name in MODULES if name == module or name.startswith(f"{module}.")]
    while waiting:
        importer = waiting.pop()
        for edge in EDGES:
            if edge.importer == importer and not edge.for_types_only and edge.target not in seen:
                seen.add(edge.target)
                waiting.append(edge.target)
    return seen


def test_every_room_is_in_the_picture() -> None:
    drawn = [name for rooms in FLOORS for name in rooms]
    assert len(drawn) == len(set(drawn))
    assert set(drawn) == {room(module) for module in MODULES} - {ENGINE}


def test_imports_go_down() -> None:
    upward = [
        f"{MODULES[edge.importer].relative_to(ROOT)}:{edge.line} imports {edge.target}"
        for edge in INSIDE
        if edge.target != ENGINE
        and room(edge.importer) != room(edge.target)
        and floor(edge.target) >= floor(edge.importer)
    ]
    assert upward == []


def test_there_is_no_circle() -> None:
    graph: dict[str, set[str]] = {module: set() for module in MODULES}
    for edge in INSIDE:
        pair = (edge.importer.removeprefix(f"{ENGINE}."), edge.target.removeprefix(f"{ENGINE}."))
        if pair not in KNOWN_CIRCLES:
            graph[edge.importer].add(edge.target)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"imports in a circle: {' -> '.join(error.args[1])}")


def test_known_circles_are_there() -> None:
    pairs = {(edge.importer, edge.target) for edge in INSIDE}
    for one, other in ((f"{ENGINE}.{a}", f"{ENGINE}.{b}") for a, b in KNOWN_CIRCLES):
        assert {(one, other), (other, one)} <= pairs, (
            f"{one} and {other} are no circle any more: take them off the list"
        )


@pytest.mark.parametrize("name", sorted(STANDARD_LIBRARY_ONLY))
def test_the_ground_floor_needs_the_standard_library_only(name: str) -> None:
    targets = {edge.target for edge in EDGES if edge.importer == f"{ENGINE}.{name}"}
    foreign = {target for target in targets if target.split(".")[0] not in {*sys.stdlib_module_names, ENGINE}}
    assert foreign == set()
    assert {room(target) for target in targets if target in MODULES} <= STANDARD_LIBRARY_ONLY


def test_few_rooms_know_pytest() -> None:
    knowing = {room(edge.importer) for edge in EDGES if edge.target.split(".")[0] in ("pytest", "_pytest", "pluggy")}
    assert knowing == KNOW_PYTEST


def test_the_report_reads_records_only() -> None:
    found = reached(f"{ENGINE}.report")
    assert f"{ENGINE}.records" in found
    assert {each for each in found if any(f"{each}.".startswith(f"{name}.") for name in NOT_IN_THE_REPORT)} == set()


def test_the_engine_knows_no_suite() -> None:
    assert [edge for edge in EDGES if edge.target.split(".")[0] in ("bench_suite", "tests", "tools")] == []
    by_name = {room(edge.importer) for edge in EDGES if edge.target == "importlib"}
    assert by_name <= MAY_IMPORT_BY_NAME


def test_an_architecture_needs_the_tables_only() -> None:
    needed = {
        edge.target
        for module, path in files("bench_suite").items()
        if module.startswith("bench_suite.architectures.")
        for edge in imports(module, path)
        if edge.target.startswith(ENGINE)
    }
    assert needed <= {f"{ENGINE}.protocols", f"{ENGINE}.records", f"{ENGINE}.registry"}


def test_planning_a_run_imports_no_torch() -> None:
    program = (
        "import sys, bench_suite.suites\n"
        f"from {ENGINE} import cli, outputs, plan, resume, runner, session\n"
        "heavy = {'torch', 'torchvision', 'timm', 'fvcore', 'matplotlib', 'asv'}\n"
        "print(sorted(heavy & sys.modules.keys()))"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"
