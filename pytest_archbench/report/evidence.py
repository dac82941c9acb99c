"""What a conclusion is drawn from: networks that have all the numbers it needs, enough of them, and how to say so."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pytest_archbench.claims import FEWEST
from pytest_archbench.report.cells import legible
from pytest_archbench.report.columns import COLUMNS, counted, remedy
from pytest_archbench.report.frames import MEASURED, NETWORK, side
from pytest_archbench.report.provenance import SHARES, comparable, contests

MOST_NAMES = 14
"""Names that a sentence lists before it counts the rest."""


@dataclass(frozen=True, slots=True, eq=False)
class Setting:
    """The networks of one device at one batch size that have what is needed, one row each."""

    device: str
    batch_size: int
    rows: pd.DataFrame

    @property
    def place(self) -> str:
        return f"{self.device}, batch {self.batch_size}"


def networks(frame: pd.DataFrame, needs: Sequence[str]) -> pd.DataFrame:
    """Each network once (the first of its rows) that has a finite number in all of ``needs``, of one data set. A share
    may be 0; what logarithms and quotients are taken of may not.

    ``name`` is the architecture's, with the side of its input where it is there at several.
    """
    values = frame[list(needs)].to_numpy(dtype=float)
    within = np.where([key in SHARES for key in needs], values >= 0, values > 0)
    having = comparable(frame[(np.isfinite(values) & within).all(axis=1)], needs)
    once = having.drop_duplicates(NETWORK)
    several = once.duplicated("architecture", keep=False)
    sides = once["input_shape"].map(lambda shape: f" at {side(shape)}")
    named: pd.DataFrame = once.assign(name=once["architecture"].map(legible) + sides.where(several, ""))
    return named


def settings(frame: pd.DataFrame, needs: Sequence[str]) -> list[Setting]:
    """Every device and batch size with at least ``FEWEST`` networks, devices as the frame has them, then by batch."""
    found = [setting for setting in _settings(frame, needs) if len(setting.rows) >= FEWEST]
    devices = list(map(legible, dict.fromkeys(frame["device"])))
    return sorted(found, key=lambda setting: (devices.index(setting.device), setting.batch_size))


def _settings(frame: pd.DataFrame, needs: Sequence[str]) -> Iterator[Setting]:
    for device in frame["device"].dropna().unique():
        here = frame[frame["device"] == device]
        for batch_size in here["batch_size"].dropna().unique():
            yield Setting(legible(device), int(batch_size), networks(here[here["batch_size"] == batch_size], needs))


def one_batch(found: Sequence[Setting]) -> list[Setting]:
    """Of each device the setting with the most networks, the smallest batch where several have as many."""
    largest: dict[str, Setting] = {}
    for setting in found:
        kept = largest.setdefault(setting.device, setting)
        if len(setting.rows) > len(kept.rows):
            largest[setting.device] = setting
    return list(largest.values())


def subject(rows: pd.DataFrame, needs: Sequence[str]) -> str:
    """``44 networks of bianco2018``; where top-1 counts and is not a run's own, whose it is."""
    count = len(rows.drop_duplicates(NETWORK))
    origins = ["this run" if origin == MEASURED else legible(origin) for origin in rows["origin"].unique()]
    said = f"{counted(count, 'network')} of {listed(origins)}"
    foreign = rows.loc[rows["top1_source"] != rows["origin"], "top1_source"].dropna().map(legible).unique()
    if len(foreign) and any("top1" in (key, *COLUMNS[key].of) for key in needs):
        said += f" with the top-1 of {listed(list(foreign))}"
    data = [name for title, _ in contests(rows, needs) if (name := title)]
    return f"{said}, whose accuracy is of {listed(data)}" if data else said


def most(frame: pd.DataFrame, needs: Sequence[str]) -> int:
    """How many networks the fullest setting has."""
    return max((len(setting.rows) for setting in _settings(frame, needs)), default=0)


def lacking(frame: pd.DataFrame, needs: Sequence[str], have: int, where: str = "") -> str:
    """Why nothing is concluded, and which command gives what is lacking.

    ``have`` networks are there of ``FEWEST``; ``where`` is what they must have in common: ``on one device``.
    """
    parts = list(dict.fromkeys(part for key in needs for part in COLUMNS[key].of or (key,)))
    silent = [key for key in parts if len(frame) and not frame[key].notna().any()]
    names = listed([COLUMNS[key].name for key in parts])
    asked = f"Needs {FEWEST} networks with {' '.join(filter(None, [names, where]))} and has {have}."
    more = "Measure more of them, without `--archbench-arch`." if have and not silent else ""
    advice = more or remedy(key for key in parts if COLUMNS[key].metric or key in silent)
    return " ".join(filter(None, [asked, advice]))


def listed(names: Sequence[str], last: str = " and ") -> str:
    """``a, b and c``; of more than ``MOST_NAMES`` the number of those left out."""
    if len(names) > MOST_NAMES:
        return f"{', '.join(names[:MOST_NAMES])} and {len(names) - MOST_NAMES} more"
    *before, final = names
    return f"{', '.join(before)}{last}{final}" if before else final


def amount(value: float, key: str) -> str:
    """A quantity with its unit as the tables show it: ``30.96 img/s``, ``82.50 %``."""
    column = COLUMNS[key]
    return f"{column.show(value)} {column.unit}"


def between(values: Sequence[float], form: str) -> str:
    """``1.40 to 2.17``, or the one number that all are."""
    return " to ".join(dict.fromkeys(format(value, form) for value in (min(values), max(values))))
