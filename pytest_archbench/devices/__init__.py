"""The places to run. One probe per kind; a probe answers with a Device, or with why there is none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pytest_archbench.devices import accelerators, cpu, jetson  # noqa: F401  each enters itself in the table
from pytest_archbench.devices.probes import PROBES, NoDevice, probe, refuse_number
from pytest_archbench.environment.reading import ROOT
from pytest_archbench.records import Device

__all__ = ["PROBES", "NoDevice", "find", "plain", "survey"]


def find(name: str) -> Device:
    """The device that ``cpu``, ``cuda:1``, ``jetson`` or ``auto`` names.

    A device has one name, whatever it was asked by, so that it is measured once and its values make one series:
    ``auto`` is the name of what it found, ``cuda:0`` is ``cuda``.
    Raises: UnknownName for a kind that no probe knows, NoDevice for one that is not here.
    """
    kind = name.partition(":")[0]
    return PROBES[kind](name)


def survey(root: Path = ROOT) -> dict[str, Device | NoDevice]:
    """By kind the device that is here, or why there is none. Of a recording under ``root``: what it can tell."""
    probes = PROBES if root == ROOT else ON_FILES
    return {kind: _perhaps(kind, root) for kind in probes}


def plain(found: Device | NoDevice) -> dict[str, Any]:
    """A device, or why there is none, for JSON."""
    if isinstance(found, NoDevice):
        return {"absent": found.args[0]}
    return {"name": found.name, "kind": found.kind, "model": found.model, "fingerprint": found.fingerprint}


ON_FILES = {"cpu": cpu.cpu, "jetson": jetson.recorded}
"""Probes that need files alone."""


def _perhaps(kind: str, root: Path) -> Device | NoDevice:
    try:
        return find(kind) if root == ROOT else ON_FILES[kind](kind, root)
    except NoDevice as error:
        return error


@probe("auto")
def auto(name: str) -> Device:
    """The fastest kind that is here."""
    refuse_number(name, "auto")
    for kind in ("jetson", "cuda", "xpu", "mps"):
        try:
            return PROBES[kind](kind)
        except NoDevice:
            continue
    return PROBES["cpu"]("cpu")
