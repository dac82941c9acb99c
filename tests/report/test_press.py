"""Many figures at once: the same files however many processes draw them, and whatever becomes of these."""

from __future__ import annotations

import pandas as pd
import pytest
from report_data import many, small

from pytest_archbench.report import frames, press
from pytest_archbench.report.figures import FIGURES
from pytest_archbench.report.palette import Style, looks
from pytest_archbench.report.press import Sheet, printed

Job = tuple[list[Sheet], pd.DataFrame, dict[str, Style]]


def job(frame: pd.DataFrame) -> Job:
    names = ("ball_chart", "accuracy_density", "params_networks")
    sheets = [Sheet(name, FIGURES[name].title, FIGURES[name](frame)) for name in names]
    return sheets, frame, looks(frame)


@pytest.fixture(scope="module")
def alone() -> tuple[Job, dict[str, bytes]]:
    """Three figures, and their files as one process draws them."""
    given = job(frames.networks(*small()))
    return given, printed(*given, processes=1)


def test_each_figure_is_a_file_of_each_kind_in_the_order_asked_for(alone: tuple[Job, dict[str, bytes]]) -> None:
    assert list(alone[1]) == [
        f"figures/{name}.{kind}"
        for name in ("ball_chart", "accuracy_density", "params_networks")
        for kind in ("png", "svg", "pdf")
    ]


@pytest.mark.parametrize("processes", [2, 7])
def test_any_number_of_processes_draws_the_same_bytes(processes: int, alone: tuple[Job, dict[str, bytes]]) -> None:
    given, files = alone
    assert list(printed(*given, processes=processes).items()) == list(files.items())


@pytest.mark.parametrize(
    "program", ["raise SystemExit(3)", "print('noise')", "import os; os.kill(os.getpid(), 9)", "import no_such_module"]
)
def test_what_another_process_fails_to_draw_is_drawn_here(
    program: str, alone: tuple[Job, dict[str, bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(press, "PROGRAM", program)
    given, files = alone
    assert printed(*given, processes=2) == files


def test_where_no_process_can_be_started_all_is_drawn_here(
    alone: tuple[Job, dict[str, bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    given, files = alone
    assert printed(*given, processes=2) == files


def test_a_process_that_hangs_is_not_waited_for(
    alone: tuple[Job, dict[str, bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(press, "PROGRAM", "import time; time.sleep(60)")
    monkeypatch.setattr(press, "LONGEST", 0.2)
    given, files = alone
    assert printed(*given, processes=2) == files


def test_little_to_draw_is_drawn_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 8)
    few, crowd = job(frames.networks(*small()))[0], job(frames.networks(*many(500, families=5)))[0]
    assert press._processes(few) == 1
    assert press._processes(crowd) == 3  # 1,500 marks, and three figures
    assert press._processes([]) == 1


def test_nothing_to_draw_is_no_file() -> None:
    assert printed([], frames.networks(*small()), {}) == {}
