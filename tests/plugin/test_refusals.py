"""Mistakes that end a run before it starts: exit code 4 and one sentence that says what to do."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from lifecycle import TINY, run, write

import bench_suite
from pytest_archbench.store import SCHEMA


@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        ("--archbench-arch=alexnt", "unknown architecture 'alexnt': did you mean alexnet"),
        ("--archbench-arch=vgg99*", "no architecture matches 'vgg99*': did you mean vgg"),
        ("--archbench-arch=cifar10_resnext", "it is in suite blocks: add --archbench-suite=blocks"),
        ("--archbench-arch=vit_b_16", "it is in suite torchvision: add --archbench-suite=torchvision"),
        ("--archbench-suite=tim", "unknown suite 'tim': did you mean timm"),
        ("--archbench-suite=user", "suite 'user' is empty: declare a network under [tool.archbench.architectures]"),
        ("--archbench-metric=mac", "unknown metric 'mac': did you mean macs?"),
        ("--archbench-metric=macs,latancy", "unknown metric 'latancy': did you mean latency?"),
        (
            "--archbench-device=gpu",
            "unknown device 'gpu': did you mean xpu, cpu? known: auto, cpu, cuda, jetson, mps, xpu",
        ),
        ("--archbench-device=cpu:1", "device 'cpu:1': there is one cpu, called 'cpu'"),
        (
            "--archbench-device=jetson",
            "device 'jetson': this is no Jetson board: looked for 'nvidia,tegra...' in /proc",
        ),
        ("--archbench-device=", "--archbench-device (command line): got ''; expected at least one value"),
        ("--archbench-counter=fvcor", "--archbench-counter: unknown counter 'fvcor': did you mean fvcore?"),
        ("--archbench-batch-size=0", "--archbench-batch-size (command line): got '0'; expected a whole number from"),
        ("--archbench-batch-size=1,x", "--archbench-batch-size (command line): got '1,x'; expected a whole number"),
        ("--archbench-threads=-1", "--archbench-threads (command line): got '-1'; expected a whole number"),
        ("--archbench-time-budget=soon", "--archbench-time-budget (command line): got 'soon'; expected a time above 0"),
        ("--archbench-time-budget=-1s", "--archbench-time-budget (command line): got '-1s'; expected a time above 0"),
        ("--archbench-timeout=1week", "--archbench-timeout (command line): got '1week'; expected a time above 0"),
        ("--archbench-out=", "--archbench-out (command line): got ''; expected a folder; the current one is called ."),
        ("--archbench-precision=120%", "--archbench-precision (command line): got '120%'; expected a fraction above"),
    ],
)
def test_it_refuses_an_option(tmp_path: Path, option: str, sentence: str) -> None:
    assert sentence in run(tmp_path, "--archbench", option).refuses()
    assert not (tmp_path / "reports").exists()


@pytest.mark.parametrize("out", ["taken", "taken/below"])
def test_it_refuses_a_folder_that_cannot_be_made(tmp_path: Path, out: str) -> None:
    write(tmp_path, {"taken": "a file\n"})
    said = run(tmp_path, "--archbench", f"--archbench-out={out}", "--archbench-arch=alexnet").refuses()
    assert f"{tmp_path / out} cannot be written to: " in said
    assert "name a folder that can be written to with --archbench-out" in said
    assert (tmp_path / "taken").read_text() == "a file\n"


def test_it_refuses_a_device_that_torch_does_not_find(tmp_path: Path) -> None:
    blind = {"CUDA_VISIBLE_DEVICES": ""}
    said = run(tmp_path, "--archbench", "--device=cuda", env=blind).refuses()
    assert "device 'cuda': torch finds no CUDA device (torch " in said
    assert "try --device=cpu" in said


NETS = "[tool.archbench.architectures]\n"


@pytest.mark.parametrize(
    ("text", "line", "sentence"),
    [
        ("tool = 3\n", 1, "tool: expected a table; got 3"),
        ("[tool]\narchbench = 3\n", 2, "archbench: expected a table; got 3"),
        ("[tool.archbench]\narchitectures = [1]\n", 2, "[tool.archbench] architectures: expected a table; got [1]"),
        ("[tool.archbench]\n\nbatchsize = 8\n", 3, "[tool.archbench] batchsize: unknown setting: did you mean batch"),
        (
            "[tool.archbench]\nbatch-size = true\n",
            2,
            "[tool.archbench] batch-size: expected a text, a number or a list",
        ),
        ("[tool.archbench]\nbatch-size = 0\n", 2, "[tool.archbench] batch-size): got '0'; expected a whole number"),
        ("[tool.archbench]\nbatch-size = 1\nbatch_size = 2\n", 3, "given twice, as batch_size and batch-size"),
        (f"{NETS}net = 'a:b'\n", 2, "net: expected {factory = "),
        (f"{NETS}# mine\nnet = {{input = [1]}}\n", 3, "net: expected {factory = "),
        (f"{NETS}net = {{factory = 'nets'}}\n", 2, "factory: expected 'package.module:function'"),
        (f"{NETS}net = {{factory = 'a:b', inputs = [1]}}\n", 2, "unknown key 'inputs'; known: "),
        (f"{NETS}net = {{factory = 'a:b', input = [3, -1]}}\n", 2, "input: expected [3, 224, 224]"),
        (
            f"{NETS}mine = {{factory = 'a:b'}}\nalexnet = {{factory = 'a:b'}}\n",
            3,
            "'alexnet' is in the catalogue already",
        ),
    ],
)
def test_it_refuses_a_pyproject(tmp_path: Path, text: str, line: int, sentence: str) -> None:
    # Told of another configuration, pytest does not read the file; it is the first to complain of it otherwise.
    write(tmp_path, {"pyproject.toml": text, "pytest.ini": "[pytest]\n"})
    said = run(tmp_path, "--archbench", "-c", "pytest.ini").refuses()
    assert f"{tmp_path / 'pyproject.toml'}:{line}: " in said
    assert sentence in said


def test_it_says_where_a_pyproject_is_damaged(tmp_path: Path) -> None:
    write(tmp_path, {"pyproject.toml": "[tool.archbench]\nsuite = = 3\n"})
    assert "line 2" in run(tmp_path, "--archbench").refuses()
    write(tmp_path, {"pytest.ini": "[pytest]\n"})
    said = run(tmp_path, "--archbench", "-c", "pytest.ini").refuses()
    assert f"{tmp_path / 'pyproject.toml'}: not valid TOML" in said
    assert "line 2" in said


def test_it_refuses_an_ini_value_of_a_wrong_type(project: Path) -> None:
    write(project, {"pyproject.toml": f"[tool.pytest]\narchbench_batch_size = 8\n{TINY}"})
    assert "'archbench_batch_size' expects a string, got int: 8" in run(project, "--archbench").refuses()


def test_it_refuses_damaged_baselines(tmp_path: Path) -> None:
    """The suite copied, its baselines beside it, and one figure made unreadable."""
    suite = Path(bench_suite.__path__[0])
    shutil.copytree(suite, tmp_path / "copy/bench_suite", ignore=shutil.ignore_patterns("__pycache__", "baselines"))
    shutil.copytree(bench_suite.BASELINES, tmp_path / "copy/baselines")
    folder = tmp_path / "empty"
    folder.mkdir()
    options, env = ("--archbench", "--archbench-arch=alexnet", "--co", "-q"), {"PYTHONPATH": str(tmp_path / "copy")}
    assert run(folder, *options, env=env).code == 0
    damaged = tmp_path / "copy/baselines/published/bianco2018.toml"
    lines = damaged.read_text().splitlines()
    number = next(number for number, line in enumerate(lines) if line.strip().startswith("{"))
    lines[number] = lines[number].replace("value =", "valeu =")
    damaged.write_text("\n".join(lines))
    said = run(folder, *options, env=env).refuses()
    assert f"{damaged}:{number + 1}: valeu: expected a known key; got 'valeu': did you mean value" in said
    damaged.write_text("[source\n")
    assert f"{damaged}: not readable as TOML" in run(folder, *options, env=env).refuses()


def header(**environment: object) -> str:
    return json.dumps({"schema": SCHEMA, "run": "earlier", "environment": environment, "devices": {}}) + "\n"


@pytest.mark.parametrize(
    ("journal", "sentence"),
    [
        ("not json\n{}\n", "measurements.jsonl:1: not a JSON object"),
        (header(python="3.9") + "{\n{}\n", "measurements.jsonl:2: not a JSON object"),
        ("[]\n", "measurements.jsonl:1: expected a JSON object; got list"),
        (header().replace(f'"schema": {SCHEMA}', '"schema": 99'), f"expected schema {SCHEMA}; got 99"),
        (header(python="2.7.18"), "one journal holds one environment: start afresh without --archbench-resume"),
    ],
)
def test_it_does_not_resume_what_it_cannot_continue(tmp_path: Path, journal: str, sentence: str) -> None:
    write(tmp_path, {"reports/measurements.jsonl": journal})
    assert sentence in run(tmp_path, "--archbench", "--archbench-arch=alexnet", "--archbench-resume").refuses()
    assert (tmp_path / "reports/measurements.jsonl").read_text() == journal
