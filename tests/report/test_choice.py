"""Which network to take, on constructed runs with answers worked by hand."""

from __future__ import annotations

import pandas as pd
import pytest
from report_data import EVIL, HEADER, Run, evaluated, published, row

from pytest_archbench.registry import UnknownName
from pytest_archbench.report import choice, frames
from pytest_archbench.report.choice import Choice, Failures, choose, place

ACCURACIES = (published("best", 0.78), published("even", 0.76), published("fast", 0.76), published("small", 0.58))
ROWS = (
    *(row("best", "latency", 0.0342), row("best", "peak_memory", 2**30), row("best", "params", 60_000_000)),
    *(row("even", "latency", 0.02), row("even", "peak_memory", 10**9), row("even", "params", 25_000_000)),
    *(row("fast", "latency", 0.01), row("fast", "params", 25_000_000)),
    *(row("small", "latency", 0.005), row("small", "peak_memory", 2**20), row("small", "params", 1_200_000)),
    *(row("nobody", "latency", 0.001), row("nobody", "peak_memory", 2**20)),
    row("huge", "latency", status="oom", message="2 GiB asked"),
    row("huge", "peak_memory", status="oom", message="2 GiB asked"),
    row("batched", "latency", 0.1, batch_size=8),
)
"""At batch 1: best at 34.2 ms in 1 GiB; even at 20 ms in 1 GB; fast at 10 ms, of which no memory is known; small."""


def network_frame(*rows: dict[str, object]) -> tuple[pd.DataFrame, Failures]:
    run = Run(HEADER, rows)
    return frames.networks(run, ACCURACIES), choice.failures(frames.cases(run))


def chosen(device: str = "cpu", batch_size: int = 1, **bounds: float) -> Choice:
    networks, failed = network_frame(*ROWS)
    return choose(networks, bounds, device, batch_size, failed)


def ranking(found: Choice) -> list[str]:
    return [each.label for each in found.ranked]


def reasons(found: Choice) -> dict[str, list[str]]:
    return {each.label: [reason.sentence for reason in each.reasons] for each in found.excluded}


def test_it_ranks_by_top1_then_latency_and_the_unknown_last() -> None:
    found = chosen()
    assert ranking(found) == ["best", "fast", "even", "small", "nobody"]
    assert found.ranked[0].values["latency"] == 0.0342
    assert found.ranked[0].sources == {"top1": "bianco2018"}
    assert found.ranked[0].origin == "measured"
    assert found.nearest == ()


def test_networks_alike_in_both_are_ranked_by_name() -> None:
    networks, _ = network_frame(row("b", "latency", 0.01), row("a", "latency", 0.01), row("c", "macs", 5))
    assert ranking(choose(networks, {}, "cpu", 1)) == ["a", "b", "c"]


def test_it_says_every_reason_of_an_exclusion() -> None:
    found = chosen(max_latency=0.02, max_memory=1e9, min_top1=0.75)
    assert ranking(found) == ["even"]
    assert reasons(found) == {
        "best": ["latency 34.20 ms/batch > 20 ms", "peak memory 1024.0 MiB > 953.674 MiB"],
        "fast": ["peak memory not measured"],
        "nobody": ["no top-1 known"],
        "small": ["top-1 58.00 % < 75 %"],
        "batched": ["not measured on cpu at batch 1"],
        "huge": ["not measured on cpu at batch 1 (oom: 2 GiB asked)"],
    }


def test_a_bound_is_inclusive() -> None:
    assert "even" in ranking(chosen(max_latency=0.02, min_top1=0.76, max_memory=1e9, max_params=25e6))
    assert "even" not in ranking(chosen(max_latency=0.02 * (1 - 1e-6)))


def test_a_value_that_rounds_to_the_bound_is_shown_beyond_it() -> None:
    networks, _ = network_frame(row("a", "latency", 0.020001))
    assert reasons(choose(networks, {"max_latency": 0.02}, "cpu", 1)) == {"a": ["latency 20.001 ms/batch > 20 ms"]}


def test_throughput_comes_from_the_latency_where_it_was_not_measured() -> None:
    # 8 images in 0.1 s are 80 a second; in 20 ms one image is 50 a second.
    (batched,) = chosen(batch_size=8).ranked
    assert batched.values["throughput"] == pytest.approx(80)
    assert ranking(chosen(min_throughput=50)) == ["fast", "even", "small", "nobody"]
    assert reasons(chosen(min_throughput=50))["best"] == ["throughput 29.2 img/s < 50 img/s"]
    networks, _ = network_frame(row("a", "latency", 0.02), row("a", "throughput", 30))
    assert choose(networks, {}, "cpu", 1).ranked[0].values["throughput"] == 30


def test_one_metric_that_failed_is_the_reason_of_its_bound_alone() -> None:
    networks, failed = network_frame(
        row("a", "latency", 0.01), row("a", "peak_memory", status="timeout", message="no answer in 600 s")
    )
    assert ranking(choose(networks, {"max_latency": 1.0}, "cpu", 1, failed)) == ["a"]
    found = choose(networks, {"max_memory": 1e9, "max_energy": 1.0}, "cpu", 1, failed)
    assert reasons(found) == {
        "a": ["peak memory not measured (timeout: no answer in 600 s)", "energy not measured"],
    }
    assert [reason.cause for reason in found.excluded[0].reasons] == ["peak memory not measured", "energy not measured"]


def test_the_failure_of_a_latency_is_why_there_is_no_throughput() -> None:
    networks, failed = network_frame(
        row("a", "peak_memory", 5), row("a", "latency", status="crashed", message="signal 11")
    )
    found = choose(networks, {"min_throughput": 1.0}, "cpu", 1, failed)
    assert reasons(found) == {"a": ["throughput not measured (crashed: signal 11)"]}


def test_a_run_of_counts_alone_can_be_chosen_from() -> None:
    networks, failed = network_frame(row("best", "params", 60_000_000), row("small", "params", 1_200_000))
    found = choose(networks, {"max_params": 5e6}, "cpu", 1, failed)
    assert (ranking(found), reasons(found)) == (["small"], {"best": ["parameters 60.00 M > 5 M"]})


def test_where_nothing_fits_it_says_how_near_the_networks_come() -> None:
    found = chosen(max_latency=0.0005, min_top1=0.77, max_energy=1.0)
    assert found.ranked == ()
    assert found.nearest == (
        "the lowest latency is 1.00 ms/batch (nobody); 0 of 5 networks keep to 0.5 ms",
        "the highest top-1 is 78.00 % (best); 1 of 5 networks keep to 77 %",
        "energy is known of no network; 0 of 5 networks keep to 1 J/img",
    )


def test_a_network_measured_under_two_conditions_is_told_apart() -> None:
    networks, _ = network_frame(row("a", "latency", 0.01), row("a", "latency", 0.006, threads=2), row("b", "macs", 1))
    assert ranking(choose(networks, {}, "cpu", 1)) == ["a (threads 2)", "a (threads 1)", "b"]


def test_rows_of_several_origins_name_theirs() -> None:
    networks, _ = network_frame(*ROWS[:3])
    both = pd.concat([networks, networks.assign(origin="bianco2018", latency=0.001)], ignore_index=True)
    found = choose(both, {"max_latency": 0.02}, "cpu", 1)
    assert ranking(found) == ["best (bianco2018)"]
    assert reasons(found) == {"best (measured)": ["latency 34.20 ms/batch > 20 ms"]}


def test_what_a_source_does_not_print_is_not_published() -> None:
    networks, _ = network_frame(row("a", "latency", 0.01))
    found = choose(networks.assign(origin="bianco2018"), {"max_memory": 1e9}, "cpu", 1)
    assert reasons(found) == {"a": ["peak memory not published by bianco2018"]}


TITAN, TX1 = "NVIDIA Titan X Pascal (Titan Xp), 3840 CUDA cores", "NVIDIA Jetson TX1"


@pytest.mark.parametrize(
    ("asked", "found"), [("titan xp", TITAN), ("tx1", TX1), ("JETSON", TX1), (TX1, TX1), ("cpu", "cpu"), ("cud", TITAN)]
)
def test_a_device_is_named_by_a_part_of_its_name(asked: str, found: str) -> None:
    networks, _ = network_frame(*(row("a", "latency", 1.0, device=name) for name in ("cpu", TITAN, TX1)))
    assert place(networks, asked, 1) == found


def test_a_whole_name_wins_over_a_longer_one() -> None:
    networks, _ = network_frame(row("a", "latency", 1.0, device=TX1), row("a", "latency", 1.0, device=f"{TX1}, Caffe"))
    assert place(networks, TX1, 1) == TX1


@pytest.mark.parametrize(
    ("asked", "batch_size", "said"),
    [
        ("", 1, f"--device: there are 3 devices: name one of {TX1}; {TITAN}; cpu"),
        ("nvidia", 1, f"--device: 'nvidia' is a part of 2 names: name one of {TX1}; {TITAN}"),
        ("cpi", 1, f"--device: no network was measured on 'cpi': did you mean cpu? known: {TX1}; {TITAN}; cpu"),
        ("cpu", 4, "--batch-size: nothing was measured on cpu at batch 4: known: 1, 8"),
    ],
)
def test_what_is_not_there_is_named_with_what_is(asked: str, batch_size: int, said: str) -> None:
    rows = [row("a", "latency", 1.0, device=name) for name in ("cpu", TITAN, TX1)]
    networks, _ = network_frame(*rows, row("a", "latency", 1.0, batch_size=8))
    with pytest.raises(UnknownName) as raised:
        place(networks, asked, batch_size)
    assert said in str(raised.value)


def test_figures_without_a_device_cannot_be_chosen_from() -> None:
    networks, _ = network_frame(row("a", "macs", 1))
    with pytest.raises(UnknownName, match="these figures name no device"):
        place(networks.assign(device=None), "", 1)


def test_a_hostile_name_stays_a_name() -> None:
    networks, _ = network_frame(row(EVIL, "latency", 0.01), row("a\x1b[31m\n", "latency", 0.02))
    assert ranking(choose(networks, {}, "cpu", 1)) == [EVIL, "a�[31m"]


def test_accuracies_of_other_data_are_ranked_apart_and_said() -> None:
    rows = [
        evaluated("a", "digits", 0.97, 360),
        evaluated("b", "imagenet", 0.7, 500),
        evaluated("c", "imagenet", 0.6, 500),
    ]
    frame = frames.networks(Run(HEADER, (*rows, *(row(name, "latency", 0.1) for name in "abcd"))))
    found = choose(frame, {}, "cpu", 1)
    assert [each.label for each in found.ranked] == ["b (imagenet)", "c (imagenet)", "a (digits)", "d"]


def test_a_metric_that_the_question_is_not_about_excludes_no_network() -> None:
    rows = (
        evaluated("four", "own images", 0.9, 40),
        row("four", "top5_accuracy", status="skipped", message="4 classes"),
        row("lost", "params", 5),
        row("lost", "top1_accuracy", status="failed", message="no weights"),
        *(row("void", metric, status="failed", message="no head") for metric in ("params", "macs")),
        row("big", "params", 9),
        row("big", "latency", status="oom", message="2 GiB asked"),
    )
    found = _answer(*rows)
    assert ranking(found) == ["four", "lost"]
    assert reasons(found) == {
        "big": ["not measured on cpu at batch 1 (oom: 2 GiB asked)"],
        "void": ["not measured on cpu at batch 1 (failed: no head)"],
    }


def test_an_accuracy_of_nothing_is_a_value() -> None:
    found = _answer(evaluated("none", "own images", 0.0, 40), evaluated("few", "own images", 0.1, 40))
    assert [(each.label, each.values["top1"]) for each in found.ranked] == [("few", 0.1), ("none", 0.0)]
    found = _answer(evaluated("none", "own images", 0.0, 40), min_top1=0.05)
    assert reasons(found) == {"none": ["top-1 0.00 % < 5 %"]}


def _answer(*rows: dict[str, object], **bounds: float) -> Choice:
    frame, failed = network_frame(*rows)
    return choose(frame, bounds, "cpu", 1, failed)
