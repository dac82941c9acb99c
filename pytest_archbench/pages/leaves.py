"""A page about each night: what was run where, and what changed since the night before on the same device."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import jinja2

from pytest_archbench import blame
from pytest_archbench.blame import Between, NoCommits, is_commit
from pytest_archbench.nights import Night
from pytest_archbench.points import flat

UNKNOWN = "unknown"
LONGEST = 200
"""Characters of a fact on the page."""
ALARMS = 40
"""Alarms of a night that are listed; the rest is counted."""
DIGITS = 12
"""Of a hash: enough that no two nights of a history share them."""
MANY = 30
"""Commits between two nights that are told one by one."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """A night: the hash of its commit, its name or an empty text, by device what was known of it, its alarms, and where
    its whole journal is, or an empty text.
    """

    hash: str
    name: str
    run: str
    started: datetime
    commit: str
    dirty: bool
    facts: Mapping[str, Mapping[str, Any]]
    count: int
    left_out: Mapping[str, int]
    alarms: tuple[str, ...]
    journal: str

    @property
    def anchor(self) -> str:
        return self.hash[:DIGITS]


@dataclass(frozen=True, slots=True)
class Change:
    """A device in a night beside the night before: facts that changed as (name, before, after), and commits between.

    ``commits`` is None where the project's repository does not know them.
    """

    device: str
    before: Leaf | None
    facts: tuple[tuple[str, str, str], ...]
    commits: Between | None
    compare: str


def facts(night: Night, renamed: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """By device what the header says of it and of what ran there, by dotted name; a list as JSON, and what is not known
    left out.

    Raises: RecursionError where the header is nested deeper than any run's.
    """
    former = {new: old for old, new in renamed.items()}
    told = _object(night.header.get("devices"))
    found = {}
    for device in night.devices:
        own = {**_object(told.get(device, told.get(former.get(device, device))))}
        environment = _object(own.pop("environment", night.header.get("environment")))
        whole = flat(environment) | {f"device.{name}": fact for name, fact in flat(own).items()}
        found[device] = {
            name: json.dumps(fact) if isinstance(fact, list) else fact
            for name, fact in whole.items()
            if fact not in (None, UNKNOWN)
        }
    return found


def between(repository: Path) -> Callable[[str, str], Between | None]:
    """What a repository knows of the commits between two nights; None where it does not, or they are the same."""

    @cache
    def known(before: str, since: str) -> Between | None:
        try:
            return blame.between(repository, before, since, MANY)
        except NoCommits:
            return None

    return known


def changes(
    leaves: Iterable[Leaf], between: Callable[[str, str], Between | None], address: str
) -> list[tuple[Leaf, list[Change]]]:
    """Each night with what changed on its devices. ``leaves``: oldest first; ``address``: the project's, or empty."""
    last: dict[str, Leaf] = {}
    found = []
    for leaf in leaves:
        found.append((leaf, [_change(device, last.get(device), leaf, between, address) for device in leaf.facts]))
        last |= dict.fromkeys(leaf.facts, leaf)
    return found


def _change(
    device: str,
    before: Leaf | None,
    leaf: Leaf,
    between: Callable[[str, str], Between | None],
    address: str,
) -> Change:
    if before is None:
        return Change(device, None, (), None, "")
    a, b = before.commit, leaf.commit
    linked = address and a != b and is_commit(a) and is_commit(b)
    compare = f"{address}/compare/{a}...{b}" if linked else ""
    return Change(device, before, tuple(_differing(before.facts[device], leaf.facts[device])), between(a, b), compare)


def _differing(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterable[tuple[str, str, str]]:
    for name in sorted(before.keys() | after.keys()):
        old, new = before.get(name, UNKNOWN), after.get(name, UNKNOWN)
        if old != new:
            yield name[:LONGEST], str(old)[:LONGEST], str(new)[:LONGEST]


def page(nights: Sequence[tuple[Leaf, Sequence[Change]]], project: str, address: str) -> str:
    """The page of all nights, the latest first; which one is shown is told by the address's hash."""
    template = _template()
    return template.render(
        nights=list(reversed(nights)),
        project=project,
        address=address,
        alarms=ALARMS,
        many=MANY,
        longest=LONGEST,
        digits=DIGITS,
    )


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("pytest_archbench.pages"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
    )
    environment.tests["commit_hash"] = is_commit
    return environment.get_template("night.html.j2")


def _object(found: Any) -> Mapping[str, Any]:
    return found if isinstance(found, Mapping) else {}
