"""Published figures: what a good file yields, and what every bad one is told."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_archbench.baselines import BaselineError, Published, load, matching, read
from pytest_archbench.records import Architecture, Baseline, Conditions, Measurement

HEADER = """\
[source]
title = "A table"
address = "https://example.org"
obtained = "read from the page"
convention = "convolutions only"
licence = "MIT"

[reasons]
conv_only = "Fully connected layers are not counted."

[published]
figures = [
"""
FIGURE = (
    '  {architecture = "alexnet", metric = "macs", value = "0.66", unit = "G", input_size = 224, ref = "Fig. 1"},\n'
)
GOOD = HEADER + FIGURE + "]\n"


def write(directory: Path, text: str, name: str = "table.toml") -> Path:
    path = directory / name
    path.write_text(text, encoding="utf-8")
    return path


def figure(tmp_path: Path, **fields: object) -> Baseline:
    """The one figure of a file whose figure has ``fields`` beside or instead of AlexNet's 0.66 G."""
    merged = {"architecture": "alexnet", "metric": "macs", "value": "0.66", "unit": "G", "ref": "Fig. 1"} | fields
    pairs = ", ".join(
        f'{key} = "{value}"' if isinstance(value, str) else f"{key} = {value}" for key, value in merged.items()
    )
    _, figures = read(write(tmp_path, f"{HEADER}  {{{pairs}}},\n]\n"))
    (found,) = figures
    return found


def measured(metric: str = "macs", input_shape: object = (3, 224, 224), value: float = 1) -> Measurement:
    return Measurement("alexnet", metric, "x", "ok", Conditions("cpu", input_shape=input_shape), (value,))


def architecture(name: str = "alexnet", **fields: object) -> Architecture:
    return Architecture(name, "family", build=object, **fields)  # type: ignore[arg-type]


def test_it_reads_a_figure_with_half_a_unit_of_the_last_place_as_precision(tmp_path: Path) -> None:
    found = figure(tmp_path)
    assert (found.metric, found.value, found.precision, found.unit) == ("macs", 0.66e9, 0.005e9, "MAC")
    assert (found.printed, found.printed_unit, found.source, found.reference) == ("0.66", "G", "table", "Fig. 1")
    assert found.convention == "convolutions only"


@pytest.mark.parametrize(
    ("fields", "metric", "value", "precision"),
    [
        ({"metric": "macs", "value": "2500", "unit": "M"}, "macs", 2.5e9, 0.5e6),
        ({"metric": "macs", "value": "497", "unit": "G", "batch_size": 128}, "macs", 497e9 / 128, 0.5e9 / 128),
        ({"metric": "flops", "value": "8.21", "unit": "G"}, "macs", 4.105e9, 0.0025e9),
        ({"metric": "flops", "value": "8.2", "unit": "G", "reading_error": "0.05"}, "macs", 4.1e9, 0.05e9),
        ({"metric": "params", "value": "61100840", "unit": "count"}, "params", 61100840, 0.5),
        ({"metric": "params", "value": "132863000", "unit": "count", "precision": "500", "note": "rounded"}, "params",
         132863000, 500),
        ({"metric": "top1_error", "value": "43.45", "unit": "percent"}, "top1_accuracy", 0.5655, 0.00005),
        ({"metric": "top5_accuracy", "value": "0.945", "unit": "fraction"}, "top5_accuracy", 0.945, 0.0005),
        ({"metric": "weights_file_size", "value": "233", "unit": "MiB"}, "model_size", 233 * 2**20, 2**19),
        ({"metric": "gpu_memory", "value": "0.92", "unit": "GiB"}, "peak_memory", 0.92 * 2**30, 0.005 * 2**30),
        ({"metric": "inference_time_per_image", "value": "1.28", "unit": "ms", "batch_size": 8}, "latency",
         0.01024, 4e-5),
        ({"metric": "step_time", "value": "5.235", "unit": "ms", "batch_size": 1024}, "latency", 0.005235, 5e-7),
        ({"metric": "throughput", "value": "194812.41", "unit": "images/s"}, "throughput", 194812.41, 0.005),
        ({"metric": "activations", "value": "11.11", "unit": "M"}, "activations", 11.11e6, 5e3),
    ],
)  # fmt: skip
def test_it_converts_to_our_metric_and_base_unit(
    tmp_path: Path, fields: dict[str, object], metric: str, value: float, precision: float
) -> None:
    found = figure(tmp_path, **fields)
    assert found.metric == metric
    assert found.value == pytest.approx(value, rel=1e-12)
    assert found.precision == pytest.approx(precision, rel=1e-12)


def test_it_attaches_a_known_deviation_with_the_text_of_its_reason(tmp_path: Path) -> None:
    found = figure(tmp_path, known="conv_only", expected=714188480)
    assert found.known is not None
    assert (found.known.reason, found.known.expected) == ("Fully connected layers are not counted.", 714188480)


def test_it_carries_figures_without_a_counterpart_and_makes_no_baseline_of_them(tmp_path: Path) -> None:
    text = GOOD.replace(FIGURE, FIGURE.replace("macs", "depth").replace('"G"', '"layers"'))
    source, figures = read(write(tmp_path, text))
    assert (source.figures, figures) == (1, [])


def test_it_groups_the_figures_of_all_sources_by_architecture_and_metric(tmp_path: Path) -> None:
    write(tmp_path, GOOD)
    write(tmp_path, GOOD.replace("A table", "Another").replace("0.66", "0.71"), "other.toml")
    published = load(tmp_path)
    assert set(published.sources) == {"table", "other"}
    assert [b.source for b in published.baselines["alexnet", "macs"]] == ["other", "table"]


BAD = {
    "a missing quote": (FIGURE.replace('"0.66"', '"0.66'), "not readable as TOML", "line 13"),
    "an unknown key": (FIGURE.replace("input_size", "inputsize"), ":13: inputsize", "did you mean input_size?"),
    "a wrong type": (FIGURE.replace("224", '"224"'), ":13: input_size", "expected int"),
    "a boolean for a number": (FIGURE.replace("224", "true"), ":13: input_size", "expected int"),
    "an input of nothing": (FIGURE.replace("224", "0"), ":13: input_size", "at least 1"),
    "a missing key": (FIGURE.replace(', ref = "Fig. 1"', ""), ":13: ref", "the key is required"),
    "an empty text": (FIGURE.replace('"Fig. 1"', '""'), ":13: ref", "leave the key out"),
    "a number with marks": (FIGURE.replace('"0.66"', '"~0.66"'), ":13: value", "into the note"),
    "an unknown unit": (FIGURE.replace('"G"', '"GFLOPS"'), ":13: metric and unit", "macs GFLOPS"),
    "an unknown metric": (FIGURE.replace("macs", "mac"), ":13: metric and unit", "did you mean macs G"),
    "a time without its batch": (
        FIGURE.replace("macs", "inference_time_per_image").replace('"G"', '"ms"'), ":13: batch_size", "needs the batch",
    ),
    "an undefined reason": (
        FIGURE.replace("ref", 'known = "conv_onyl", expected = 1, ref'), ":13: known", "did you mean conv_only?",
    ),
    "a deviation without our value": (
        FIGURE.replace("ref", 'known = "conv_only", ref'), ":13: expected", "remove known",
    ),
    "our value without a reason": (FIGURE.replace("ref", "expected = 1, ref"), ":13: known", "remove expected"),
    "an unexplained precision": (FIGURE.replace("ref", 'precision = "1", ref'), ":13: note", "add note"),
    "a contradiction": (FIGURE + FIGURE.replace("0.66", "0.71"), ":14: value", "line 13 has another value, '0.66'"),
    "a repetition": (FIGURE + FIGURE, ":14: value", "line 13 has the same figure already"),
    "two figures on a line": (FIGURE.rstrip("\n") + FIGURE, ":12: figures", "one figure per line"),
    "a figure on two lines": ('  {architecture = "a", \n metric = "macs"},\n', "13", "line"),
    "a figure that is none": ("  4,\n", "figures", "one { ... } per line"),
}  # fmt: skip


@pytest.mark.parametrize(("body", "where", "what"), BAD.values(), ids=BAD)
def test_it_refuses_a_bad_figure_with_file_line_key_and_advice(
    tmp_path: Path, body: str, where: str, what: str
) -> None:
    path = write(tmp_path, f"{HEADER}{body}]\n")
    with pytest.raises(BaselineError) as caught:
        load(tmp_path)
    message = str(caught.value)
    assert str(path) in message
    assert where in message
    assert what in message


def test_it_numbers_the_lines_behind_comments_and_blank_lines(tmp_path: Path) -> None:
    body = f"{FIGURE}\n  # read again\n{FIGURE.replace('Fig. 1', 'Fig. 2').replace('0.66', '-')}"
    with pytest.raises(BaselineError, match=":16: value"):
        read(write(tmp_path, f"{HEADER}{body}]\n"))


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (GOOD.replace('licence = "MIT"\n', ""), ":1: licence: expected a value"),
        (GOOD.replace("licence", "license"), ":1: license: expected a known key"),
        (GOOD.replace('"MIT"', "1"), ":1: licence: expected str; got 1"),
        (GOOD.replace("[reasons]", "[reason]"), "did you mean reasons?"),
        (GOOD.replace('conv_only = "', 'conv_only = 1 # "'), ":8: conv_only: expected str"),
        ("", "source: expected a value"),
    ],
)
def test_it_refuses_a_bad_header(tmp_path: Path, text: str, what: str) -> None:
    with pytest.raises(BaselineError) as caught:
        read(write(tmp_path, text))
    assert what in str(caught.value)


def test_it_refuses_a_source_twice_a_bad_name_and_no_directory(tmp_path: Path) -> None:
    write(tmp_path, GOOD)
    write(tmp_path, GOOD, "tables.toml")
    with pytest.raises(BaselineError, match="merge the two files"):
        load(tmp_path)
    with pytest.raises(BaselineError, match="the name is the source id"):
        read(write(tmp_path, GOOD, "A Table.toml"))
    with pytest.raises(BaselineError, match="expected a directory"):
        load(tmp_path / "nowhere")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.one_of(
        st.text(), st.binary(), st.sampled_from(["[" * 5000, "a=" + "9" * 5000, "[source]\n[published]\nfigures=[]"])
    )
)
def test_any_file_gives_figures_or_a_baseline_error(tmp_path: Path, content: str | bytes) -> None:
    path = tmp_path / "any.toml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass"))
    _loads_or_refuses(tmp_path)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.integers(0, len(GOOD)),
    st.integers(0, 12),
    st.one_of(
        st.text(max_size=6),
        st.sampled_from([FIGURE, "\n", "}", "{", "[[", '"""', "0", "-1", "1e999", "{a={b=1}", "nan"]),
    ),
)
def test_any_mutation_of_a_good_file_gives_figures_or_a_baseline_error(
    tmp_path: Path, at: int, removed: int, inserted: str
) -> None:
    mutated = GOOD[:at] + inserted + GOOD[at + removed :]
    (tmp_path / "any.toml").write_bytes(mutated.encode("utf-8", "surrogatepass"))
    _loads_or_refuses(tmp_path)


def _loads_or_refuses(directory: Path) -> None:
    outcome: Published | BaselineError
    try:
        outcome = load(directory)
    except BaselineError as problem:
        outcome = problem
    assert isinstance(outcome, Published) or str(directory) in str(outcome)


def test_matching_asks_for_topology_metric_and_input_size(tmp_path: Path) -> None:
    body = FIGURE + FIGURE.replace("224", "192").replace("0.66", "0.5") + FIGURE.replace("macs", "params")
    write(tmp_path, f"{HEADER}{body}]\n")
    published = load(tmp_path)
    variant = architecture("alexnet_192", topology="alexnet", input_shape=(3, 192, 192))
    assert [b.printed for b in matching(published, architecture(), measured())] == ["0.66"]
    assert [b.printed for b in matching(published, variant, measured(input_shape=(3, 192, 192)))] == ["0.5"]
    assert matching(published, architecture("vgg16"), measured()) == []
    assert matching(published, architecture(), measured(input_shape=(3, 224, 192))) == []
    assert matching(published, architecture(), measured(input_shape={"tokens": (16,)})) == []


def test_matching_compares_a_figure_without_size_at_the_default_size_only(tmp_path: Path) -> None:
    write(tmp_path, GOOD.replace("input_size = 224, ", ""))
    published = load(tmp_path)
    entry = architecture(input_shape=(3, 227, 227))
    assert len(matching(published, entry, measured(input_shape=(3, 227, 227)))) == 1
    assert matching(published, entry, measured(input_shape=(3, 224, 224))) == []


def test_matching_compares_parameters_at_any_size_and_each_value_of_a_source_once(tmp_path: Path) -> None:
    params = FIGURE.replace("macs", "params").replace('"G"', '"M"').replace("0.66", "61.1")
    write(
        tmp_path,
        f"{HEADER}{params}{params.replace('224', '192')}{params.replace('224', '160').replace('61.1', '61')}]\n",
    )
    found = matching(load(tmp_path), architecture(), measured("params", input_shape=(3, 256, 256)))
    assert [(b.printed, b.input_size) for b in found] == [("61.1", 224), ("61", 160)]


def test_matching_prefers_parameters_at_the_very_size_where_a_source_has_them(tmp_path: Path) -> None:
    params = FIGURE.replace("macs", "params").replace('"G"', '"M"').replace("0.66", "86.6")
    write(tmp_path, f"{HEADER}{params}{params.replace('224', '384').replace('86.6', '86.9')}]\n")
    write(
        tmp_path, f"{HEADER.replace('A table', 'B')}{params.replace('224', '512').replace('86.6', '87')}]\n", "b.toml"
    )
    found = matching(load(tmp_path), architecture(), measured("params", input_shape=(3, 384, 384)))
    assert [(b.source, b.printed) for b in found] == [("b", "87"), ("table", "86.9")]


def test_matching_keeps_a_suites_names_and_topologies_apart(tmp_path: Path) -> None:
    write(tmp_path, GOOD)
    write(
        tmp_path, GOOD.replace("[source]", '[source]\nprovider = "timm"').replace("A table", "timm"), "timm_suite.toml"
    )
    published = load(tmp_path)
    suite_entry = architecture(provider="timm", suites=("timm",))
    catalogued = architecture(provider="timm")
    assert [b.source for b in matching(published, suite_entry, measured())] == ["timm_suite"]
    assert [b.source for b in matching(published, catalogued, measured())] == ["table"]


def test_reading_imports_neither_torch_nor_pandas() -> None:
    code = "import sys, pytest_archbench.judge; print([m for m in ('torch', 'pandas', 'numpy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
