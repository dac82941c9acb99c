"""A history published: what asv is given and makes of it, what is left out, and that nothing is lost on the way."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from asv import util
from asv.benchmarks import Benchmarks
from asv.commands.publish import Publish
from asv.results import Results, iter_results
from pages_data import EVIL, Values, git, header, keep, kept, planted, point, project, publish

from pytest_archbench import history, nights, pages
from pytest_archbench.pages import Project, Published
from pytest_archbench.pages.commits import PagesError
from pytest_archbench.pages.results import config, written_at_once

ATOM = "{http://www.w3.org/2005/Atom}"
GOLDEN = Path(__file__).parent / "night.json"


@pytest.fixture(scope="module")
def year(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Published]:
    """The planted history, and where it is published."""
    folder = tmp_path_factory.mktemp("year")
    return folder / "pages", publish(planted(folder / "history"), folder / "pages")


def index(out: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((out / "html/index.json").read_text())
    return read


def regressions(out: Path) -> list[list[Any]]:
    read: list[list[Any]] = json.loads((out / "html/regressions.json").read_text())["regressions"]
    return read


def series(out: Path, benchmark: str, machine: str = "cpu") -> list[list[Any]]:
    """Of a benchmark the nights, each with its values in the order of the networks."""
    path = out / f"html/graphs/branch-main/machine-{machine}/{benchmark}.json"
    read: list[list[Any]] = json.loads(path.read_text())
    return read


def hashes(out: Path) -> list[str]:
    return git(out / "repository", "rev-list", "--reverse", "main").split()


def everything(out: Path) -> dict[str, bytes]:
    files = (path for path in sorted(out.rglob("*")) if path.is_file() and "repository" not in path.parts)
    return {str(path.relative_to(out)): path.read_bytes() for path in files if path.name != "info.json"}


def test_planted_steps_are_regressions_and_no_other(year: tuple[Path, Published]) -> None:
    """Each at the commit of its night, counted from 0: a fifth slower, 1000 of 6e9 operations, a third more errors."""
    found = {
        name: (round(now / best, 3), [jump[:2] for jump in jumps])
        for name, *_, now, best, jumps in regressions(year[0])
    }
    assert found == {
        "latency.bs1('net03') cpu": (pytest.approx(1.2, abs=0.01), [[None, 12]]),
        "macs.bs1('net05') cpu": (1.0, [[None, 8]]),
        "top1_error.bs1('net07') cpu": (1.333, [[None, 16]]),
    }


def test_planted_steps_are_in_the_feed_with_links(year: tuple[Path, Published]) -> None:
    out, _ = year
    entries = ET.parse(out / "html/regressions.xml").getroot().findall(f"{ATOM}entry")
    titles = [str(entry.findtext(f"{ATOM}title")).partition("% ")[2] for entry in entries]
    assert titles == ["top1_error.bs1('net07') cpu", "latency.bs1('net03') cpu", "macs.bs1('net05') cpu"]
    assert f'<a href="night.html#{hashes(out)[12]}">' in str(entries[1].findtext(f"{ATOM}content"))


def test_a_step_that_came_with_another_torch_is_one_series(year: tuple[Path, Published]) -> None:
    """A version among the parameters of a result would begin every series anew at the night of its change."""
    assert {tuple(result.params) for result in iter_results(str(year[0] / "results"))} == {("machine",)}
    assert sorted(each["machine"] for each in index(year[0])["graph_param_list"]) == ["cpu", "cuda:0"]
    assert [revision for revision, _ in series(year[0], "latency.bs1")] == list(range(26))


def test_parameters_are_not_called_what_the_legend_drops(year: tuple[Path, Published]) -> None:
    names = {name for each in index(year[0])["benchmarks"].values() for name in each["param_names"]}
    assert names == {"model"}
    assert not names & {"os", "cpu", "arch", "ram"}


def test_every_value_is_there_unrounded_but_those_in_doubt(year: tuple[Path, Published]) -> None:
    out, made = year
    assert (made.nights, made.series, made.values) == (26, 92, 26 * 92 - 1)
    assert made.left_out == ("1 × measured on a disturbed machine",)
    assert [revision for revision, values in series(out, "latency.bs1") if values[2] is None] == [19]
    assert series(out, "macs.bs1")[0][1][4:6] == [5 * 1_000_000_007, 6 * 1_000_000_007]


def test_a_device_has_what_it_measured_alone(year: tuple[Path, Published]) -> None:
    assert len(series(year[0], "latency.bs8", "cuda_0")[0][1]) == 2
    assert not (year[0] / "html/graphs/branch-main/machine-cuda_0/latency.bs1.json").exists()


def test_a_threshold_is_the_metrics_tolerance(year: tuple[Path, Published], monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, float] = {}
    monkeypatch.setattr(Publish, "run", lambda made, **_: seen.update(made.regressions_thresholds))
    with pytest.raises(OSError, match=r"index\.html"):
        publish(kept(year[0].parent / "one", [{("a", "latency"): 1.0, ("a", "macs"): 2}]), year[0].parent / "none")
    assert seen == {r"latency\.bs1\(": 0.04, r"macs\.bs1\(": 0.0}


def test_the_repository_tells_what_changed(year: tuple[Path, Published]) -> None:
    out, _ = year
    changed = git(out / "repository", "diff", "-U0", f"{hashes(out)[11]}..{hashes(out)[12]}", "--", "devices/cpu.json")
    lines = [line for line in changed.splitlines() if line[0] in "+-" and "torch" in line]
    assert lines == ['-  "packages.torch": "2.15.0",', '+  "packages.torch": "2.16.0",']
    assert git(out / "repository", "show", "-s", "--format=%s %at", hashes(out)[0]) == "night-01 1767236400"


def test_a_night_as_asv_keeps_it(tmp_path: Path) -> None:
    """The golden file was read field by field when it was written; it changes with asv's format, or with ours."""
    values: Values = {("alexnet", "latency"): 0.125, ("resnet18", "latency"): 0.1, ("alexnet", "macs"): 714188480}
    values = {**values, ("alexnet", "top1_accuracy"): 0.5625}
    publish(kept(tmp_path / "history", [values]), tmp_path / "pages")
    (path,) = (each for each in (tmp_path / "pages/results/cpu").iterdir() if each.name != "machine.json")
    assert json.loads(path.read_text()) == json.loads(GOLDEN.read_text())
    read = Results.load(str(path), machine_name="cpu")
    assert read.get_result_value("latency.bs1", [["'resnet18'", "'alexnet'", "'vgg16'"]]) == [0.1, 0.125, None]
    assert {**Benchmarks.load(config(tmp_path / "pages", "x", ""))}.keys() == {
        "latency.bs1",
        "macs.bs1",
        "top1_error.bs1",
    }


@pytest.mark.parametrize("version", [None, 2])
@pytest.mark.parametrize("compact", [True, False])
def test_files_are_written_at_once_as_asv_writes_them(tmp_path: Path, version: int | None, compact: bool) -> None:
    data = {"größe": [1, 0.1, None, 10**20, "'a'"], "b": {"c": []}}
    util.write_json(str(tmp_path / "theirs"), data, version, compact=compact)
    with written_at_once():
        util.write_json(str(tmp_path / "new/ours"), data, version, compact=compact)
    assert (tmp_path / "new/ours").read_bytes() == (tmp_path / "theirs").read_bytes()
    assert "version" not in data


def test_the_same_nights_give_the_same_pages(tmp_path: Path) -> None:
    folder = kept(tmp_path / "history", [{("a", "latency"): 1.0}, {("a", "latency"): 2.0}])
    publish(folder, tmp_path / "one")
    publish(folder, tmp_path / "two")
    publish(folder, tmp_path / "two")
    assert everything(tmp_path / "one") == everything(tmp_path / "two")
    before = hashes(tmp_path / "one")
    keep(folder, header(3), [point("a", "latency", 3.0, header(3))])
    publish(folder, tmp_path / "one")
    assert hashes(tmp_path / "one")[:2] == before == hashes(tmp_path / "two")
    assert series(tmp_path / "one", "latency.bs1") == [[0, [1.0]], [1, [2.0]], [2, [3.0]]]


def test_a_night_that_is_mended_or_taken_away_is_noticed(tmp_path: Path) -> None:
    folder = kept(tmp_path / "history", [{("a", "latency"): 1.0}, {("b", "latency"): 2.0}, {("a", "latency"): 3.0}])
    publish(folder, tmp_path / "pages")
    nights = sorted((folder / "nights/cpu").iterdir())
    nights[1].unlink()
    nights[2].unlink()
    keep(folder, header(3), [point("a", "latency", 4.0, header(3))])
    publish(folder, tmp_path / "pages")
    assert series(tmp_path / "pages", "latency.bs1") == [[0, [1.0]], [1, [4.0]]]
    assert len(list((tmp_path / "pages/results/cpu").iterdir())) == 2 + 1


def test_two_devices_of_one_night_have_two_entries_in_the_feed(tmp_path: Path) -> None:
    for number in range(1, 13):
        told = header(number)
        seconds = 1.0 if number < 7 else 1.5
        points = [point("a", "latency", seconds + number % 2 / 100, told, device=name) for name in ("cpu", "cuda")]
        keep(tmp_path / "history", told, points)
    publish(tmp_path / "history", tmp_path / "pages")
    entries = ET.parse(tmp_path / "pages/html/regressions.xml").getroot().findall(f"{ATOM}entry")
    assert len({entry.findtext(f"{ATOM}id") for entry in entries}) == 2
    assert {str(entry.findtext(f"{ATOM}title"))[-4:] for entry in entries} == {" cpu", "cuda"}


def test_what_goes_wrong_midway_leaves_the_pages_as_they_were(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = kept(tmp_path / "history", [{("a", "latency"): 1.0}])
    publish(folder, tmp_path / "pages")
    before = everything(tmp_path / "pages")
    keep(folder, header(2), [point("a", "latency", 2.0, header(2))])
    monkeypatch.setattr(pages.leaves, "page", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        publish(folder, tmp_path / "pages")
    assert everything(tmp_path / "pages") == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["history", "pages"]


def test_a_folder_of_other_files_is_never_replaced(tmp_path: Path) -> None:
    folder = kept(tmp_path / "history", [{("a", "latency"): 1.0}])
    (tmp_path / "home").mkdir()
    (tmp_path / "home/thesis.tex").write_text("years of work")
    with pytest.raises(PagesError, match="home: expected a new folder or one with pages; got other files"):
        publish(folder, tmp_path / "home")
    assert (tmp_path / "home/thesis.tex").read_text() == "years of work"
    with pytest.raises(PagesError, match=r"thesis\.tex: expected a new folder"):
        publish(folder, tmp_path / "home/thesis.tex")
    (tmp_path / "empty").mkdir()
    assert publish(folder, tmp_path / "empty").nights == 1


def test_what_asv_would_leave_out_without_a_word_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It skips what it cannot place with a warning, and exits with 0."""
    folder = kept(tmp_path / "history", [{("a", "latency"): 1.0}])
    monkeypatch.setattr(pages.results, "save_machine", lambda *_: None)
    with pytest.raises(PagesError, match=r"asv left out 3 parts of its results: the first: Skipping results"):
        publish(folder, tmp_path / "pages")
    assert not (tmp_path / "pages").exists()


def test_an_empty_folder_has_nothing_to_publish(tmp_path: Path) -> None:
    (tmp_path / "history").mkdir()
    with pytest.raises(PagesError, match=r"history: expected nights to publish; got none; measure one"):
        publish(tmp_path / "history", tmp_path / "pages")


def test_one_night_is_published(tmp_path: Path) -> None:
    publish(kept(tmp_path / "history", [{("a", "latency"): 1.0}]), tmp_path / "pages")
    assert series(tmp_path / "pages", "latency.bs1") == [[0, [1.0]]]
    assert regressions(tmp_path / "pages") == []


@pytest.fixture
def damaged(tmp_path: Path) -> Path:
    """Six nights: good, none that is known, before the epoch, in the future, broken, good."""
    folder = tmp_path / "history"
    future = datetime(datetime.now(timezone.utc).year + 2, 1, 1, tzinfo=timezone.utc)
    early = datetime(1969, 12, 31, tzinfo=timezone.utc)
    for told, metric in (
        (header(0, started=early), "latency"),
        (header(1), "latency"),
        (header(2), "speediness"),
        (header(5), "latency"),
        (header(6, started=future), "latency"),
    ):
        stamp = datetime.fromisoformat(told["started"]).strftime(nights.STAMP)
        # past nights.keep, which refuses a clock that is not set
        path = folder / f"nights/cpu/{stamp}-{told['run']}{nights.ENDING}"
        nights.write(path, told, [point("a", metric, 1.0, told)])
    (folder / "nights/cpu/20260104T030000Z-night-04.json.gz").write_bytes(b"half a night")
    return folder


def test_what_is_damaged_is_named_and_the_rest_published(damaged: Path, tmp_path: Path) -> None:
    made = publish(damaged, tmp_path / "pages")
    assert made.nights == 2
    said = "\n".join(made.left_out)
    assert len(made.left_out) == 5, said
    for part in (
        "night-04.json.gz: expected a kept night; it is damaged",
        "night-06.json.gz: started",
        "night-00.json.gz: started 1969-12-31T00:00:00+00:00, when the clock was not set",
        "night-02.json.gz: no value in it can be published",
        "1 × speediness: a metric that this version does not know",
    ):
        assert part in said


def test_missing_nights_and_renamed_devices_are_remarked(tmp_path: Path) -> None:
    folder = tmp_path / "history"
    for number in (1, 2, 3, 4, 6, 7):
        told = header(number)
        keep(folder, told, [point("a", "latency", 1.0, told, device="cpu" if number < 6 else "epyc")])
    made = publish(folder, tmp_path / "pages")
    assert [line.partition(":")[0] for line in made.remarks] == ["cpu"]
    assert made.remarks[0].endswith(f"if it was renamed, run archbench history rename {folder} cpu epyc")
    joined = publish(folder, tmp_path / "pages", None, cpu="epyc", gpu="cuda")
    assert joined.remarks[0] == "--renamed 'gpu=cuda': none of the nights that were read has a device 'gpu'"
    assert joined.remarks[1:] == ("epyc: 1 night missing between 2026-01-04 and 2026-01-06 (usual interval: 1 d)",)
    assert len(series(tmp_path / "pages", "latency.bs1", "epyc")) == 6


def test_hostile_names_are_published_and_harmless(tmp_path: Path) -> None:
    names = [EVIL, "../../up", "a,b", "100%", "größe", "x" * 300, "'", "nan", "None"]
    for number in (1, 2):
        told = header(number, run=f"run {number} {EVIL}", commit="--output=/tmp/x")
        told["devices"] = {EVIL: {"model": EVIL, EVIL: EVIL}}
        points = [point(name, "latency", 1.0, told, device=EVIL) for name in names]
        points += [point("a", "latency", 1.0, told, device=name) for name in ("../up", "benchmarks.json", "summary")]
        keep(tmp_path / "history", told, points)
    made = publish(tmp_path / "history", tmp_path / "pages")
    assert (made.nights, made.values) == (2, 2 * (len(names) + 3))
    for path in (tmp_path / "pages/html").glob("*.[jhx]*"):
        if path.name in ("index.json", "night.html", "regressions.json"):
            assert "<img src=x" not in path.read_text(encoding="utf-8")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["history", "pages"]
    assert len(index(tmp_path / "pages")["params"]["machine"]) == 4


def test_a_device_of_which_nothing_can_be_published_is_no_machine(tmp_path: Path) -> None:
    told = header(1)
    keep(tmp_path / "history", told, [point("a", "latency", 1.0, told), point("a", "zeal", 1.0, told, device="cuda")])
    publish(tmp_path / "history", tmp_path / "pages")
    assert index(tmp_path / "pages")["machines"].keys() == {"cpu"}


def test_two_devices_never_share_a_graph(tmp_path: Path) -> None:
    told = header(1)
    keep(tmp_path / "history", told, [point("a", "latency", 1.0, told, device=name) for name in ("cuda:0", "cuda_0")])
    with pytest.raises(PagesError, match="devices 'cuda:0' and 'cuda_0' would have their graphs in one file: run "):
        publish(tmp_path / "history", tmp_path / "pages")


def test_a_header_that_is_nested_beyond_reason_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From Python 3.12 on JSON is read to a depth at which our own functions cannot follow."""

    def shallow(facts: Mapping[str, Any]) -> dict[str, Any]:
        if "deep" in facts:
            raise RecursionError
        return dict(facts)

    monkeypatch.setattr(pages.leaves, "flat", shallow)
    for told in (header(1), header(2, environment={"deep": {}})):
        keep(tmp_path / "history", told, [point("a", "latency", 1.0, told)])
    made = publish(tmp_path / "history", tmp_path / "pages")
    assert made.nights == 1
    (said,) = made.left_out
    assert said.endswith("night-02.json.gz: its header is nested deeper than any run writes it")


def test_a_git_that_we_are_called_from_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hook of git sets where its repository is, and every git that it calls would take that one."""
    project(tmp_path / "project", ["one"])
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "project/.git"))
    made = publish(kept(tmp_path / "history", [{("a", "latency"): 1.0}]), tmp_path / "pages")
    assert os.environ["GIT_DIR"] == str(tmp_path / "project/.git")
    monkeypatch.delenv("GIT_DIR")
    assert made.nights == 1
    assert git(tmp_path / "project", "rev-list", "--count", "--all") == "1"


def test_without_git_one_is_told_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PagesError, match="install git"):
        publish(kept(tmp_path / "history", [{("a", "latency"): 1.0}]), tmp_path / "pages")


def test_a_clock_that_went_backwards_leaves_an_ordered_history(tmp_path: Path) -> None:
    """Kept files are in the order of their names, which are of their starts, whenever they were written."""
    for number in (3, 1, 2):
        told = header(number)
        keep(tmp_path / f"{number}", told, [point("a", "latency", float(number), told)])
        folder = tmp_path / "history/nights/cpu"
        folder.mkdir(parents=True, exist_ok=True)
        for path in (tmp_path / f"{number}/nights/cpu").iterdir():
            shutil.copy(path, folder)
    publish(tmp_path / "history", tmp_path / "pages")
    assert series(tmp_path / "pages", "latency.bs1") == [[0, [1.0]], [1, [2.0]], [2, [3.0]]]


def test_two_runs_of_a_night_are_two_points(tmp_path: Path) -> None:
    for hour in (3, 4):
        told = header(1, run=f"run-{hour}", started=datetime(2026, 1, 1, hour, tzinfo=timezone.utc))
        keep(tmp_path / "history", told, [point("a", "latency", float(hour), told)])
    made = publish(tmp_path / "history", tmp_path / "pages")
    assert made.remarks == ("cpu: more than one run of the same cases on 2026-01-01 (run-3, run-4): each counts",)
    assert series(tmp_path / "pages", "latency.bs1") == [[0, [3.0]], [1, [4.0]]]


def test_only_the_last_nights_of_a_device_are_published(tmp_path: Path) -> None:
    folder = kept(tmp_path / "history", [{("a", "latency"): float(number)} for number in range(1, 6)])
    made = pages.publish(history.opened(folder), tmp_path / "pages", Project("x", folder), 2)
    assert made.nights == 2
    assert series(tmp_path / "pages", "latency.bs1") == [[0, [4.0]], [1, [5.0]]]


def test_a_link_to_pages_stays_a_link(tmp_path: Path) -> None:
    folder = kept(tmp_path / "history", [{("a", "latency"): 1.0}])
    (tmp_path / "link").symlink_to("www")
    for _ in range(2):
        assert publish(folder, tmp_path / "link").html == tmp_path / "link/html"
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "www/html/index.html").is_file()


def test_what_a_killed_process_left_is_taken_away_once_it_is_old(tmp_path: Path) -> None:
    folder = kept(tmp_path / "history", [{("a", "latency"): 1.0}])
    program = (
        "import os, sys\nfrom pathlib import Path\nfrom pytest_archbench import history, pages\n"
        "pages.site.publish = lambda *_: os.kill(os.getpid(), 9)\n"
        "pages.publish(history.opened(Path('history')), Path('pages'), pages.Project('x', Path()))"
    )
    killed = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, check=False)
    assert killed.returncode == -9, killed.stderr
    (left,) = tmp_path.glob(".pages.*")
    (tmp_path / ".pages.mine").mkdir()
    publish(folder, tmp_path / "pages")
    assert left.is_dir(), "somebody may be at work there"
    os.utime(left, (0, 0))
    os.utime(tmp_path / ".pages.mine", (0, 0))
    publish(folder, tmp_path / "pages")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".pages.mine", "history", "pages"]


@pytest.mark.slow
def test_a_year_of_every_network_is_published_in_a_minute_of_two_cores(tmp_path: Path) -> None:
    """The time itself is for a quiet machine to tell (``make race-history``): here it may take thrice as long."""
    race = Path(__file__).parents[2] / "tools/race_history.py"
    done = subprocess.run([sys.executable, str(race)], capture_output=True, text=True, check=False, cwd=tmp_path)
    seconds = re.search(r"publishing all +([\d.]+) s", done.stdout)
    megabytes = re.search(r"pages +([\d.]+) MB of 365 nights, 5,600 series", done.stdout)
    assert seconds is not None, done.stderr
    assert megabytes is not None, done.stderr
    assert float(seconds[1]) < 180
    assert float(megabytes[1]) < 50
    assert "planted steps found" in done.stdout
