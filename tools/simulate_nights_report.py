"""The tables of the simulated nights, from their results alone. Pure."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Row = Mapping[str, Any]
UNCHANGED = "unchanged"
PAGE = "page"
KINDS = {"regressed": "the night itself", "step": "a step", "drift": "drift", PAGE: "asv's page"}
"""What reports a change, and what the tables call it. asv's page is looked at by a reader, and alarms nobody."""
WITHIN = (1, 3, 7, 15)
"""After how many changed nights the tables tell what was reported."""
JUDGED_FROM = {UNCHANGED: 6, f"{UNCHANGED} top-1": 2, "counts": 2}
"""The first night that has a verdict of what did not change."""


@dataclass(frozen=True, slots=True)
class Told:
    """What was reported of the series of one change: by kind and series the nights in which that began, and in how many
    nights it was said. Series of several histories are told apart.
    """

    series: int
    nights: int
    began: Mapping[str, Mapping[tuple[int, int], Sequence[int]]]
    said: Mapping[str, int]

    def first(self, kinds: Sequence[str], begins: int) -> list[int]:
        """Of each series that was reported since its change how many changed nights that took."""
        firsts: dict[tuple[int, int], int] = {}
        for kind in kinds:
            for name, nights in self.began[kind].items():
                if since := [night - begins + 1 for night in nights if night >= begins]:
                    firsts[name] = min(since[0], firsts.get(name, since[0]))
        return list(firsts.values())

    def new(self, kind: str) -> int:
        """How many alarms began."""
        return sum(map(len, self.began[kind].values()))


def told(rows: Sequence[Row], change: str) -> Told:
    """A change's series of several histories together."""
    began: dict[str, dict[tuple[int, int], Sequence[int]]] = {kind: {} for kind in KINDS}
    said = dict.fromkeys(KINDS, 0)
    for at, row in enumerate(rows):
        for number, kind, nights, count in row["changes"][change]["reported"]:
            began[kind][at, number] = nights
            said[kind] += count
    series = sum(row["changes"][change]["series"] for row in rows)
    return Told(series, max(row["nights"] for row in rows), began, said)


def tables(rows: Sequence[Row], begins: Mapping[str, int]) -> Iterator[str]:
    """Markdown: of every kind of history what was found, then what was a false alarm. ``rows`` of one kind follow each
    other; ``begins`` tells the first changed night of each change.
    """
    groups = [list(group) for _, group in itertools.groupby(rows, key=lambda row: (row["zoo"], row["noise"]))]
    for group in groups:
        yield from ["", f"**{_title(group)}**", "", *found(group, begins)]
    yield from ["", *false_alarms(groups)]


def _title(group: Sequence[Row]) -> str:
    scatter = statistics.fmean(row["scatter"] for row in group)
    return f"{group[0]['zoo']}, {scatter:.1%} between nights".replace("%", " %")


def found(group: Sequence[Row], begins: Mapping[str, int]) -> Iterator[str]:
    """The changes that were planted: the share reported within some nights, and by what."""
    heads = [f"{nights} night{'s' * (nights > 1)}" for nights in WITHIN]
    yield f"| change | series | {' | '.join(heads)} | by the end | median | {' | '.join(KINDS.values())} |"
    yield "|---" * (5 + len(WITHIN) - 1 + len(KINDS)) + "|"
    for change, begun in begins.items():
        each = told(group, change)
        if change in JUDGED_FROM or not each.series:
            continue
        first = each.first([kind for kind in KINDS if kind != PAGE], begun)
        shares = [_share(sum(nights <= within for nights in first), each.series) for within in (*WITHIN, each.nights)]
        kinds = [_share(len(each.first([kind], begun)), each.series) for kind in KINDS]
        yield f"| {change} | {each.series:,} | {' | '.join([*shares, _median(first, each.series), *kinds])} |"


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.0%}".replace("%", " %")


def _median(first: Sequence[int], series: int) -> str:
    """Nights until half of all series are reported; where they never are, a dash."""
    return str(sorted(first)[(series - 1) // 2]) if len(first) > (series - 1) // 2 else "–"


def false_alarms(groups: Sequence[Sequence[Row]]) -> Iterator[str]:
    """What did not change and was reported all the same: alarms that began, in a night and a thousand series, with how
    many they were, and how many of the series had one.
    """
    yield f"| history | series | {' | '.join(list(KINDS.values())[:-1])} | series with one | on asv's page |"
    yield "|---" * 7 + "|"
    for group in groups:
        for change, first in JUDGED_FROM.items():
            each = told(group, change)
            if not each.series:
                continue
            nights = each.nights - first + 1
            rates = [f"{each.new(k) / nights / each.series * 1000:.2g} ({each.new(k)})" for k in KINDS if k != PAGE]
            ever = f"{len(each.first([kind for kind in KINDS if kind != PAGE], 1)):,}"
            page = f"{len(each.began[PAGE]):,}"
            about = f"{_title(group)}: {change}"
            yield f"| {about} | {each.series:,} | {' | '.join([*rates, ever, page])} |"
