"""The places to run. One probe per kind; a probe answers with a Device, or with why there is none."""

from __future__ import annotations

from pytest_archbench.devices import accelerators, cpu, jetson  # noqa: F401  each enters itself in the table
from pytest_archbench.devices.probes import PROBES, NoDevice, probe, refuse_number
from pytest_archbench.records import Device

__all__ = ["PROBES", "NoDevice", "find"]


def find(name: str) -> Device:
    """The device that ``cpu``, ``cuda:1``, ``jetson`` or ``auto`` names.

    Raises: UnknownName for a kind that no probe knows, NoDevice for one that is not here.
    """
    kind = name.partition(":")[0]
    return PROBES[kind](name)


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
