"""Energy of a Jetson board's module, from the power of the rails that feed it."""

from __future__ import annotations

from pathlib import Path

from pytest_archbench.power import rails
from pytest_archbench.power.sensors import Channel, NoSensor, Sensor, readable

PERIOD = 0.1
"""Seconds. A poll reads some files, each a transfer on a slow bus by the very processor whose power is measured: ten a
second are few enough to cost little. Chosen, not measured on a board."""


def module(_device: str, root: Path) -> Sensor:
    """The rails that make up the module's power; the GPU and the processors share it. Raises: NoSensor."""
    if not rails.board(root):
        raise NoSensor("INA3221: this is no Jetson board")
    try:
        found = rails.total(root)
    except rails.NoRails as reason:
        raise NoSensor(str(reason)) from None
    channels = tuple(Channel(f"rail {rail.name} ({rail.inputs[0].parent})", rail.read) for rail in found)
    name = f"INA3221, {' + '.join(rail.name for rail in found)}"
    return readable(Sensor(name, "whole module", "gauge", "measured", PERIOD, channels))
