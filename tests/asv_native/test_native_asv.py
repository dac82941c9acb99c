"""The packaged suite under the real asv, in folders with the configuration that comes along and with one's own."""

from __future__ import annotations

import itertools
import json
import math
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from asv.results import iter_results
from hypothesis import given
from hypothesis import strategies as st

from bench_suite.asv.benchmarks import cases
from pytest_archbench.options import OPTIONS, OptionError, parse
from pytest_archbench.records import Conditions, Measurement
from pytest_archbench.registry import METRICS, UnknownName

ROOT = Path(__file__).parents[2]
CONFIGURATION = Path("bench_suite/asv/asv.conf.json")
NAMES = ("time_latency", "track_macs", "track_params", "track_peak_memory", "track_top1_error")
SETTINGS = """\
[tool.archbench]
suite = ["seeds", "blocks", "user"]
arch = ["digits_bottleneck", "spectral", "squeezenet1_1"]
metric = "energy"
epochs = 1
time-budget = "200ms"

[tool.archbench.architectures]
spectral = {factory = "nets:Spectral", input = [3, 32, 32]}
"""
NETWORKS = """\
import torch
from torch import nn


class Spectral(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3)

    def forward(self, image):
        return self.stem(torch.fft.fft2(image).real)
"""
SPECTRAL = 4 * 3 * 3 * 3 + 4
"""Weights and biases of its one convolution."""
SQUEEZENET = 1_235_496
"""torchvision's documentation of SqueezeNet1_1_Weights."""


class Folder:
    """A git repository with a configuration of asv, and a home of its own."""

    def __init__(self, path: Path, configuration: Path) -> None:
        self.path, self.configuration = path, path / configuration
        self._home = path.with_name(f"{path.name}-home")
        self._home.mkdir()
        self.git("init", "--quiet")
        assert self.asv("machine", "--yes", "--machine", "box").returncode == 0

    def git(self, *arguments: str) -> None:
        who = ["-c", "user.name=somebody", "-c", "user.email=somebody@example.org"]
        subprocess.run(["git", *who, *arguments], cwd=self.path, check=True, capture_output=True)

    def commit(self) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "a night")

    def asv(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        own = {name: text for name, text in os.environ.items() if not name.startswith(cases.PREFIX)}
        return subprocess.run(
            [str(Path(sys.executable).with_name("asv")), *arguments],
            cwd=self.configuration.parent,
            env={**own, "HOME": str(self._home), **variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
        )

    def run(self, *arguments: str, **variables: str) -> str:
        """A run that is kept under the present commit; what it said."""
        kept = ["-E", "existing", "--set-commit-hash", "HEAD", "--machine", "box", "--show-stderr"]
        done = self.asv("run", *kept, *arguments, **variables)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def benchmarks(self) -> dict[str, Any]:
        """What asv has discovered, by its name without the module's."""
        found = json.loads((self.path / ".asv/results/benchmarks.json").read_text())
        return {name.removeprefix("networks."): entry for name, entry in found.items() if isinstance(entry, dict)}

    def values(self) -> dict[tuple[str, ...], float]:
        """What asv has kept, by benchmark and parameters."""
        found: dict[tuple[str, ...], float] = {}
        for result in iter_results(str(self.path / ".asv/results")):
            for name in result.get_all_result_keys():
                params = result.get_result_params(name)
                places = itertools.product(*([text.strip("'") for text in values] for values in params))
                kept = result.get_result_value(name, params)
                found |= {
                    (name.removeprefix("networks."), *place): value for place, value in zip(places, kept, strict=True)
                }
        return found


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """A repository with the packaged configuration where a checkout has it."""
    path = tmp_path_factory.mktemp("checkout")
    shutil.copytree(
        ROOT / CONFIGURATION.parent, path / CONFIGURATION.parent, ignore=shutil.ignore_patterns("__pycache__")
    )
    (path / "pyproject.toml").write_text(SETTINGS)
    (path / "nets.py").write_text(NETWORKS)
    folder = Folder(path, CONFIGURATION)
    folder.commit()
    return folder


def test_discovery_lists_five_benchmarks_of_the_networks_that_the_settings_choose(checkout: Folder) -> None:
    assert checkout.asv("run", "--bench", "just-discover", "--machine", "box").returncode == 0
    found = checkout.benchmarks()
    assert sorted(found) == sorted(NAMES)
    assert [found[name]["unit"] for name in NAMES] == ["seconds", "MAC", "count", "bytes", "fraction"]
    assert {entry["version"] for entry in found.values()} == {"1"}
    networks = ["'digits_bottleneck'", "'spectral'", "'squeezenet1_1'"]
    for name, entry in found.items():
        by_batch = name in ("time_latency", "track_peak_memory")
        assert entry["param_names"] == (["model", "batch_size"] if by_batch else ["model"])
        assert entry["params"] == ([networks, ["1"]] if by_batch else [networks])


def test_counts_are_those_of_the_meter_and_one_that_would_be_too_small_is_none(checkout: Folder) -> None:
    said = checkout.run("--bench", "track_macs.*(squeezenet1_1|spectral)", "--bench", "track_params.*spectral")
    values = checkout.values()
    # multiply-accumulates as in tests/test_wheel.py, where pytest journals them
    assert values["track_macs", "squeezenet1_1"] == 349_151_936
    assert values["track_params", "spectral"] == SPECTRAL
    assert math.isnan(values["track_macs", "spectral"])
    assert "spectral macs: operators without a formula: " in said
    assert "fft" in said


def test_a_misspelt_name_is_one_sentence(checkout: Folder) -> None:
    done = checkout.asv("run", "--quick", "--machine", "box", ARCHBENCH_ARCH="squeezenet1_l")
    assert done.returncode == 1
    assert "archbench: unknown architecture 'squeezenet1_l': did you mean squeezenet1_1" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.slow
def test_every_value_is_what_pytest_journals_in_the_same_folder(checkout: Folder) -> None:
    checkout.run()
    values = checkout.values()
    # apart, since pytest leaves networks without data out of a run that asks for accuracy
    journalled = journal(checkout.path, "params,macs,latency,peak_memory") | journal(checkout.path, "top1_accuracy")
    for network in ("digits_bottleneck", "spectral", "squeezenet1_1"):
        assert values["track_params", network] == journalled[network, "params"]
        ours, theirs = values["track_peak_memory", network, "1"], journalled[network, "peak_memory"]
        assert ours == pytest.approx(theirs, rel=0.01)
        assert 0 < values["time_latency", network, "1"] == pytest.approx(journalled[network, "latency"], rel=0.6)
    assert values["track_params", "squeezenet1_1"] == SQUEEZENET
    for network in ("digits_bottleneck", "squeezenet1_1"):
        assert values["track_macs", network] == journalled[network, "macs"]
    assert math.isnan(values["track_macs", "spectral"])
    # one epoch with the seed of pytest's: the same digits are wrong
    assert values["track_top1_error", "digits_bottleneck"] == 1 - journalled["digits_bottleneck", "top1_accuracy"]
    assert 0 <= values["track_top1_error", "digits_bottleneck"] < 1
    for network in ("spectral", "squeezenet1_1"):
        assert math.isnan(values["track_top1_error", network])  # no ImageNet here: never 0


@pytest.mark.slow
def test_processes_that_are_started_afresh_measure_the_same_networks(checkout: Folder) -> None:
    checkout.run("--launch-method", "spawn", "--bench", "track_params")
    values = checkout.values()
    assert (values["track_params", "spectral"], values["track_params", "squeezenet1_1"]) == (SPECTRAL, SQUEEZENET)


@pytest.mark.slow
def test_without_data_an_error_is_skipped_with_the_reason(checkout: Folder) -> None:
    said = checkout.run("--bench", "track_top1_error.*squeezenet1_1")
    assert "squeezenet1_1 top1_accuracy: no ImageNet: name its folder with --archbench-imagenet DIR" in said


def journal(folder: Path, metrics: str) -> dict[tuple[str, str], float]:
    """The values of a run of pytest in a folder, by network and metric."""
    pytest_there = [sys.executable, "-m", "pytest", "--archbench", f"--archbench-metric={metrics}"]
    subprocess.run(pytest_there, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    rows = [json.loads(line) for line in (folder / "reports/measurements.jsonl").read_text().splitlines()[1:]]
    return {(row["architecture"], row["metric"]): row["value"] for row in rows}


def printed(title: str) -> str:
    """A file as docs/asv.md prints it."""
    page = (ROOT / "docs/asv.md").read_text()
    (body,) = re.findall(rf"^```\w+ title={re.escape(title)}\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    return str(body)


@pytest.mark.slow
def test_a_network_of_the_users_own_that_grows_is_on_the_regressions_page(tmp_path: Path) -> None:
    path = tmp_path / "mine"
    (path / "benchmarks").mkdir(parents=True)
    (path / "asv.conf.json").write_text(printed("asv.conf.json"))
    (path / "benchmarks/__init__.py").touch()
    (path / "benchmarks/networks.py").write_text(printed("networks.py"))
    (path / "pyproject.toml").write_text(
        '[tool.archbench.architectures]\nmine = {factory = "mine:make", input = [5]}\n'
    )
    folder = Folder(path, Path("asv.conf.json"))
    for outputs in (10, 10, 11, 11):
        (path / "mine.py").write_text(f"from torch import nn\n\n\ndef make():\n    return nn.Linear(5, {outputs})\n")
        folder.commit()
        folder.run("--bench", "track_params", ARCHBENCH_SUITE="user")
    assert folder.asv("publish").returncode == 0
    (regression,) = json.loads((path / ".asv/html/regressions.json").read_text())["regressions"]
    # (5 + 1)·10 parameters, then (5 + 1)·11
    assert (regression[0], regression[5], regression[4]) == ("networks.track_params('mine')", 60, 66)


def test_thresholds_of_the_regressions_page_are_the_tolerances_of_the_metrics() -> None:
    metrics = {
        ".*\\.time_latency": ("latency",),
        ".*\\.track_(macs|params)": ("macs", "params"),
        ".*\\.track_peak_memory": ("peak_memory",),
    }
    thresholds = json.loads((ROOT / CONFIGURATION).read_text())["regressions_thresholds"]
    assert thresholds.keys() == metrics.keys()
    for pattern, names in metrics.items():
        assert {METRICS[name].tolerance for name in names} == {thresholds[pattern]}


def test_results_lie_in_a_folder_of_their_own_outside_the_package() -> None:
    configuration = json.loads((ROOT / CONFIGURATION).read_text())
    written = [(ROOT / CONFIGURATION.parent / configuration[f"{name}_dir"]).resolve() for name in ("results", "html")]
    assert written == [ROOT / ".asv/results", ROOT / ".asv/html"]
    elsewhere = parse({})
    for folder in (elsewhere.out, elsewhere.baselines):  # journals, and what is drawn from them
        assert not any(path.is_relative_to(ROOT / folder) for path in written)


# The cases


def settings(path: Path, **variables: str) -> Any:
    (path / "pyproject.toml").write_text(SETTINGS)
    return cases.make(path / "pyproject.toml", {f"ARCHBENCH_{name}": text for name, text in variables.items()})


def test_a_variable_comes_before_the_settings_and_the_metric_is_asvs_to_choose(tmp_path: Path) -> None:
    planned = settings(tmp_path, ARCH="squeezenet*", BATCH_SIZE="4,1")
    assert [entry.name for entry in planned.architectures] == ["squeezenet1_0", "squeezenet1_1"]
    assert planned.options.batch_size == (1, 4)
    assert planned.metrics == cases.METRICS
    assert [case.id for case in planned.cases("latency")] == [
        "squeezenet1_0-cpu-bs1",
        "squeezenet1_0-cpu-bs4",
        "squeezenet1_1-cpu-bs1",
        "squeezenet1_1-cpu-bs4",
    ]
    assert [case.id for case in planned.cases("top1_accuracy")] == ["squeezenet1_0-cpu-bs1", "squeezenet1_1-cpu-bs1"]


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"ARHC": "vgg16"}, "ARCHBENCH_ARHC: no setting of a run of asv: did you mean ARCHBENCH_ARCH"),
        ({"METRIC": "macs"}, "ARCHBENCH_METRIC: no setting of a run of asv"),
        ({"BATCH_SIZE": "0"}, "--archbench-batch-size (ARCHBENCH_BATCH_SIZE): got '0'; expected a whole number"),
        ({"DTYPE": "float32,bfloat16"}, "--archbench-dtype: expected one in a run of asv; got float32, bfloat16"),
        ({"SUITE": "seed"}, "unknown suite 'seed': did you mean seeds"),
    ],
)
def test_a_mistake_is_refused_with_what_was_meant(tmp_path: Path, variables: Mapping[str, str], said: str) -> None:
    with pytest.raises((OptionError, UnknownName)) as refused:
        settings(tmp_path, **variables)
    assert str(refused.value.args[0]).startswith(said)


@given(st.dictionaries(st.text(st.characters(exclude_characters="\0=", codec="utf-8")), st.text()))
def test_other_peoples_variables_are_no_setting(environment: dict[str, str]) -> None:
    assert cases.given({name: text for name, text in environment.items() if not name.startswith("ARCHBENCH_")}) == {}


def test_what_only_pytest_does_is_among_its_options() -> None:
    assert {option.key for option in OPTIONS} > cases.ASKED_OF_PYTEST


def test_the_project_is_the_nearest_folder_upwards_with_settings(tmp_path: Path) -> None:
    inner = tmp_path / "a/b/c"
    inner.mkdir(parents=True)
    assert cases.project(inner).name == "pyproject.toml"
    (tmp_path / "pyproject.toml").touch()
    assert cases.project(inner) == tmp_path / "pyproject.toml"
    (tmp_path / "a/pyproject.toml").touch()
    assert cases.project(inner) == tmp_path / "a/pyproject.toml"


def test_the_folder_of_benchmarks_is_what_asvs_program_is_given() -> None:
    assert cases.folder(["asv/benchmark.py", "run_server", "/there/benchmarks", "socket"]) == Path("/there/benchmarks")
    assert cases.folder(["pytest", "-q", "tests"]) == Path.cwd()
    assert cases.folder(["python"]) == Path.cwd()


def measurement(**facts: Any) -> Measurement:
    return Measurement("net", "macs", "MAC", **{"status": "ok", "conditions": Conditions("cpu"), **facts})


def test_a_value_is_none_where_there_is_none_and_a_failure_where_it_says_nothing() -> None:
    assert cases.value(measurement(samples=(3, 5, 4))) == 4
    with pytest.raises(NotImplementedError, match="net macs: no such device"):
        cases.value(measurement(status="skipped", message="no such device"))
    with pytest.raises(NotImplementedError, match="net macs: operators without a formula: fft ×1"):
        cases.value(measurement(samples=(4,), uncounted=("fft ×1",)))
    with pytest.raises(RuntimeError, match="net macs: oom: memory is full"):
        cases.value(measurement(status="oom", message="memory is full"))
    with pytest.raises(RuntimeError, match="net macs: ok: 2 images could not be read"):
        cases.value(measurement(samples=(4,), imprecise="2 images could not be read"))
