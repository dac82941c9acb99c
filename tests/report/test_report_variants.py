"""Variants of a network in the report: each is told apart wherever it stands, and what is skipped is named as such."""

from __future__ import annotations

import re
from typing import Any

import pytest
from page_data import html_of
from report_data import EVIL, HEADER, Run, published, row

from pytest_archbench.registry import UnknownName
from pytest_archbench.report import constraints, frames, text
from pytest_archbench.report.choice import choose, failures, place
from pytest_archbench.report.columns import naming, remedy
from pytest_archbench.report.figures import FIGURES
from pytest_archbench.report.findings import findings, left_out
from pytest_archbench.report.tables import TABLES

PLAIN: dict[str, Any] = {}
HALF: dict[str, Any] = {"dtype": "bfloat16"}
ONNX: dict[str, Any] = {"runtime": "onnxruntime"}
BOTH: dict[str, Any] = {"dtype": "bfloat16", "runtime": "compile", "memory_format": "channels_last"}
NAMES = ["cpu", "cpu, bfloat16", "cpu, onnxruntime", "cpu, compile-bfloat16-channels_last"]
NO_ONNX: dict[str, Any] = {
    "status": "skipped",
    "message": "computes no bfloat16",
    "runtime": "onnxruntime",
    "dtype": "bfloat16",
}


def run(*more: dict[str, Any], device: str = "cpu") -> Run:
    """Two networks in four variants at two batch sizes; a fifth variant does not exist."""
    rows = [row(name, metric, value) for name in "ab" for metric, value in (("params", 5e6), ("macs", 1e9))]
    for number, variant in enumerate((PLAIN, HALF, ONNX, BOTH), 1):
        for name, seconds in (("a", 0.1), ("b", 0.2)):
            for size in (1, 4):
                there = {**variant, "batch_size": size, "device": device}
                rows += [row(name, "latency", seconds * size / number, **there)]
                rows += [row(name, "peak_memory", 2**30 / number, **there)]
    rows += [row(name, "latency", **NO_ONNX) for name in "ab"]
    return Run(HEADER, (*rows, *more))


def frame(*more: dict[str, Any]) -> Any:
    return frames.networks(run(*more), [published("a", 0.7), published("b", 0.6)])


def test_a_variant_is_a_device_of_its_own() -> None:
    networks = frame()
    here = networks[(networks["architecture"] == "a") & (networks["batch_size"] == 1)]
    assert here["device"].tolist() == NAMES
    assert here["latency"].tolist() == pytest.approx([0.1, 0.05, 0.1 / 3, 0.025])
    assert here["params"].tolist() == [5e6] * 4, "a count is the network's own"


def test_what_is_plain_is_called_as_ever() -> None:
    assert frames.variant({"dtype": "float32", "memory_format": "contiguous", "runtime": "eager"}) == ""
    assert frames.variant({"dtype": None, "memory_format": None, "runtime": float("nan")}) == "", "a published row"
    assert frames.variant({"dtype": "float64", "memory_format": None, "runtime": None}) == "", "a type of its own"


def test_what_was_skipped_makes_no_row_and_is_named_where_it_was_skipped() -> None:
    assert "cpu, onnxruntime-bfloat16" not in set(frame()["device"])
    assert findings(run()).skipped == {"computes no bfloat16 (cpu, onnxruntime-bfloat16)": 2}
    said = "2 × computes no bfloat16 (cpu, onnxruntime-bfloat16)"
    assert said in html_of(run())
    assert f"- {said}" in text.summary(run(), frame())


def test_a_variant_that_failed_is_named() -> None:
    lost = row("a", "latency", status="oom", message="2 GiB asked", device="cuda:0", **BOTH)
    said = text.summary(run(lost), frame(lost))
    assert "- **oom** `a`: 2 GiB asked (`latency`; cuda:0, compile-bfloat16-channels_last, batch 1)" in said


@pytest.mark.parametrize(
    "name", ["latency_operations", "top1_throughput", "time_networks", "time_batch", "memory_batch"]
)
def test_a_panel_holds_one_variant_and_says_which(name: str) -> None:
    networks = frame()
    panels = FIGURES[name](networks).panels
    for panel in panels:
        (device,) = set(networks.loc[list(panel.rows), "device"])
        assert panel.title.startswith(f"{device}, ")
    titles = {panel.title.removesuffix(", batch 1").removesuffix(", batch 4") for panel in panels}
    assert titles == {
        "cpu, float32, 1 thread, contiguous, eager",
        "cpu, bfloat16, 1 thread, contiguous, eager",
        "cpu, onnxruntime, float32, 1 thread, contiguous",
        "cpu, compile-bfloat16-channels_last, 1 thread",
    }


def test_figures_of_what_no_variant_changes_show_a_network_once() -> None:
    networks = frame()
    for name in ("ball_chart", "params_networks", "top1_networks"):
        (panel,) = FIGURES[name](networks).panels
        assert sorted(networks.loc[list(panel.rows), "architecture"]) == ["a", "b"]


def test_tables_and_lines_of_the_summary_name_it() -> None:
    networks = frame()
    titles = [found.title for found in TABLES["times"](networks)]
    assert "Time per image [ms/img]: cpu, compile-bfloat16-channels_last, 1 thread" in titles
    assert len(set(titles)) == len(titles) == 4
    lines = [line for line in text.summary(run(), networks).splitlines() if line.startswith("| `a` |")]
    assert len(set(lines)) == len(lines) == 8
    assert any("| cpu, bfloat16, batch 4 |" in line for line in lines)


def test_the_page_says_a_variant_once_and_whose_its_counts_are() -> None:
    page = html_of(run())
    heads = re.findall(r"<th scope=\"col\"[^>]*><button type=\"button\">([A-Za-z ]+)", page)
    assert heads[:4] == ["Network", "Family", "Device", "Batch"]
    assert not {"Dtype", "Memory format", "Runtime"} & set(heads)
    assert "counts and accuracies in its row are the network's own" in page
    assert "cpu; cpu, bfloat16; cpu, compile-bfloat16-channels_last; cpu, onnxruntime" in page
    plain = Run(HEADER, (row("a", "latency", 0.1), row("b", "latency", 0.1, dtype="float64")))
    assert "A variant stands beside" not in html_of(plain)
    assert ">Dtype<" in html_of(plain), "a type of its own is no variant, and a column where rows differ"


@pytest.mark.parametrize(
    ("asked", "found"),
    [("", "cpu"), ("cpu", "cpu"), ("CP", "cpu"), ("onnx", NAMES[2]), *zip(NAMES, NAMES, strict=True)],
)
def test_a_device_is_the_plain_one_unless_a_variant_is_named(asked: str, found: str) -> None:
    assert place(frame(), asked, 1) == found


def test_two_devices_with_variants_are_to_be_told_apart() -> None:
    gpu = row("a", "latency", 0.01, device="cuda:0")
    half = row("a", "latency", 0.005, device="cuda:0", **HALF)
    networks = frame(gpu, half)
    assert place(networks, "cuda", 1) == "cuda:0"
    assert place(networks, "cuda:0, bf", 1) == "cuda:0, bfloat16"
    with pytest.raises(UnknownName, match=r"there are 6 devices: name one of cpu; cpu, bfloat16; .*cuda:0, bfloat16"):
        place(networks, "", 1)
    with pytest.raises(UnknownName, match="'bfloat16' is a part of 2 names"):
        place(networks, "bfloat16", 1)


def test_a_choice_is_among_one_variant() -> None:
    found = choose(frame(), {"max_latency": 0.06}, NAMES[1], 1, failures(frames.cases(run())))
    assert [each.label for each in found.ranked] == ["a"]
    assert [each.label for each in found.excluded] == ["b"]
    assert found.ranked[0].conditions["dtype"] == "bfloat16"


SENSOR = "on cpu: energy, energy_above_idle, power (no sensor: nothing under powercap)"


def unmeasured(*said: object) -> Run:
    return Run({**HEADER, "left_out": list(said)}, run().rows)


def test_why_something_could_not_be_measured_stands_where_it_is_missed() -> None:
    page = html_of(unmeasured(SENSOR))
    assert f"Not measured: {SENSOR}." in page
    networks = frame()
    lacking = FIGURES["top1_energy"].lacking(networks, [SENSOR])
    assert lacking == f"Top-1 accuracy against energy per image: this run has no energy: {SENSOR}."
    assert "To measure" in FIGURES["top1_energy"].lacking(networks, ["on cpu: power (no sensor)"])
    command = next(line for line in page.splitlines() if 'id="absent"' in line)
    assert "energy" in command
    assert not re.search(r"archbench-metric=[^<]*energy", command)
    assert f"Not measured: {text.sentence(SENSOR)}." in text.summary(unmeasured(SENSOR), networks)


def test_a_sentence_speaks_of_a_metric_by_its_whole_name() -> None:
    assert naming(["energy"], [SENSOR, "on cpu: energy_above_idle (none)"]) == [SENSOR]
    assert naming([], [SENSOR]) == []
    assert remedy(["energy", "latency"], [SENSOR]).endswith("archbench-metric=latency`.")
    assert remedy(["energy"], [SENSOR]) == ""


def test_a_foreign_header_is_read_as_far_as_it_goes() -> None:
    assert left_out({}) == []
    assert left_out({"left_out": "all"}) == []
    assert left_out({"left_out": [1, None, "a `b`\x00"]}) == ["a 'b'\ufffd"]
    page = html_of(unmeasured(EVIL, *(f"reason {number} " + "x" * 900 for number in range(100))))
    assert EVIL not in page
    said = text.summary(unmeasured(*(f"reason {number} " + "x" * 900 for number in range(100))), frame())
    assert len(said.encode()) < text.LIMIT
    assert re.search(r"and \d+ more", said)


def test_a_type_is_not_another_whose_name_ends_alike() -> None:
    half = row("a", "latency", 0.07, dtype="float16")
    networks = frame(half)
    assert place(networks, "float16", 1) == "cpu, float16"
    assert place(networks, "bfloat16", 1) == "cpu, bfloat16"
    with pytest.raises(UnknownName, match="no network was measured on 'float16'"):
        place(frame(), "float16", 1)
    assert place(frame(row("a", "latency", 0.01, device="MyBoard")), "board", 1) == "MyBoard", "a part within a word"


def test_another_engine_is_not_lent_memory() -> None:
    silent = [row("a", "latency", 0.1, **variant) for variant in (PLAIN, ONNX)]
    gpu = [row("a", metric, value, device="cuda:0") for metric, value in (("latency", 0.01), ("peak_memory", 2**20))]
    networks = frames.networks(Run(HEADER, (*silent, *gpu)), [published("a", 0.7)])
    found = constraints.lent(networks).set_index("device")["peak_memory"]
    assert found["cpu"] == found["cuda:0"] == 2**20, "the same engine and type elsewhere"
    assert found.isna()["cpu, onnxruntime"]
    assert constraints.note(networks) == "cpu has no figures of memory: those of cuda:0 count."
    assert set(constraints.under_limits(networks, rates=[1.0])["device"]) == {"cpu", "cuda:0"}


def test_a_network_that_was_skipped_altogether_has_no_row() -> None:
    lost = row("checked", "latency", **NO_ONNX)
    networks = frame(lost)
    assert "checked" not in set(networks["architecture"])
    said = text.summary(run(lost), networks)
    assert "### Networks (2 in 16 rows)" in said
    assert "3 × computes no bfloat16 (cpu, onnxruntime-bfloat16)" in said
    found = choose(networks, {}, "cpu", 1, failures(frames.cases(run(lost))))
    assert [(each.label, each.reasons[0].sentence) for each in found.excluded] == [
        ("checked", "not measured on cpu at batch 1")
    ]


def test_a_choice_names_the_other_places_that_were_measured() -> None:
    assert choose(frame(), {}, "cpu, bfloat16", 1).elsewhere == (NAMES[0], NAMES[2], NAMES[3])
