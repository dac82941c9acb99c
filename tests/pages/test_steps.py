"""Steps: what never changes is answered as asv would, each change of a count is one, all else is asv's to find."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from asv.graph import Graph, _compute_graph_steps
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_archbench.pages.site import FEW, Searchers, detect_steps, levels


class Inline:
    """A pool that computes at once and counts."""

    def __init__(self) -> None:
        self.asked = 0

    def apply_async(self, function: Any, arguments: tuple[Any, ...]) -> Any:
        self.asked += 1
        return function(*arguments)


def graph(*series: Sequence[float | None], name: str = "latency.bs1") -> Graph:
    made = Graph(name, {"machine": "cpu"})
    for revision, values in enumerate(zip(*series, strict=True)):
        made.add_data_point(revision, list(values), [None] * len(values))
    return made


@settings(deadline=None, max_examples=60)
@given(
    st.one_of(st.integers(-(10**15), 10**15), st.floats(-1e100, 1e100)),
    st.lists(st.booleans(), min_size=1, max_size=40).filter(any),
)
def test_a_constant_series_has_exactly_the_steps_that_asv_finds(value: float, measured: list[bool]) -> None:
    data = [(3 * place, value if there else None, None) for place, there in enumerate(measured)]
    assert levels(data) == _compute_graph_steps(data)


def test_asv_is_not_asked_about_what_never_changes() -> None:
    chance, pool = random.Random(1), Inline()
    made = graph([5.0] * 30, [chance.gauss(1, 0.02) for _ in range(30)], [7, None, 7] * 10)
    detect_steps(made, pool, ())
    assert pool.asked == 1
    assert [len(steps) for steps in made.get_steps()] == [1, 1, 1]


def test_the_same_steps_are_found_as_asv_finds() -> None:
    chance = random.Random(2)
    noisy = [chance.gauss(1.2 if night >= 12 else 1.0, 0.01) for night in range(30)]
    ours, theirs = graph(noisy, [3.0] * 30), graph(noisy, [3.0] * 30)
    detect_steps(ours, Inline(), ())
    theirs.detect_steps()
    assert ours.get_steps() == theirs.get_steps()
    assert [step[:2] for step in ours.get_steps()[0]] == [(0, 12), (12, 30)]


def test_each_change_of_a_count_is_a_step() -> None:
    """One multiply-accumulate of a billion is below what asv takes for noise."""
    counts: Sequence[float | None] = [10**9] * 8 + [None] + [10**9 + 1] * 8
    made, pool = graph(counts, name="macs.bs1"), Inline()
    detect_steps(made, pool, {"macs.bs1"})
    assert pool.asked == 0
    assert made.get_steps()[0] == [(0, 8, 1e9, 10**9, 0.0), (9, 17, 1e9 + 1, 10**9 + 1, 0.0)]
    assert len(_compute_graph_steps([(place, value, None) for place, value in enumerate(counts)])) == 1


def test_other_processes_find_the_same() -> None:
    chance = random.Random(3)
    noisy = [[chance.gauss(1, 0.02) for _ in range(12)] for _ in range(FEW + 4)]
    ours, theirs, searchers = graph(*noisy), graph(*noisy), Searchers(2)
    detect_steps(ours, searchers, ())
    searchers.close()
    searchers.join()
    detect_steps(theirs, Inline(), ())
    assert searchers.asked == FEW + 4
    assert [isinstance(each, list) for each in ours._steps] == [True] * FEW + [False] * 4
    assert ours.get_steps() == theirs.get_steps()
