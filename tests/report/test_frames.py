"""Records into frames, with values worked by hand."""

from __future__ import annotations

import csv
import io
import itertools
import math
from typing import Any

import pandas as pd
import pytest
from report_data import HEADER, Run, evaluated, published, row, small, verdict

from pytest_archbench.outcomes import RESULTS
from pytest_archbench.report import frames
from pytest_archbench.report.cells import legible


def networks_of(*rows: dict[str, object], figures: object = ()) -> list[dict[str, object]]:
    frame = frames.networks(Run(HEADER, rows), figures)  # type: ignore[arg-type]
    return [{str(key): value for key, value in record.items()} for record in frame.to_dict("records")]


def test_a_case_has_percentiles_of_its_samples() -> None:
    # Eleven samples 0..10: position 10 * p, so p50 = 5, p90 = 9 and p99 = 9 + 0.9.
    case = frames.cases(Run(HEADER, (row("resnet50", "latency", *range(11)),))).iloc[0]
    assert (case["n"], case["value"], case["p50"], case["p90"]) == (11, 5, 5.0, 9.0)
    assert case["p99"] == pytest.approx(9.9)


def test_a_case_without_samples_has_no_number_and_not_zero() -> None:
    case = frames.cases(Run(HEADER, (row("resnet50", "latency", status="oom", message="2 GiB asked"),))).iloc[0]
    assert case["n"] == 0
    assert case["value"] is None
    assert all(math.isnan(case[key]) for key in ("p50", "p90", "p99"))
    assert case["message"] == "2 GiB asked"


def test_an_integer_stays_the_integer_of_the_journal() -> None:
    value = frames.cases(Run(HEADER, (row("resnet50", "macs", 4_089_184_256),))).iloc[0]["value"]
    assert isinstance(value, int)
    assert value == 4_089_184_256


@pytest.mark.parametrize(("worse", "better"), list(itertools.pairwise(RESULTS)))
def test_the_worst_outcome_is_the_judges(worse: str, better: str) -> None:
    both = (verdict(better), verdict(worse), verdict(better))
    assert frames.cases(Run(HEADER, (row("a", "macs", 1, verdicts=both),))).iloc[0]["worst"] == worse


def test_nothing_said_is_no_word() -> None:
    assert frames.worst([]) is None
    assert frames.worst([row("a", "macs", 1)]) is None


def test_a_network_that_could_not_be_measured_shows_why_and_not_inconclusive() -> None:
    (network,) = networks_of(
        row("a", "macs", 5, verdicts=(verdict("regressed"),)),
        row("a", "latency", status="oom", message="2 GiB asked", verdicts=(verdict("inconclusive"),)),
    )
    assert network["worst"] == "oom"


def test_verdicts_are_one_row_each() -> None:
    frame = frames.verdicts(small()[0])
    assert list(frame["outcome"]) == ["known deviation", "passed", "deviates", "no baseline"]
    assert frame["change"].iloc[2] == 0.082
    assert math.isnan(frame["change"].iloc[3])
    assert frame["reason"].iloc[2].startswith("resnet50 macs: 4.089 GMAC")


def test_density_is_percent_per_million_parameters() -> None:
    (network,) = networks_of(row("vgg", "params", 138_000_000), figures=[published("vgg", 0.69)])
    assert network["accuracy_density"] == pytest.approx(0.5)  # 69 % / 138 M


def test_what_no_device_changes_is_shared_by_all_devices() -> None:
    found = networks_of(
        row("a", "params", 7),
        row("a", "latency", 0.5, device="cuda:0", batch_size=8),
        row("a", "latency", 0.25, device="cpu", batch_size=1),
    )
    assert [(n["device"], n["batch_size"], n["params"], n["latency"]) for n in found] == [
        ("cuda:0", 8, 7.0, 0.5),
        ("cpu", 1, 7.0, 0.25),
    ]


def test_a_network_that_was_only_counted_has_a_row() -> None:
    (network,) = networks_of(row("a", "macs", 5))
    assert network["macs"] == 5.0
    assert all(math.isnan(float(str(network[key]))) for key in ("latency", "params", "top1", "accuracy_density"))
    assert network["top1_source"] is None


def test_other_conditions_are_not_mixed_into_a_row() -> None:
    found = networks_of(row("a", "latency", 1.0, dtype="float32"), row("a", "peak_memory", 9, dtype="float16"))
    assert [(n["dtype"], n["latency"]) for n in found if n["latency"] == 1.0] == [("float32", 1.0)]
    assert [n["dtype"] for n in found if n["peak_memory"] == 9] == ["float16"]


def test_inputs_of_a_network_are_not_mixed_into_a_row() -> None:
    small: dict[str, Any] = {"input_shape": [3, 224, 224]}
    large: dict[str, Any] = {"input_shape": [3, 299, 299]}
    found = networks_of(
        row("a", "params", 5, **small),
        row("a", "macs", 40, **small),
        row("a", "latency", 0.2, **small),
        row("a", "macs", 70, **large),
        row("a", "latency", 0.5, **large),
        row("a", "latency", status="oom", message="2 GiB asked", batch_size=64, input_shape=None),
        figures=[published("a", 0.8, input_size=299)],
    )
    rows = [(n["input_shape"], n["batch_size"], n["macs"], n["latency"], n["params"]) for n in found]
    assert [each for each in rows if each[1] == 1] == [
        ("[3, 224, 224]", 1, 40.0, 0.2, 5.0),
        ("[3, 299, 299]", 1, 70.0, 0.5, 5.0),
    ]
    assert [n["top1"] for n in found if n["input_shape"] == "[3, 299, 299]"] == [0.8, 0.8]
    assert {n["worst"] for n in found if n["batch_size"] == 64} == {"oom"}


@pytest.mark.parametrize("value", ["abc", "4", [], {}, True, float("inf"), float("nan"), 10**400])
def test_a_value_that_is_no_number_is_none_that_was_measured(value: object) -> None:
    foreign = {**row("a", "macs", 4), "value": value}
    (network,) = networks_of(foreign, row("a", "params", 7))
    assert (str(network["macs"]), network["params"]) == ("nan", 7.0)
    odd = {**verdict("deviates"), "change": value}
    assert frames.verdicts(Run(HEADER, (row("a", "macs", 4, verdicts=(odd,)),)))["change"].isna().all()


@pytest.mark.parametrize("value", [[], ["cpu"], {"a": 1}, 1.5, float("inf")])
@pytest.mark.parametrize("key", ["device", "dtype", "batch_size", "input_shape"])
def test_conditions_of_any_kind_are_read(key: str, value: object) -> None:
    given: dict[str, Any] = {key: value}
    (network,) = networks_of(row("a", "latency", 0.5, **given))
    assert network["latency"] == 0.5
    assert network["device"] == (legible(value) if key == "device" else "cpu")


def test_a_case_that_was_run_again_counts_as_the_later() -> None:
    (network,) = networks_of(row("a", "latency", 1.0), row("a", "latency", 2.0))
    assert network["latency"] == 2.0


def test_a_measured_accuracy_comes_before_a_published_one() -> None:
    (network,) = networks_of(row("a", "top1_accuracy", 0.5), figures=[published("a", 0.7)])
    assert (network["top1"], network["top1_source"]) == (0.5, "measured")


def test_a_published_accuracy_names_its_source_in_the_order_asked_for() -> None:
    figures = [published("net", 0.1, "zoo"), published("net", 0.2, "torchvision"), published("net", 0.3, "bianco2018")]
    run = Run(HEADER, (row("a", "macs", 5, topology="net"),))
    first = frames.networks(run, iter(figures)).iloc[0]
    assert (first["top1"], first["top1_source"]) == (0.3, "bianco2018")
    other = frames.networks(run, figures, source_order=("zoo",)).iloc[0]
    assert (other["top1"], other["top1_source"]) == (0.1, "zoo")


@pytest.mark.parametrize("provider", ["timm", "torchvision"])
def test_an_entry_of_a_providers_suite_meets_the_figures_of_that_provider_alone(provider: str) -> None:
    figures = [published("resnet50", 0.1), published("timm:resnet50", 0.2), published("torchvision:resnet50", 0.3)]
    (network,) = networks_of(row("resnet50", "macs", 5, topology=f"{provider}:resnet50"), figures=figures)
    assert network["top1"] == {"timm": 0.2, "torchvision": 0.3}[provider]


def test_an_accuracy_at_another_input_size_is_not_ours() -> None:
    figures = [published("a", 0.8, input_size=320), published("a", 0.7, "zoo", input_size=224)]
    (network,) = networks_of(row("a", "macs", 5, input_shape=[3, 224, 224]), figures=figures)
    assert (network["top1"], network["top1_source"]) == (0.7, "zoo")


def test_ten_crops_come_after_one_crop_of_the_same_source() -> None:
    figures = [published("a", 0.8, note="10-crop"), published("a", 0.7, note="1-crop"), published("a", 0.6, "zoo")]
    (network,) = networks_of(row("a", "macs", 5), figures=figures)
    assert network["top1"] == 0.7


def test_an_input_that_is_no_image_takes_any_published_accuracy() -> None:
    (network,) = networks_of(
        row("a", "macs", 5, input_shape={"ids": [7]}), figures=[published("a", 0.7, input_size=224)]
    )
    assert network["top1"] == 0.7


def test_a_network_shows_the_worst_of_its_counts_wherever_they_were_made() -> None:
    found = networks_of(
        row("a", "macs", 5, verdicts=(verdict("deviates"),)),
        row("a", "latency", 1.0, device="cuda:0", verdicts=(verdict("passed"),)),
        row("a", "latency", 1.0, device="mps", verdicts=(verdict("regressed"),)),
    )
    assert {n["device"]: n["worst"] for n in found} == {"cuda:0": "deviates", "mps": "regressed"}


def test_a_network_of_several_inputs_is_named_with_their_sides() -> None:
    rows = [row("a", "macs", 4, input_shape=[3, 192, 192]), row("a", "macs", 7, input_shape=[3, 224, 224])]
    networks = frames.networks(Run(HEADER, (*rows, row("b", "macs", 5), row("b", "latency", 0.5, batch_size=8))))
    assert frames.labels(networks) == ["a @192", "a @224", "b"]
    assert frames.labels(networks.iloc[:0]) == []


def test_an_empty_run_has_empty_frames_with_all_columns() -> None:
    empty = Run({}, ())
    assert list(frames.cases(empty).columns) == list(frames.CASE_COLUMNS)
    assert list(frames.verdicts(empty).columns) == list(frames.VERDICT_COLUMNS)
    assert list(frames.networks(empty).columns) == list(frames.NETWORK_COLUMNS)


def test_a_row_with_little_in_it_is_read() -> None:
    run = Run({}, ({"architecture": "a", "metric": "macs", "value": 3},))
    assert frames.cases(run).iloc[0]["topology"] == "a"
    assert frames.networks(run).iloc[0]["macs"] == 3.0


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("two\nlines\tand  spaces", "two lines and spaces"),
        ("bell\x07", "bell\ufffd"),
        ("half \ud800 pair", "half \ufffd pair"),
        ("\u202elive", "\ufffdlive"),
        (None, ""),
        (3, "3"),
    ],
)
def test_text_becomes_what_a_document_can_carry(given: object, expected: str) -> None:
    assert legible(given) == expected


def test_csv_holds_every_number_unrounded() -> None:
    third = 1 / 3
    run = Run(
        HEADER,
        (
            row("a", "latency", third),
            row("b", "macs", 4_089_184_256),
            row("c", "macs", status="failed", message='x,"y"'),
        ),
    )
    table = list(csv.DictReader(io.StringIO(frames.csv_text(frames.cases(run)))))
    assert [line["value"] for line in table] == ["0.3333333333333333", "4089184256", ""]
    assert float(table[0]["p90"]) == third
    assert table[2]["message"] == 'x,"y"'
    assert table[0]["input_shape"] == "[3, 224, 224]"


def test_csv_tells_nothing_from_zero() -> None:
    frame = pd.DataFrame({"a": [0.0, None, float("nan")]}, dtype=object)
    assert frames.csv_text(frame).splitlines() == ["a", "0.0", '""', '""']


@pytest.mark.parametrize(("own", "other"), [("top1", "top5"), ("top5", "top1")])
def test_no_published_accuracy_stands_beside_a_measured_one(own: str, other: str) -> None:
    figures = [published("a", 0.7), published("a", 0.9, metric="top5_accuracy")]
    (found,) = networks_of(evaluated("a", "own images", 0.0, 40, f"{own}_accuracy"), figures=figures)
    assert (found[own], found[f"{own}_source"]) == (0.0, "measured")
    assert math.isnan(found[other])  # type: ignore[arg-type]
    assert (found[f"{other}_source"], found[f"{other}_data"]) == (None, None)


def test_rates_and_densities_of_nothing_are_nothing_and_not_absent() -> None:
    (found,) = networks_of(
        *(row("a", "throughput", 0.0), row("a", "latency", 0.5)),
        *(evaluated("a", "digits", 0.0, 360), row("a", "params", 10**6), row("a", "macs", 10**9)),
    )
    assert [found[key] for key in ("image_rate", "accuracy_density", "operation_density")] == [0.0, 0.0, 0.0]
