"""The developer's tool behind the published figures: what a rule proves, and what a row becomes."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest

from pytest_archbench.records import Baseline

TOOLS = Path(__file__).parent.parent / "tools"


@pytest.fixture
def deviations(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(TOOLS))
    return importlib.import_module("deviations")


@pytest.fixture
def published_rows(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(TOOLS))
    return importlib.import_module("published_rows")


def macs(printed: str, architecture: str = "vgg16", note: str = "") -> Baseline:
    """A count printed in M."""
    half = 0.5 * 10.0 ** -len(printed.partition(".")[2])
    return Baseline(architecture, "macs", float(printed) * 1e6, half * 1e6, "MAC", printed, "M", "s", note=note)


COUNTED = {
    ("vgg16", 224): {"macs": 15_470_264_320, "conv": 15_346_630_656},
    ("densenet161", 224): {"macs": 7_727_907_072},
    ("densenet169", 224): {"macs": 3_359_843_328},
    ("inception_v3", 299): {"macs": 5_713_216_096},
    ("inception_v3", 224): {"macs": 2_837_920_832},
}


@pytest.mark.parametrize(
    ("rule", "printed", "architecture", "holds"),
    [
        ({"counts": {"conv": 1}}, "15347", "vgg16", True),
        ({"counts": {"conv": 1}}, "15300", "vgg16", False),
        ({"counts": {"conv": 1}, "digits": 3}, "15300", "vgg16", True),
        ({"counts": {"macs": 1}, "digits": 3}, "15300", "vgg16", False),
        ({"counts": {"macs": 1}, "rounding": "down"}, "15470.2", "vgg16", True),
        ({"counts": {"macs": 1}, "rounding": "down"}, "15470.3", "vgg16", False),
        ({"counts": {"macs": 1}, "rounding": "up"}, "15471", "vgg16", True),
        ({"counts": {"macs": 1}, "within": 0.01}, "15600", "vgg16", True),
        ({"counts": {"macs": 1}, "within": 0.001}, "15600", "vgg16", False),
        ({"counts": {"macs": 1}, "like": "densenet161"}, "7728", "densenet169", True),
        ({"counts": {"macs": 1}, "at": 299}, "5713", "inception_v3", True),
        ({"counts": {"macs": 1}, "at": 300}, "5713", "inception_v3", False),
        ({"change": [0.0, 0.01]}, "15500", "vgg16", True),
        ({"change": [0.01, 0.02]}, "15500", "vgg16", False),
        ({"change": [0.0, 0.01], "printed": ["15501"]}, "15500", "vgg16", False),
        ({"change": [0.0, 0.01], "note": "chart"}, "15500", "vgg16", False),
        ({"change": [0.0, 0.01], "architectures": ["resnet*"]}, "15500", "vgg16", False),
    ],
)
def test_a_rule_holds_where_its_recipe_gives_the_printed_value(
    deviations: Any, rule: dict[str, Any], printed: str, architecture: str, holds: bool
) -> None:
    made = deviations.Rule(source="s", metric="macs", id="i", text="because", **rule)
    ours = COUNTED[architecture, 224]["macs"]
    found = deviations.reason([made], macs(printed, architecture), 224, ours, lambda *key: COUNTED.get(key))
    assert (found is made) == holds


def test_a_rule_needs_one_kind_of_proof_and_one_text(deviations: Any, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="either counts or change"):
        deviations.Rule(source="s", metric="macs", id="i")
    head = '[[rule]]\nsource = "s"\nmetric = "macs"\nid = "i"\nchange = [0, 1]\n'
    for text in (head, f'{head}text = "a"\n{head}text = "b"\n'):
        path = tmp_path / "rules.toml"
        path.write_text(text, encoding="utf-8")
        with pytest.raises(ValueError, match="s i: expected one text"):
            deviations.rules(path)


ROW = {
    "source": "s", "source_ref": "Fig. 1", "architecture_as_named_by_source": "AlexNet", "architecture": "alexnet",
    "metric": "macs", "value": "0.66", "unit": "G", "batch_size": "", "device": "", "input_size": "224", "notes": "",
}  # fmt: skip


@pytest.mark.parametrize(
    ("row", "source", "expected"),
    [
        ({}, {}, {"named": "AlexNet", "value": "0.66", "input_size": 224}),
        ({"notes": "read, +-0.02"}, {"reading": [{"metric": "macs", "pattern": r"\+-([0-9.]+)"}]},
         {"reading_error": "0.02"}),
        ({"notes": "+-0.5 %", "value": "12.00"},
         {"reading": [{"metric": "*", "pattern": "([0-9.]+) %", "relative": True}]}, {"reading_error": "0.0600"}),
        ({"value": "132863000", "notes": "rounded to 6 significant digits"}, {}, {"precision": "500"}),
        ({"unit": "MB"}, {"megabyte": "MiB"}, {"unit": "MiB", "note": "printed in MB"}),
        ({"input_size": "480x640"}, {}, {"note": "input 480x640"}),
        ({"input_size": "224x224", "batch_size": "8"}, {}, {"input_size": 224, "batch_size": 8}),
    ],
)  # fmt: skip
def test_a_row_becomes_a_figure_as_printed(
    published_rows: Any, row: dict[str, str], source: dict[str, Any], expected: dict[str, Any]
) -> None:
    figure = published_rows.figure(ROW | row, source)
    assert {key: figure.get(key) for key in expected} == expected
    assert ("input_size" in figure) == ("480" not in row.get("input_size", ""))


def test_the_document_is_the_same_whatever_the_order_of_the_rows(published_rows: Any) -> None:
    figures = [
        published_rows.figure(ROW | {"metric": m, "input_size": s}, {}) for m in ("macs", "params") for s in ("", "9")
    ]
    documents = {
        published_rows.document({}, {}, published_rows.distinct(order)) for order in (figures, figures[::-1] * 2)
    }
    assert len(documents) == 1
