"""A number that was disturbed, or is less certain than was asked for, is never shown as if it were not."""

from __future__ import annotations

import json
import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from page_data import html_of
from report_data import EVIL, HEADER, Run, row

from pytest_archbench.report import frames, text
from pytest_archbench.report.choice import choose
from pytest_archbench.tally import doubtful, doubts

WAITED, SLOWED = "tasks waited for a processor 51% of the time (limit 5%)", "the GPU slowed down for heat"
WIDE = "the median is known to ±1.12%, ±1.00% was asked for; raise --archbench-time-budget"


def timed(name: str, *disturbed: str, imprecise: str = "", **given: Any) -> dict[str, Any]:
    """A latency of two processes, of which the second met what is given."""
    trials = [{"samples": 1, "disturbed": []}, {"samples": 1, "disturbed": list(disturbed)}]
    return row(name, "latency", 0.02, 0.03, **given) | {"trials": trials, "imprecise": imprecise}


def run() -> Run:
    """Of three networks the first was disturbed, the second is imprecise, the third is neither."""
    counts = [row(name, "params", 5_000_000) for name in "abc"]
    return Run(HEADER, (*counts, timed("a", WAITED), timed("b", imprecise=WIDE), timed("c")))


def test_they_are_counted_with_the_reasons_of_the_first() -> None:
    assert doubtful(run().rows) == (
        f"1 of 3 timed cases is disturbed: {WAITED}. 1 of 6 measurements is less certain than was asked for: {WIDE}"
    )
    two = (timed("a", WAITED, SLOWED), timed("b", SLOWED), timed("c"))
    assert doubtful(two) == f"2 of 3 timed cases are disturbed: {WAITED}; {SLOWED}, and the like"
    assert doubtful((timed("a", SLOWED), timed("b", SLOWED))).endswith(f"disturbed: {SLOWED}")
    assert doubtful([timed("c"), row("c", "macs", 5)]) == ""


def test_what_was_taken_again_and_what_gave_no_number_is_not_doubtful() -> None:
    assert doubts(timed("a") | {"left_out": [{"samples": [1.0], "disturbed": [WAITED]}]}) == []
    assert doubtful([timed("a", WAITED) | {"status": "crashed"}]) == ""


def test_a_mark_stands_at_the_value_and_at_what_is_computed_of_it() -> None:
    networks = frames.networks(run())
    told = {record["architecture"]: record for record in networks.to_dict("records")}
    assert [frames.doubt(told["a"], key) for key in ("latency", "image_latency", "image_rate")] == [WAITED] * 3
    assert [frames.doubt(told["b"], key) for key in ("latency", "params", "peak_memory")] == [WIDE, "", ""]
    assert json.loads(told["a"]["doubts"]) == {"latency": WAITED}
    assert frames.doubt(told["c"], "latency") == ""
    assert told["c"]["doubts"] is None


def test_the_summary_says_it_and_marks_the_values() -> None:
    said = text.summary(run(), frames.networks(run()))
    assert f"Doubtful: 1 of 3 timed cases is disturbed: {WAITED}. 1 of 6" in said
    assert re.findall(r"^\| `(.)` .* 25\.00( †)? \|", said, re.M) == [("a", " †"), ("b", " †"), ("c", "")]
    assert "\n\n† disturbed, or less certain than was asked for: `measurements.csv` says how." in said
    assert frames.cases(run())["doubts"].tolist() == ["", "", "", WAITED, WIDE, ""]
    calm = Run(HEADER, (timed("c"),))
    assert not re.search("†|Doubtful", text.summary(calm, frames.networks(calm)))


def test_the_page_says_it_and_each_mark_has_its_reason() -> None:
    page = html_of(run())
    assert f"Doubtful:</b> 1 of 3 timed cases is disturbed: {WAITED}." in page
    assert f'title="{WAITED}">25.00<b class="skip"> †</b></td>' in page
    assert page.count(" †</b></td>") == 2
    assert "†" not in html_of(Run(HEADER, (timed("c"),)))
    assert EVIL not in html_of(Run(HEADER, (timed("a", EVIL, imprecise=EVIL),)))


def test_a_choice_knows_them() -> None:
    found = choose(frames.networks(run()), {}, "cpu", 1)
    assert {each.network: dict(each.doubts) for each in found.ranked} == {
        "a": {"latency": WAITED, "throughput": WAITED},
        "b": {"latency": WIDE, "throughput": WIDE},
        "c": {},
    }


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["disturbed", "x"]), inner, max_size=2),
    max_leaves=6,
)


@given(anything, anything)
def test_a_foreign_journal_is_read_as_far_as_it_goes(trials: object, imprecise: object) -> None:
    foreign = row("a", "latency", 0.1) | {"trials": trials, "imprecise": imprecise}
    assert bool(doubtful([foreign])) == bool(doubts(foreign))
