"""Networks chosen by the command, on journals with an answer worked by hand."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from shell import archbench, journal, row

from pytest_archbench import store
from pytest_archbench.bounds import BOUNDS
from pytest_archbench.cli import main
from pytest_archbench.cli.choosing import FOLDED_FROM

TITAN = "NVIDIA Titan X Pascal (Titan Xp), 3840 CUDA cores"


def network(name: str, seconds: float, memory: int, params: int, **changed: Any) -> list[dict[str, Any]]:
    """Latency, peak memory and parameters of a network; its published figures are those of its name."""
    named: dict[str, Any] = {"architecture": name, "topology": name}
    place = {key: changed.pop(key) for key in ("device", "batch_size") if key in changed}
    return [
        row("latency", "s", seconds, **named, **place, **changed),
        row("peak_memory", "B", memory, **named, **place, **changed),
        row("params", "count", params, **named, **changed),
    ]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """reports/ with three networks whose top-1 Bianco et al. published: 76.01, 69.64 (Table 1) and 56.62 %."""
    rows = [
        *network("resnet50", 0.05, 200 * 2**20, 25_557_032),
        *network("resnet18", 0.02, 100 * 2**20, 11_689_512),
        *network("alexnet", 0.015, 250 * 2**20, 61_100_840),
    ]
    journal(tmp_path / "reports" / store.JOURNAL, 1, *rows)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def recommend(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["recommend", *arguments])


def answer(*arguments: str) -> dict[str, Any]:
    ran = recommend(*arguments, "--format=json")
    assert (ran.exit_code, ran.stderr) == (0, "")
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


def ranking(*arguments: str) -> list[str]:
    return [each["network"] for each in answer(*arguments)["ranked"]]


def test_it_ranks_what_fits_and_says_why_the_rest_does_not(folder: Path) -> None:
    ran = archbench(folder, "recommend", "--device=cpu", "--max-latency=20ms", "--max-memory=240MiB")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.splitlines() == [
        "1 of 3 networks fits on cpu at batch 1: latency at most 20 ms, peak memory at most 240 MiB",
        "",
        "rank  network   top-1  from         latency  throughput  peak memory  parameters  operations",
        "                    %              ms/batch       img/s          MiB           M        GMAC",
        "   1  resnet18  69.64  bianco2018     20.00        50.0        100.0       11.69           -",
        "",
        "2 excluded:",
        "  alexnet   peak memory 250.0 MiB > 240 MiB",
        "  resnet50  latency 50.00 ms/batch > 20 ms",
    ]


@pytest.mark.parametrize(
    ("bound", "fitting"),
    [
        ("--max-latency=20ms", ["resnet18", "alexnet"]),
        ("--min-throughput=50", ["resnet18", "alexnet"]),
        ("--max-memory=200MiB", ["resnet50", "resnet18"]),
        ("--max-energy=100", []),
        ("--min-top1=69.64%", ["resnet50", "resnet18"]),
        ("--min-top1=0.7", ["resnet50"]),
        ("--min-top5=0.9", ["resnet50"]),
        ("--max-params=12M", ["resnet18"]),
        ("--max-macs=1G", []),
        ("--max-model-size=1GB", []),
    ],
)
def test_each_bound_bounds_its_quantity(folder: Path, bound: str, fitting: list[str]) -> None:
    assert ranking(bound) == fitting


def test_every_bound_has_a_test() -> None:
    (mark,) = test_each_bound_bounds_its_quantity.pytestmark  # type: ignore[attr-defined]
    assert {case[0].partition("=")[0] for case in mark.args[1]} == {bound.option for bound in BOUNDS.values()}


def test_where_nothing_fits_it_says_how_near_the_networks_come(folder: Path) -> None:
    lines = recommend("--max-latency=10ms", "--min-top1=75%").stdout.splitlines()
    assert lines[:4] == [
        "none of 3 networks fit on cpu at batch 1: latency at most 10 ms, top-1 at least 75 %",
        "  the lowest latency is 15.00 ms/batch (alexnet); 0 of 3 networks keep to 10 ms",
        "  the highest top-1 is 76.01 % (resnet50); 1 of 3 networks keep to 75 %",
        "",
    ]
    assert answer("--max-latency=10ms")["nearest"] == [lines[1].strip()]


def test_json_is_exact_and_has_bounds_and_conditions(folder: Path) -> None:
    found = answer("--max-latency=20ms", "--max-memory=240MiB")
    assert (found["device"], found["batch_size"]) == ("cpu", 1)
    assert found["bounds"] == [
        {"option": "--max-latency", "column": "latency", "value": 0.02, "unit": "s"},
        {"option": "--max-memory", "column": "peak_memory", "value": 240 * 2**20, "unit": "B"},
    ]
    (best,) = found["ranked"]
    assert (best["rank"], best["network"], best["origin"]) == (1, "resnet18", "measured")
    assert (best["latency"], best["throughput"], best["peak_memory"]) == (0.02, 50.0, 100 * 2**20)
    assert (best["top1"], best["top1_source"], best["macs"]) == (0.6964, "bianco2018", None)
    assert best["conditions"]["threads"] == 1
    assert [(each["network"], each["latency"], each["reasons"]) for each in found["excluded"]] == [
        ("alexnet", 0.015, ["peak memory 250.0 MiB > 240 MiB"]),
        ("resnet50", 0.05, ["latency 50.00 ms/batch > 20 ms"]),
    ]
    assert (found["units"]["latency"], found["units"]["peak_memory"]) == ("s", "B")


def test_csv_says_the_same(folder: Path) -> None:
    bounds = ("--max-latency=20ms", "--max-memory=240MiB")
    table = list(csv.DictReader(io.StringIO(recommend(*bounds, "--format=csv").stdout)))
    assert [(each["rank"], each["network"], each["reasons"]) for each in table] == [
        ("1", "resnet18", ""),
        ("", "alexnet", "peak memory 250.0 MiB > 240 MiB"),
        ("", "resnet50", "latency 50.00 ms/batch > 20 ms"),
    ]
    best = table[0]
    assert (float(best["latency"]), float(best["top1"]), best["macs"]) == (0.02, 0.6964, "")
    assert (best["device"], best["batch_size"], float(best["max_latency"])) == ("cpu", "1", 0.02)
    assert "min_top1" not in best


def test_many_excluded_are_counted_by_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rows = [each for place in range(FOLDED_FROM + 1) for each in network(f"n{place}", 0.01 + place / 1000, place, 1)]
    failed = row("latency", "s", architecture="huge")
    journal(tmp_path / "a.jsonl", 1, *rows, failed)
    bounds = ("--max-latency=10ms", "--max-memory=20B")
    assert recommend("a.jsonl", *bounds).stdout.splitlines()[-4:] == [
        "41 excluded (--all lists them):",
        "    40  latency > 10 ms",
        "    20  peak memory > 1.90735e-05 MiB",
        "     1  not measured on cpu at batch 1",
    ]
    listed = recommend("a.jsonl", *bounds, "--all").stdout.splitlines()
    assert len(listed) == 7 + 41
    assert listed[-1] == "  huge  not measured on cpu at batch 1 (oom: no room)"


def test_published_figures_stand_instead_of_a_run(folder: Path) -> None:
    # Bianco et al. 2018, Table 1: batch 1 on the Jetson TX1, and the accuracies of its Fig. 1.
    found = answer("--published=bianco2018", "--device=tx1", "--max-latency=16ms")
    assert found["device"] == "NVIDIA Jetson TX1"
    assert [(each["network"], each["latency"], each["origin"]) for each in found["ranked"]] == [
        ("mobilenet_v1_100", 0.01506, "bianco2018"),
        ("squeezenet1_1", 0.01105, "bianco2018"),
    ]
    assert len(found["ranked"]) + len(found["excluded"]) == 44


def test_published_figures_stand_beside_a_run(folder: Path) -> None:
    both = ("reports", "--published=bianco2018", "--published=bianco2018")
    assert ranking(*both, "--device=cpu") == ["resnet50", "resnet18", "alexnet"]
    assert ranking(*both, "--device=titan xp", "--max-latency=1.6ms") == ["squeezenet1_1", "squeezenet1_0", "alexnet"]
    said = recommend(*both).stderr
    assert f"there are 3 devices: name one of NVIDIA Jetson TX1; {TITAN}; cpu" in said


def test_a_batch_size_has_its_own_list(folder: Path) -> None:
    journal(folder / "b.jsonl", 2, *network("resnet18", 0.1, 5, 5, batch_size=8), *network("alexnet", 0.1, 5, 5))
    assert ranking("b.jsonl", "--batch-size=8") == ["resnet18"]
    assert answer("b.jsonl", "--batch-size=8")["ranked"][0]["throughput"] == pytest.approx(80)


def test_no_bounds_rank_everything(folder: Path) -> None:
    assert recommend().stdout.splitlines()[0] == "3 of 3 networks fit on cpu at batch 1: no bounds"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("nowhere", "nowhere: no journal can be read here"),
        ("reports --device=cpi", "--device: no network was measured on 'cpi': did you mean cpu? known: cpu"),
        ("reports --batch-size=4", "--batch-size: nothing was measured on cpu at batch 4: known: 1"),
        ("reports --batch-size=0", "0 is not in the range x>=1"),
        ("reports --max-latency=20x", "'--max-latency': got '20x'; expected a time above 0"),
        ("reports --max-latency=20", "'--max-latency': got '20'; expected a number with its unit, such as 20ms"),
        ("reports --max-memory=much", "'--max-memory': got 'much'; expected bytes such as 700MiB or 1GB"),
        ("reports --min-top1=75", "'--min-top1': got '75'; expected a fraction such as 0.75 or 75%"),
        ("reports --max-params=-5", "'--max-params': got '-5'; expected a number above 0"),
        ("--published=nvidia", "unknown source 'nvidia': known: albanie, "),
        ("--published=nvidia", "; archbench references lists the devices that --device knows"),
        ("drawn", "drawn: expected a journal; got a report that was drawn from another folder's: name the folder"),
        ("--published=bianco2019", "--published: unknown source 'bianco2019': did you mean bianco2018"),
        ("empty.jsonl", "empty.jsonl: expected measured cases; got none: run pytest --archbench first"),
        ("damaged.jsonl", "damaged.jsonl:1: expected a JSON object; got list"),
    ],
)
def test_a_mistake_is_one_sentence(folder: Path, arguments: str, said: str) -> None:
    (folder / "empty.jsonl").write_text('{"schema": 1, "run": "x"}\n')
    (folder / "damaged.jsonl").write_text("[]\n")
    (folder / "drawn").mkdir()
    (folder / "drawn" / "index.html").write_text("<!DOCTYPE html>")
    ran = recommend(*arguments.split())
    assert (ran.exit_code, ran.stdout) == (2, "")
    assert said in ran.stderr
    assert "Traceback" not in ran.stderr


def test_a_terminal_gets_no_control_characters_from_a_journal(folder: Path) -> None:
    evil = "net\x1b[31m\u202e<b>"
    journal(
        folder / "evil.jsonl",
        1,
        *network(evil, 0.01, 5, 5),
        row("latency", "s", architecture="a\u202e", message="\x1b"),
    )
    ran = recommend("evil.jsonl", "--max-energy=1")
    assert ran.exit_code == 0
    assert all(line.isprintable() for line in ran.stdout.splitlines())
    assert [each["network"] for each in answer("evil.jsonl")["ranked"]] == ["net\ufffd[31m\ufffd<b>"]


def test_what_is_no_number_in_a_foreign_journal_was_not_measured(folder: Path) -> None:
    quick = row("latency", "s", 1.0, value="quick")
    journal(folder / "foreign.jsonl", 1, quick, row("peak_memory", "B", 5e6))
    found = answer("foreign.jsonl", "--max-latency=2s")
    assert found["ranked"] == []
    assert [each["reasons"] for each in found["excluded"]] == [["latency not measured"]]


def test_what_is_doubtful_is_marked_and_explained(folder: Path) -> None:
    reason = "the median is known to ±3%, ±1% was asked for"
    doubtful = row("latency", "s", 0.02, architecture="resnet18", topology="resnet18", imprecise=reason)
    journal(folder / "doubt.jsonl", 2, doubtful, row("params", "count", 7, architecture="resnet18"))
    *_, line, note = recommend("doubt.jsonl").stdout.splitlines()
    assert line.split()[4:6] == ["20.00†", "50.0†"]
    assert note == f"† resnet18: {reason}"
    assert answer("doubt.jsonl")["ranked"][0]["doubts"] == {"latency": reason, "throughput": reason}


def test_a_variant_is_chosen_by_its_name_and_the_device_itself_without(folder: Path) -> None:
    half: dict[str, Any] = {"architecture": "resnet18", "topology": "resnet18"}
    quick = row("latency", "s", 0.004, **half)
    quick["conditions"] = {**quick["conditions"], "dtype": "bfloat16"}
    journal(folder / "two.jsonl", 2, row("latency", "s", 0.02, **half), quick)
    assert answer("two.jsonl")["ranked"][0]["latency"] == 0.02
    assert answer("two.jsonl", "--device=cpu")["device"] == "cpu"
    assert recommend("two.jsonl").stdout.splitlines()[1] == "also measured: cpu, bfloat16 (--device)"
    chosen = answer("two.jsonl", "--device=bfloat16")
    assert (chosen["device"], chosen["ranked"][0]["latency"]) == ("cpu, bfloat16", 0.004)
    assert chosen["ranked"][0]["conditions"]["dtype"] == "bfloat16"


@pytest.mark.parametrize(
    "arguments",
    [
        ["--device=titan-xp"],
        ["--device=Titan-XP", "--published=bianco2018"],
        ["reports", "--device=titan-xp"],
    ],
)
def test_a_published_device_has_a_short_name(folder: Path, arguments: list[str]) -> None:
    """Table 1 (a) of Bianco et al. prints 1.79 ms for ResNet-18 at batch 1."""
    found = answer(*arguments, "--max-latency=1.8ms")
    assert found["device"] == TITAN
    assert [each["network"] for each in found["ranked"] if each["network"].startswith("resnet")] == ["resnet18"]
    assert found["ranked"][0]["origin"] == "bianco2018"
    resnet = next(each for each in found["ranked"] if each["network"] == "resnet18")
    assert resnet["latency"] == pytest.approx(1.79e-3)


def test_short_names_are_listed_with_what_was_published() -> None:
    lines = CliRunner().invoke(main, ["references"]).stdout.splitlines()
    assert lines[0].split() == ["name", "device", "kind", "source", "published", "conditions"]
    titan = next(line for line in lines if line.startswith("titan-xp "))
    assert re.split(" {2,}", titan) == [
        *("titan-xp", "NVIDIA Titan Xp", "gpu", "bianco2018"),
        *("latency, throughput, peak_memory at batch 1 to 64", "float32, PyTorch, cuDNN 5.1, CUDA 9.0"),
    ]
    assert any("tesla-k80" in line and "at a batch size that is not stated" in line for line in lines)
    found = {
        each["name"]: each for each in json.loads(CliRunner().invoke(main, ["references", "--format=json"]).stdout)
    }
    assert found["i9-10940x"]["batch_sizes"] == {"latency": [1], "throughput": [1]}
    assert (found["i9-10940x"]["runtime"], found["pixel-1"]["dtype"]) == ("torch.compile", None)
    assert len(found) == len(lines) - 1
