"""Which networks are best under limits of memory and speed, as in Table 3 of Bianco et al. 2018. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import pandas as pd

from pytest_archbench.records import Baseline
from pytest_archbench.report.cells import legible
from pytest_archbench.report.frames import NETWORK, VARIED

GIB = 2.0**30
MEMORY_LIMITS = (0.7 * GIB, 1.0 * GIB, 1.4 * GIB)
"""B. The paper writes GB and divides by 1024 throughout: 943 MB in its text are 0.92 GB in its Table 2."""
RATE_LIMITS = (15.0, 30.0, 60.0)
"""img/s: half real time, real time and "super real time" (Section V.G)."""
COUNT = 5

JUDGED_BY = ("top1", "image_rate", "peak_memory")
TABLE = ("origin", "device", "max_memory", "min_rate", "rank", "architecture", "input_shape", "top1_data", *JUDGED_BY)
_NOTE = re.compile(r"memory <=(?P<memory>[\d.]+)GB; speed >=(?P<rate>[\d.]+)FPS; listed top-1 (?P<top1>[\d.]+)")


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A rank on a device among the networks that take at most ``max_memory`` (B) and make ``min_rate`` (img/s)."""

    device: str
    max_memory: float
    min_rate: float
    rank: int

    def __str__(self) -> str:
        limits = f"up to {self.max_memory / GIB:g} GiB and at {self.min_rate:g} img/s"
        return f"on {self.device}, {limits}, rank {self.rank}"


@dataclass(frozen=True, slots=True)
class Rank:
    """The network that a paper prints for a place, with the top-1 (fraction) that it lists there."""

    place: Place
    architecture: str
    top1: float


@dataclass(frozen=True, slots=True)
class Difference:
    """A place for which one network is printed and another is found, either of them None where there is none.

    ``tied``: both have the same top-1, so that nothing that was printed decides between them.
    """

    place: Place
    printed: str | None
    found: str | None
    tied: bool

    def __str__(self) -> str:
        return f"{self.place}: {self.printed or 'none'} is printed, {self.found or 'none'} is found"


def best_under(
    frame: pd.DataFrame, device: str, batch_size: int, memory: float, rate: float, count: int = COUNT
) -> pd.DataFrame:
    """The rows of ``frames.networks`` on a device that take at most ``memory`` (B) and make at least ``rate`` (img/s).

    Both limits are inclusive. The most accurate come first, of equal ones the faster, then by name; a network of which
    a number is absent has no place. Memory is that of ``lent``.
    """
    here = lent(frame)
    here = here[(here["device"] == device) & (here["batch_size"] == batch_size)].dropna(subset=list(JUDGED_BY))
    fitting = here[(here["peak_memory"] <= memory) & (here["image_rate"] >= rate)]
    order = ["top1", "image_rate", "architecture"]
    # One network may have been measured in several settings (threads, precision): its best counts.
    ranked = fitting.sort_values(order, ascending=[False, False, True], kind="stable")
    best: pd.DataFrame = ranked.drop_duplicates(NETWORK).head(count)
    return best


def lent(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with peak memory on devices that have none at all: the largest that the same source found elsewhere.

    Elsewhere is another device, for the same network and batch size, run the same way: what one engine or type takes
    says nothing of another. Bianco et al. judge the Jetson TX1 by the memory of the Titan Xp. The frame that is given
    stays as it is.
    """
    without = _lacks_memory(frame)
    elsewhere = frame.groupby([*NETWORK, "batch_size", *VARIED], dropna=False, sort=False)["peak_memory"].transform(
        "max"
    )
    whole: pd.DataFrame = frame.assign(peak_memory=frame["peak_memory"].where(~without, elsewhere))
    return whole


def _lacks_memory(frame: pd.DataFrame) -> pd.Series[bool]:
    """For each row whether its device has no figure of memory."""
    figures = frame.groupby(["origin", "device"], dropna=False, sort=False)["peak_memory"].transform("count")
    return figures == 0


def under_limits(
    frame: pd.DataFrame,
    batch_size: int = 1,
    memory: Sequence[float] = MEMORY_LIMITS,
    rates: Sequence[float] = RATE_LIMITS,
    count: int = COUNT,
) -> pd.DataFrame:
    """The best networks on each device under each pair of limits, one row per rank, with the columns ``TABLE``, those
    whose accuracies are of other data apart.

    Base units: B, img/s, top-1 as a fraction. A pair of limits that no network keeps to has no row.
    """
    at_batch = frame[frame["batch_size"] == batch_size]
    found = [
        best.assign(max_memory=limit, min_rate=rate, rank=range(1, len(best) + 1))
        for _, rows in at_batch.groupby(["origin", "top1_data"], sort=False, dropna=False)
        for device in rows["device"].unique()
        for limit in memory
        for rate in rates
        if len(best := best_under(rows, device, batch_size, limit, rate, count))
    ]
    table = pd.concat(found, ignore_index=True) if found else frame.head(0).reindex(columns=list(TABLE))
    shown: pd.DataFrame = table[list(TABLE)]
    return shown


def note(frame: pd.DataFrame, device: str = "", batch_size: int = 1) -> str:
    """What a reader of ``under_limits`` must know: whose memory counts where a device has no figures; else empty.

    Of one ``device``, or of all.
    """
    here = frame[frame["batch_size"] == batch_size]
    without = _lacks_memory(here)
    borrowing = without & lent(here)["peak_memory"].notna()
    sentences = []
    for (origin, borrower), rows in here[borrowing].groupby(["origin", "device"], sort=False):
        if device not in ("", borrower):
            continue
        alike = _ways(here).isin(_ways(rows))
        own = here[(here["origin"] == origin) & ~without & alike]["device"]
        sentences.append(
            f"{legible(borrower)} has no figures of memory: those of {' and '.join(map(legible, own.unique()))} count."
        )
    return " ".join(sentences)


def _ways(frame: pd.DataFrame) -> pd.Series[str]:
    """How each row was run, as a text that two rows share where memory may be lent between them."""
    ways: pd.Series[str] = frame[list(VARIED)].fillna("").agg(", ".join, axis=1)
    return ways


def printed(figures: Iterable[Baseline]) -> Iterator[Rank]:
    """The ranks among published figures (metric ``constrained_rank``), whose note states limits and top-1.

    Raises: ValueError for a note that does not.
    """
    for figure in figures:
        if figure.metric != "constrained_rank":
            continue
        stated = _NOTE.fullmatch(figure.note)
        if stated is None or figure.device is None:
            expected = "'memory <=0.7GB; speed >=15FPS; listed top-1 75.95' and a device"
            raise ValueError(f"{figure.source} {figure.architecture} rank: expected the note {expected}; got {figure}")
        place = Place(
            device=legible(figure.device),
            max_memory=float(stated["memory"]) * GIB,
            min_rate=float(stated["rate"]),
            rank=int(figure.value),
        )
        yield Rank(place, legible(figure.architecture), float(stated["top1"]) / 100)


def differences(frame: pd.DataFrame, ranks: Iterable[Rank], batch_size: int = 1) -> list[Difference]:
    """Where the frame's ranking is another than the printed one, on the devices of the frame.

    A place that is filled here and not printed is a difference as well.
    """
    devices = set(frame["device"])
    there = {rank.place: rank.architecture for rank in ranks if rank.place.device in devices}
    memory = sorted({place.max_memory for place in there})
    rates = sorted({place.min_rate for place in there})
    count = max((place.rank for place in there), default=0)
    here = {
        Place(record["device"], record["max_memory"], record["min_rate"], record["rank"]): str(record["architecture"])
        for record in under_limits(frame, batch_size, memory, rates, count).to_dict("records")
    }
    top1 = dict(zip(frame["architecture"], frame["top1"], strict=True))
    pairs = {place: (there.get(place), here.get(place)) for place in sorted({*there, *here})}
    return [
        Difference(place, expected, found, tied={expected, found} <= top1.keys() and top1[expected] == top1[found])
        for place, (expected, found) in pairs.items()
        if expected != found
    ]
