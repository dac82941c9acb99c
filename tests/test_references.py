"""Reference devices: their file is read strictly, every device that is printed has a name, and none is a judge."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import tomli
from hypothesis import given
from hypothesis import strategies as st

import pytest_archbench.meters  # noqa: F401  the import enters the metrics
from pytest_archbench import references
from pytest_archbench.baselines import Published, load, matching
from pytest_archbench.judge import judge, verdicts
from pytest_archbench.records import Architecture, Baseline, Conditions, Measurement
from pytest_archbench.references import Reference, ReferenceDeviceError, find, packaged, spelt, texts
from pytest_archbench.registry import METRICS

BASELINES = Path(__file__).parents[1] / "baselines"
GOOD = """\
[devices.some-board]
model = "Some Board"
kind = "board"
source = "paper"
printed = ["Some Board, on battery"]
dtype = "float32"

[left_out]
"a GPU" = "no device is named"
"""
PRINTED = {("paper", "Some Board, on battery"), ("paper", "a GPU")}


@pytest.fixture(scope="module")
def published() -> Published:
    return load(BASELINES / "published")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "devices.toml"


def test_it_reads_a_device_with_what_its_source_states(path: Path) -> None:
    path.write_text(GOOD)
    found = references.load(path, PRINTED)
    expected = Reference("some-board", "Some Board", "board", "paper", ("Some Board, on battery",), dtype="float32")
    assert found.devices == (expected,)
    assert found.left_out == {"a GPU": "no device is named"}
    assert expected.conditions == "float32"
    assert replace(expected, dtype="", runtime="Caffe").conditions == "dtype not stated, Caffe"


TWIN = GOOD.replace("some-board", "other") + GOOD.partition("[left_out]")[0]


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("devices = [", None, "not readable as TOML"),
        ("boards = {}\n", 1, r"boards: expected a known key; got 'boards': .*known: devices, left_out"),
        ("[devices]\nnano = 3\n", 2, "devices.nano: expected a table; got 3"),
        (GOOD.replace("some-board", "Some_Board"), 1, "devices.Some_Board: expected lower-case letters and digits"),
        (GOOD.replace("dtype", "dtpye"), 6, "devices.some-board.dtpye: expected a known key; .*did you mean dtype"),
        (GOOD.replace('"float32"', "32"), 6, "devices.some-board.dtype: expected str; got 32"),
        (GOOD.replace('"float32"', '""'), 6, "devices.some-board.dtype: expected text; got ''"),
        (GOOD.replace('model = "Some Board"\n', ""), 1, "devices.some-board.model: expected a value; got None"),
        (GOOD.replace('"board"', '"bord"'), 3, "kind: expected gpu or board or cpu or phone; got 'bord': did you mean"),
        (GOOD.replace('["Some Board, on battery"]', "[]"), 5, r"printed: expected texts in a list; got \[\]"),
        (GOOD.replace('["Some Board, on battery"]', "[7]"), 5, r"printed: expected texts in a list; got \[7\]"),
        (
            GOOD.replace("on battery", "on mains"),
            5,
            "expected a text of paper; got 'Some Board, on mains': did you mean",
        ),
        (GOOD.replace('"paper"', '"papier"'), 5, "expected a text of papier; got"),
        (GOOD.replace('battery"]', 'battery", "a GPU"]'), 5, "expected a device; got 'a GPU': it is left out below"),
        (GOOD.replace('battery"]', 'battery", "Some Board, on battery"]'), 5, "expected a text once"),
        (TWIN, 14, "printed: expected a text once; got 'Some Board, on battery': other of paper has it already"),
        (GOOD.replace('"no device is named"', "1"), 9, "left_out.a GPU: expected str; got 1"),
    ],
)
def test_it_refuses_with_file_line_and_key(path: Path, text: str, line: int | None, said: str) -> None:
    path.write_text(text)
    where = f"{re.escape(str(path))}:{line}: " if line else f"{re.escape(str(path))}: "
    with pytest.raises(ReferenceDeviceError, match=where + ("" if line is None else ".*") + said):
        references.load(path, PRINTED)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ReferenceDeviceError, match=r"none\.toml: not readable"):
        references.load(tmp_path / "none.toml")


@given(st.one_of(st.text(max_size=60), st.lists(st.sampled_from(GOOD.splitlines(keepends=True))).map("".join)))
def test_any_text_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        found = references.load(path, PRINTED)
    except ReferenceDeviceError as refused:
        said = str(refused)
    else:
        said = f"{path}: read" if all(set(device.texts) <= PRINTED for device in found.devices) else ""
    assert str(path) in said


def raw() -> Iterator[tuple[str, str]]:
    """Every text that stands where a device is named, those of figures that have no counterpart included."""
    for path in (BASELINES / "published").glob("*.toml"):
        for figure in tomli.loads(path.read_text(encoding="utf-8"))["published"]["figures"]:
            if "device" in figure:
                yield path.stem, figure["device"]


def test_every_device_that_is_printed_has_a_name_or_a_reason_why_not(published: Published) -> None:
    known = packaged(texts(published.figures))
    named = {text for device in known.devices for text in device.texts}
    printed = set(raw())
    assert len(printed) >= 37
    assert named <= printed
    assert {text for _, text in printed - named} == set(known.left_out)


def test_a_name_is_that_of_one_device(published: Published) -> None:
    devices = packaged(texts(published.figures)).devices
    assert len({device.name for device in devices}) == len(devices)
    assert {device.source for device in devices} <= published.sources.keys()
    titan, tx1 = (find(devices, name) for name in ("Titan-XP", "jetson-tx1"))
    assert titan is not None
    assert tx1 is not None
    assert (titan.model, titan.kind, tx1.kind) == ("NVIDIA Titan Xp", "gpu", "board")
    assert find(devices, "titan") is None


def test_a_short_name_becomes_what_is_printed() -> None:
    board = Reference("some-board", "Some Board", "board", "paper", ("Board A", "Board B"))
    assert spelt([board], "some-board", {"Board B", "cpu"}) == "Board B"
    assert spelt([board], "some-board", {"some-board", "Board B"}) == "some-board", "what was measured is called so"
    assert spelt([board], "some-board", {"cpu"}) == "some-board"
    assert spelt([board], "cpu", {"cpu"}) == "cpu"


SAYING_SOMETHING = {"passed", "regressed", "improved", "deviates", "known deviation"}


def of_a_device(published: Published) -> list[Baseline]:
    return [figure for figure in published.figures if figure.device is not None]


def measurement(figure: Baseline, device: str, factor: float) -> tuple[Architecture, Measurement]:
    """The very network at the very input and batch size, as fast as printed or by a factor off."""
    size = figure.input_size or 224
    entry = Architecture(figure.architecture, "family", lambda: None, (3, size, size), topology=figure.architecture)
    conditions = Conditions(device, batch_size=figure.batch_size or 1, input_shape=(3, size, size))
    unit = METRICS[figure.metric].unit
    return entry, Measurement(entry.name, figure.metric, unit, "ok", conditions, (figure.value * factor,))


@pytest.mark.parametrize("device", ["cpu", "cuda:0", "jetson"])
@pytest.mark.parametrize("factor", [1.0, 10.0])
def test_no_measurement_is_judged_by_a_figure_of_another_device(
    published: Published, device: str, factor: float
) -> None:
    """Over all figures that name a device: none is found as a baseline, and given as one it is incomparable."""
    figures = [figure for figure in of_a_device(published) if figure.metric in METRICS]
    assert len(figures) > 2500
    for figure in figures:
        entry, measured = measurement(figure, device, factor)
        metric = METRICS[figure.metric]
        found = matching(published, entry, measured)
        assert [each for each in found if each.device is not None] == []
        assert not SAYING_SOMETHING & {each.outcome for each in verdicts(measured, found, metric)}
        assert judge(measured, figure, metric).outcome == "incomparable"


def test_what_else_names_a_device_is_no_metric_of_ours(published: Published) -> None:
    assert {figure.metric for figure in of_a_device(published)} - set(METRICS) == {"constrained_rank"}
