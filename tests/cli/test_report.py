"""archbench report: runs, published figures, both; what can be read of what is damaged; figures of one's own."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from shell import archbench, journal, latency, macs, row

from pytest_archbench import store

REPORTS = Path("reports") / store.JOURNAL


def networks(folder: Path) -> list[dict[str, str]]:
    with (folder / "networks.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_run_is_drawn_beside_its_journal(tmp_path: Path) -> None:
    journal(tmp_path / REPORTS, 1, macs(1814073344), latency(0.02))
    ran = archbench(tmp_path, "report")
    assert (ran.returncode, ran.stderr) == (0, "")
    *written, tables, folder = ran.stdout.splitlines()
    assert {"reports/index.html", "reports/summary.md"} <= set(written)
    assert tables == "reports/tables/ (1 file)"  # what was published of the network on other devices
    assert all((tmp_path / path).is_file() for path in written)
    drawn = [path.name for path in (tmp_path / "reports/figures").iterdir()]
    assert folder == f"reports/figures/ ({len(drawn)} files)"
    assert "time_networks.pdf" in drawn
    assert "ball_chart.pdf" not in drawn, "its parameters were not counted"


def test_published_figures_alone(tmp_path: Path) -> None:
    ran = archbench(tmp_path, "report", "--published=canziani2016")
    assert (ran.returncode, ran.stderr) == (0, "")
    rows = networks(tmp_path / "reports/canziani2016")
    assert len(rows) == 15
    assert {each["origin"] for each in rows} == {"canziani2016"}
    (resnet,) = (each for each in rows if each["architecture"] == "resnet50")
    # 75.78 % top-1 and 8.21 G operations, multiply and add counted apart
    assert float(resnet["macs"]) == pytest.approx(8.21e9 / 2, rel=0.01)
    assert resnet["family"] == "resnet"
    drawn = {path.stem for path in (tmp_path / "reports/canziani2016/figures").glob("*.svg")}
    assert {"ball_chart", "ball_chart_linear", "accuracy_density", "top1_networks", "top1_params"} <= drawn
    assert "time_networks" not in drawn


def test_a_run_and_published_figures_side_by_side(tmp_path: Path) -> None:
    journal(tmp_path / REPORTS, 1, macs(1814073344), latency(0.02))
    ran = archbench(tmp_path, "report", "reports", "--published", "bianco2018", "--out", "drawn")
    assert (ran.returncode, ran.stderr) == (0, "")
    rows = networks(tmp_path / "drawn")
    places = {(each["origin"], each["device"]) for each in rows if each["architecture"] == "resnet18"}
    assert places == {
        ("measured", "cpu"),
        ("bianco2018", "NVIDIA Titan X Pascal (Titan Xp), 3840 CUDA cores"),
        ("bianco2018", "NVIDIA Jetson TX1"),
    }


def test_several_runs_are_drawn_as_one(tmp_path: Path) -> None:
    journal(tmp_path / "old" / store.JOURNAL, 1, macs(1814073344), latency(0.02))
    journal(tmp_path / "new" / store.JOURNAL, 2, latency(0.01))
    journal(tmp_path / "other" / store.JOURNAL, 3, latency(0.03), torch="2.15.0")
    ran = archbench(tmp_path, "report", "old", "new", "--out=drawn")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert [(each["device"], each["latency"]) for each in networks(tmp_path / "drawn")] == [("cpu", "0.01")]
    archbench(tmp_path, "report", "old", "other", "--out=drawn")
    found = {each["device"]: each["latency"] for each in networks(tmp_path / "drawn")}
    assert found == {"cpu (night-01)": "0.02", "cpu (night-03)": "0.03"}


def test_of_a_damaged_journal_the_rest_is_drawn(tmp_path: Path) -> None:
    path = journal(tmp_path / REPORTS, 1, macs(1814073344), latency(0.02))
    path.write_text(path.read_text() + "\x1b[31mnoise\n" + json.dumps(row("params", "count", 5)) + "\n{}\n")
    ran = archbench(tmp_path, "report")
    assert ran.returncode == 1
    first, second = ran.stderr.splitlines()
    assert first.startswith("left out: ")
    assert "reports/measurements.jsonl:4: not a JSON object" in first
    assert "reports/measurements.jsonl:6: not a measurement (the key 'architecture' is missing)" in second
    assert "\x1b" not in ran.stderr
    (found,) = networks(tmp_path / "reports")
    assert (found["macs"], found["latency"], found["params"]) == ("1814073344.0", "0.02", "5.0")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"schema": 1, "run": "a"}\n', "no measurements: run pytest --archbench first"),
        ("", "no measurements: run pytest --archbench first"),
    ],
)
def test_an_empty_journal_says_so_and_gives_a_page(content: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "reports").mkdir()
    (tmp_path / REPORTS).write_text(content)
    ran = archbench(tmp_path, "report")
    assert ran.returncode == 1
    assert said in ran.stderr
    assert "This run has no measurements." in (tmp_path / "reports/index.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("name,value\n1,2\n", "reports/measurements.jsonl:1: not a JSON object"),
        ('{"architecture": "a"}\n', "this is not an archbench journal"),
        ('{"schema": 9, "run": "a"}\n', "expected schema 1; got 9; use the version that wrote it"),
    ],
)
def test_a_foreign_file_is_refused_in_one_sentence(content: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "reports").mkdir()
    (tmp_path / REPORTS).write_text(content)
    ran = archbench(tmp_path, "report")
    assert ran.returncode == 2
    assert said in ran.stderr
    assert "Traceback" not in ran.stderr
    assert [path.name for path in (tmp_path / "reports").iterdir()] == [store.JOURNAL]


def test_an_unknown_source_is_refused_with_a_suggestion(tmp_path: Path) -> None:
    ran = archbench(tmp_path, "report", "--published=bianco")
    assert ran.returncode == 2
    assert "--published: unknown source 'bianco': did you mean bianco2018" in ran.stderr
    assert list(tmp_path.iterdir()) == []


CONFTEST = """
def pytest_archbench_report(networks):
    return {"Median time by family": networks.groupby("family")["latency"].median()}
"""


def test_a_conftest_adds_a_table(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(CONFTEST)
    journal(tmp_path / REPORTS, 1, latency(0.02, family="resnet"))
    ran = archbench(tmp_path, "report")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert (tmp_path / "reports/tables/own_median_time_by_family.csv").read_text() == "family,latency\nresnet,0.02\n"
    assert "Median time by family" in (tmp_path / "reports/index.html").read_text(encoding="utf-8")


def test_a_conftest_may_import_what_lies_beside_it(tmp_path: Path) -> None:
    path = journal(tmp_path / REPORTS, 1, latency(0.02, family="resnet"))
    for folder in (tmp_path, tmp_path / "other"):
        folder.mkdir(exist_ok=True)
        (folder / "titles.py").write_text(f"TITLE = 'Median in {folder.name}'\n")
        ours = CONFTEST.replace('"Median time by family"', "titles.TITLE")
        (folder / "conftest.py").write_text(f"import titles\n{ours}")
    for given, folder in (((), tmp_path), (("--conftest=other/conftest.py",), tmp_path / "other")):
        ran = archbench(tmp_path, "report", *given)
        assert (ran.returncode, ran.stderr) == (0, "")
        assert f"Median in {folder.name}" in (path.parent / "index.html").read_text(encoding="utf-8")


def test_a_conftest_that_is_named_must_be_there(tmp_path: Path) -> None:
    journal(tmp_path / REPORTS, 1, latency(0.02))
    ran = archbench(tmp_path, "report", "--conftest=mine.py")
    assert ran.returncode == 2
    assert "'--conftest': File 'mine.py' does not exist." in ran.stderr
    assert not (tmp_path / "reports/index.html").exists()


@pytest.mark.parametrize("out", ["taken", "taken/below"])
def test_what_cannot_be_written_is_one_sentence(out: str, tmp_path: Path) -> None:
    journal(tmp_path / REPORTS, 1, latency(0.02))
    (tmp_path / "taken").write_text("a file")
    ran = archbench(tmp_path, "report", f"--out={out}")
    assert ran.returncode == 2
    assert f"Error: {out} cannot be written: " in ran.stderr
    assert ran.stderr.endswith("; name another folder with --out\n")
    assert "Traceback" not in ran.stderr


def test_a_conftest_that_fails_costs_its_own_figure_only(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text("def pytest_archbench_report(networks):\n    return 1 / 0\n")
    journal(tmp_path / REPORTS, 1, latency(0.02))
    ran = archbench(tmp_path, "report")
    assert ran.returncode == 1
    assert "pytest_archbench_report of conftest.py: ZeroDivisionError: division by zero" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert (tmp_path / "reports/figures/time_networks.png").is_file()
