"""Figures and tables that a user's conftests add to the report of a run."""

from __future__ import annotations

from pathlib import Path

import pytest
from lifecycle import NETS, bench, write

PROJECT = """
[tool.archbench]
suite = "user"
metric = "params"

[tool.archbench.architectures]
tiny = {factory = "mynets:tiny", input = [3, 32, 32], family = "mine"}
"""
OUTER = """
from matplotlib.figure import Figure


def pytest_archbench_report(networks):
    figure = Figure()
    figure.add_subplot().bar(networks["architecture"], networks["params"])
    networks["params"] = 0.0
    return {"Parameters of ours": figure}
"""
INNER = """
def pytest_archbench_report():
    return {"Notes": 7}
"""
SAME = """
def pytest_archbench_report(networks):
    return {"Families": networks["family"].value_counts()}
"""
TABLE = """
def pytest_archbench_report(networks):
    return {"Families": networks[["architecture", "family", "params"]]}
"""


def test_each_conftest_adds_its_own_and_one_that_fails_costs_no_other(tmp_path: Path) -> None:
    files = {"mynets.py": NETS, "pyproject.toml": PROJECT, "conftest.py": OUTER}
    write(tmp_path, files | {"more.py": TABLE, "same.py": SAME, "bad.py": INNER})
    ran = bench(tmp_path, "-p", "more", "-p", "same", "-p", "bad")
    assert ran.code == 1, ran.output  # all else is skipped: nothing was published of a network of one's own
    assert "Notes: expected a matplotlib Figure, a pandas DataFrame or Series" in ran.output
    assert "INTERNALERROR" not in ran.output
    reports = tmp_path / "reports"
    assert (reports / "figures/own_parameters_of_ours.pdf").read_bytes().startswith(b"%PDF")
    # The frame that the other function spoilt was a copy.
    families = {path.read_text() for path in (reports / "tables").glob("own_families*.csv")}
    assert families == {"architecture,family,params\ntiny,mine,162.0\n", "family,count\nmine,1\n"}
    page = (reports / "index.html").read_text(encoding="utf-8")
    assert "Parameters of ours" in page
    assert "Notes: expected" in page
    assert "reports/figures/ (" in ran.output
    assert "reports/figures/params_networks.svg" not in ran.output


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("raise KeyError('colour')", "KeyError: 'colour'"),
        ("return ['ab']", "TypeError: expected figures and tables by title; got list"),
    ],
)
def test_what_a_users_function_does_wrong_is_a_sentence(body: str, said: str, tmp_path: Path) -> None:
    conftest = f"def pytest_archbench_report(networks):\n    {body}\n"
    write(tmp_path, {"mynets.py": NETS, "pyproject.toml": PROJECT, "conftest.py": conftest})
    ran = bench(tmp_path)
    assert ran.code == 1
    assert f"conftest.py: {said}" in ran.output
    assert "INTERNALERROR" not in ran.output
    assert "Traceback" not in ran.output
    assert (tmp_path / "reports/figures/params_networks.png").is_file()


def test_a_fault_of_the_report_costs_no_verdict(tmp_path: Path) -> None:
    broken = "import pytest_archbench.report.text as text\n\ntext.summary = None\n"
    write(tmp_path, {"mynets.py": NETS, "pyproject.toml": PROJECT, "conftest.py": broken})
    ran = bench(tmp_path)
    assert ran.code == 1
    assert "the report cannot be drawn: TypeError: 'NoneType' object is not callable" in ran.output
    assert "is whole: keep it, and tell us" in ran.output
    assert "INTERNALERROR" not in ran.output
    assert [row["architecture"] for row in ran.rows] == ["tiny"]
