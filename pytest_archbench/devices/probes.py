"""The table of probes, one per kind of device, that the files beside this one fill."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from pytest_archbench.records import Device
from pytest_archbench.registry import Registry

Probe = Callable[[str], Device]
"""``name as asked for -> Device``; raises NoDevice."""
P = TypeVar("P", bound=Probe)

PROBES: Registry[Probe] = Registry("device")


class NoDevice(LookupError):
    """A kind of device that is known but not here; the message says what was looked for."""


def probe(kind: str) -> Callable[[P], P]:
    """Register the decorated function as the probe of ``kind``."""

    def register(function: P) -> P:
        PROBES.add(kind, function)
        return function

    return register


def refuse_number(name: str, kind: str) -> None:
    """Raise NoDevice for ``mps:1``: of most kinds there is one."""
    if name != kind:
        raise NoDevice(f"device {name!r}: there is one {kind}, called {kind!r}")
