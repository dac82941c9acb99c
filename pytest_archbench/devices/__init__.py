"""The places to run. One probe per kind; a probe answers with a Device, or with why there is none."""

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


def find(name: str) -> Device:
    """The device that ``cpu``, ``cuda:1``, ``jetson`` or ``auto`` names.

    Raises: UnknownName for a kind that no probe knows, NoDevice for one that is not here.
    """
    kind = name.partition(":")[0]
    return PROBES[kind](name)


from pytest_archbench.devices import accelerators, cpu, jetson  # noqa: E402, F401  (each enters itself in the table)


@probe("auto")
def auto(name: str) -> Device:
    """The fastest kind that is here."""
    refuse_number(name, "auto")
    for kind in ("jetson", "cuda", "mps"):
        try:
            return PROBES[kind](kind)
        except NoDevice:
            continue
    return PROBES["cpu"]("cpu")
