"""The papers' conclusions as cases of a run: when they are judged, on what, and what becomes of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from lifecycle import Ran, bench, run, write

from pytest_archbench.claims import CLAIMS

EIGHT = (
    "from torch import nn\n\n"
    "def net(width):\n"
    "    return nn.Sequential(nn.Conv2d(3, width, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 10))\n\n"
    "def made(width):\n"
    "    return lambda: net(width)\n\n"
    "for place, width in enumerate((4, 8, 12, 16, 20, 24, 28, 32)):\n"
    "    globals()[f'net{place}'] = made(width)\n"
)
DECLARED = "[tool.archbench.architectures]\n" + "".join(
    f'net{place} = {{factory = "eight:net{place}", input = [3, 32, 32]}}\n' for place in range(8)
)
USER = "--archbench-suite=user"
SOURCES = {
    "operations_do_not_give_accuracy": ("bianco2018", "canziani2016", "bertmoons", "this_run"),
    "parameters_are_used_unequally": ("bianco2018", "canziani2016", "bertmoons", "this_run"),
    "operations_predict_time": ("bianco2018", "this_run"),
    "throughput_bounds_accuracy": ("bianco2018", "this_run"),
    "limits_choose_the_network": ("bianco2018", "this_run"),
    "model_size_predicts_memory": ("bianco2018", "this_run"),
}
EVERY = [f"archbench/claims::test_claim[{name}-{source}]" for name in CLAIMS for source in SOURCES[name]]
SHARED = "no:xdist"


@pytest.fixture
def eight(tmp_path: Path) -> Path:
    """A user's folder with eight networks of rising width."""
    return write(tmp_path, {"eight.py": EIGHT, "pyproject.toml": DECLARED})


def listed(folder: Path, *arguments: str) -> list[str]:
    ran = run(folder, "--archbench", "--co", "-q", *arguments)
    assert ran.code == 0, ran.output
    return [name for name in ran.ids if "/claims::" in name]


def outcome(ran: Ran, name: str, source: str) -> str:
    """The word that ``-rA`` says of a case."""
    case = re.escape(f"archbench/claims::test_claim[{name}-{source}]")
    return next(match[1] for line in ran.output.splitlines() if (match := re.match(rf"(\w+) {case}", line)))


def test_a_run_of_eight_networks_ends_with_the_claims(eight: Path) -> None:
    ran = run(eight, "--archbench", "--co", "-q", USER)
    assert ran.ids[-len(EVERY) :] == EVERY
    assert [name for name in ran.ids[: -len(EVERY)] if "/claims::" in name] == []


@pytest.mark.parametrize("narrower", ["--archbench-metric=params,macs", "--archbench-arch=net0,net1,net2"])
def test_a_narrower_run_leaves_the_claims_out(eight: Path, narrower: str) -> None:
    assert listed(eight, USER, narrower) == []


def test_claims_are_judged_in_any_run_that_asks_for_them(eight: Path) -> None:
    assert listed(eight, USER, "--archbench-metric=macs", "--archbench-arch=net0", "archbench/claims") == EVERY
    assert listed(eight, USER, "archbench/counts", EVERY[0]) == EVERY[:1]


def test_published_figures_are_judged_without_a_run(tmp_path: Path) -> None:
    """What holds passes; what is known to be refuted is an expected failure; of a run without rows nothing is said."""
    ran = run(tmp_path, "--archbench", "archbench/claims", "-rA")
    assert ran.code == 0, ran.output
    assert ran.outcomes["passed"] == 9
    assert ran.outcomes["skipped"] == 6
    assert "1 xfailed" in ran.output
    assert outcome(ran, "limits_choose_the_network", "bianco2018") == "PASSED"
    assert outcome(ran, "operations_predict_time", "bianco2018") == "XFAIL"
    assert "Of 79 printed ranks 4 differ, 4 of them as ties." in ran.output, "also of what passes the sentence is shown"
    assert (
        "Which network is best depends on the limits of memory and speed. (Bianco et al. 2018, Section V.G"
        in ran.output
    )
    assert "Known: it was concluded on the Jetson TX1" in ran.output
    assert (
        "More operations do not mean more accuracy. Needs 8 networks with operations and top-1 and has 0."
        " To measure: the same `pytest --archbench" in ran.output
    ), "-ra names no case that skips: the sentence says which conclusion it is"
    assert not (tmp_path / "reports").exists(), "nothing was measured: nothing is left"


def test_this_run_is_judged_on_what_it_has_measured(eight: Path) -> None:
    cases = ("archbench/counts", "archbench/latency::test_latency", "archbench/claims")
    ran = bench(eight, USER, "-p", SHARED, "-rA", *cases)
    assert ran.code == 0, ran.output
    assert "8 networks of this run: r² of time per image as a power of operations is" in ran.output
    assert outcome(ran, "operations_predict_time", "this_run") in ("PASSED", "XFAIL")
    assert (
        "Needs 8 networks with operations and top-1 and has 0. To measure: the same `pytest --archbench" in ran.output
    )

    # The journal is of another run now: it is none of the next one's, which measures nothing.
    assert "8 networks of this run" not in bench(eight, USER, "-rA", "archbench/claims").output
    # A resumed run is the same run.
    resumed = bench(eight, USER, "--archbench-resume", "-rA", "archbench/claims")
    assert "8 networks of this run: r² of time per image as a power of operations is" in resumed.output


@pytest.mark.slow
def test_under_xdist_the_claims_are_judged_on_the_journal_of_this_run(eight: Path) -> None:
    """An earlier run lies in the folder: its rows are not this run's."""
    earlier = bench(eight, USER, "archbench/counts::test_params")
    assert len(earlier.rows) == 8
    ran = bench(
        eight, USER, "-n", "2", "-rA", "archbench/counts", "archbench/latency::test_latency", "archbench/claims"
    )
    assert ran.code == 0, ran.output
    assert ran.cases == {(f"net{place}", metric): 1 for place in range(8) for metric in COUNTS_AND_TIME}
    # What was journalled when the claim was judged is said; cases of the other worker may still have been under way.
    (said,) = {*re.findall(r"(8 networks of this run: r²|with operations and latency .* has \d)", ran.output)}
    assert said
    assert ran.outcomes["passed"] >= 9
    assert "archbench/claims::test_claim[limits_choose_the_network-bianco2018]" in ran.output


COUNTS_AND_TIME = ("params", "macs", "activations", "model_size", "latency")


@pytest.mark.slow
def test_what_this_device_refutes_is_a_finding_and_no_failure(eight: Path) -> None:
    """The more operations, the shorter this network sleeps."""
    slow = EIGHT.replace("return lambda: net(width)", "return lambda: Lazy(width)").replace(
        "def made",
        "class Lazy(nn.Module):\n"
        "    def __init__(self, width):\n"
        "        super().__init__()\n"
        "        self.net, self.rest = net(width), 0.04 / width\n\n"
        "    def forward(self, x):\n"
        "        time.sleep(self.rest)\n"
        "        return self.net(x)\n\n"
        "def made",
    )
    write(eight, {"eight.py": f"import time\n{slow}"})
    cases = ("archbench/counts::test_macs", "archbench/latency::test_latency", "archbench/claims")
    ran = bench(eight, USER, "-rA", *cases)
    assert ran.code == 0, ran.output
    assert outcome(ran, "operations_predict_time", "this_run") == "XFAIL"
    assert "No estimate, for which r² of 0.5 is asked: cpu, batch 1." in ran.output
    strict = bench(eight, USER, "--archbench-resume", "--runxfail", "archbench/claims")
    assert (strict.code, strict.outcomes["failed"]) == (1, 2), "asked to take findings for failures, it does"


def test_published_figures_that_no_longer_bear_a_claim_out_fail(tmp_path: Path) -> None:
    """The rank of a network is damaged where the figures are read, and its data with it."""
    damage = (
        "import dataclasses\nimport pytest\n\n"
        "@pytest.fixture(autouse=True)\n"
        "def damaged(request):\n"
        "    from pytest_archbench.plugin import SESSION\n"
        "    published = request.config.stash[SESSION].published\n"
        "    key = ('nasnet_a_large', 'top1_accuracy')\n"
        "    published.baselines[key] = tuple(dataclasses.replace(f, value=0.5) for f in published.baselines[key])\n"
    )
    plugin = write(tmp_path, {"damage.py": damage})
    case = "archbench/claims::test_claim[limits_choose_the_network-bianco2018]"
    ran = run(plugin, "--archbench", "-p", "damage", case, "-rf", env={"PYTHONPATH": str(tmp_path)})
    assert (ran.code, ran.outcomes["failed"]) == (1, 1), ran.output
    assert "Not so: 44 networks of bianco2018." in ran.output
    assert "nasnet_a_large is printed, senet154 is found." in ran.output


def test_collecting_claims_imports_no_tables(tmp_path: Path) -> None:
    watch = (
        "import sys\n\n"
        "def pytest_collection_finish():\n"
        "    print('heavy:', {'pandas', 'matplotlib', 'plotly'} & {*sys.modules})\n"
    )
    write(tmp_path, {"watch.py": watch})
    options = ("--archbench", "--co", "-q", "-s", "-p", "watch", "archbench/claims")
    ran = run(tmp_path, *options, env={"PYTHONPATH": str(tmp_path)})
    assert "heavy: set()" in ran.output
