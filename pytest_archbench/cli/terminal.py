"""What the commands share: a mistake as one sentence, a plan, and what is printed on one line of a terminal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click

from pytest_archbench import history, own, plan, store

T = TypeVar("T")

MISTAKES = (*plan.USER_MISTAKES, store.JournalError, own.OwnBaselineError)


def or_say(action: Callable[[], T]) -> T:
    """``action()``, a user's mistake becoming one sentence and exit code 2, as click has it."""
    try:
        return action()
    except MISTAKES as error:
        raise click.UsageError(str(error.args[0])) from None


def make_plan(suite: str = "", pattern: str = "") -> plan.Plan:
    """What the folder's settings and these two choose, with every published figure."""
    given = {"suite": (suite, "--suite"), "arch": (pattern, "NAME")}
    return or_say(lambda: plan.make(given, Path.cwd() / "pyproject.toml", ()))


def case_name(case: history.Key) -> str:
    """``resnet18 latency cpu bs8``"""
    architecture, metric, device, batch_size = case
    return f"{architecture} {metric} {device} bs{batch_size}"


def number(count: int, noun: str, plural: str = "") -> str:
    """``1 run``, ``2 runs``"""
    return f"{count} {noun if count == 1 else plural or f'{noun}s'}"


def printable(fact: object) -> str:
    """A fact from a file on one line of a terminal, whatever is in it."""
    return str(fact) if str(fact).isprintable() else ascii(fact)
