"""The table of probes, one per kind of device, that the files beside this one fill."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from pytest_archbench.records import Device
from pytest_archbench.registry import Registry

Probe = Callable[[str], Device]
"""``name as asked for -> Device``; raises NoDevice."""
P = TypeVar("P", bound=Probe)

UNKNOWN = "unknown"
"""What a fact of a fingerprint is that the host does not tell; never 0, and never left out."""

PROBES: Registry[Probe] = Registry("device")


class NoDevice(LookupError):
    """A kind of device that is known but not here; the message says what was looked for."""


def probe(kind: str) -> Callable[[P], P]:
    """Register the decorated function as the probe of ``kind``."""

    def register(function: P) -> P:
        PROBES.add(kind, function)
        return function

    return register


def numbered(name: str, found: int, what: str) -> tuple[str, int]:
    """The one name of the device that ``cuda``, ``cuda:0`` or ``cuda:1`` means, and its index: the first has no number.

    ``found``: how many there are. ``what``: how the library calls one, for the message. Raises: NoDevice.
    """
    kind, colon, text = name.partition(":")
    if colon and text not in map(str, range(found)):
        raise NoDevice(f"device {name!r}: expected {kind}:0 to {kind}:{found - 1}; torch finds {found} {what}(s)")
    index = int(text or 0)
    return (f"{kind}:{index}" if index else kind), index


def refuse_number(name: str, kind: str) -> None:
    """Raise NoDevice for ``mps:1``: of most kinds there is one."""
    if name != kind:
        raise NoDevice(f"device {name!r}: there is one {kind}, called {kind!r}")
