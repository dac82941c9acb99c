"""Option values: what each option accepts and refuses, with a sentence that names option, place, got and expected."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_archbench.options import OPTIONS, PLACES, Budget, OptionError, Options, Shard, as_text, parse
from pytest_archbench.protocols import Learning
from pytest_archbench.records import Settings

BY_KEY = {option.key: option for option in OPTIONS}
WHOLE = "expected a whole number from 1 to 2147483647"
FOLDER = "expected a folder; the current one is called ."
TIME = r"expected a time above 0 such as 10s, 500ms or 2min \(units: us, µs, ms, s, min, m, h\)"
FRACTION = "expected a fraction above 0 % and below 100 %, such as 1% or 0.01"
SOME = "expected at least one value"

GOOD = [
    ("device", "cpu", ("cpu",)),
    ("device", "cpu, cuda:1 mps,cpu", ("cpu", "cuda:1", "mps")),
    ("arch", "", ()),
    ("arch", "resnet*,vgg16", ("resnet*", "vgg16")),
    ("suite", "seeds,timm", ("seeds", "timm")),
    ("metric", "params, macs", ("params", "macs")),
    ("batch_size", "32,1,8,1", (1, 8, 32)),
    ("batch_size", "2147483647", (2**31 - 1,)),
    ("runtime", "onnxruntime, eager,eager", ("onnxruntime", "eager")),
    ("dtype", "float32,bfloat16", ("float32", "bfloat16")),
    ("memory_format", "channels_last", ("channels_last",)),
    ("threads", "4", 4),
    ("threads", "0016", 16),
    ("counter", " fvcore ", "fvcore"),
    ("time_budget", "500ms", 0.5),
    ("time_budget", "0.25 s", 0.25),
    ("time_budget", "900us", 0.0009),
    ("time_budget", "900 µs", 0.0009),
    ("time_budget", "3", 3.0),
    ("time_budget", "2min", 120.0),
    ("precision", "1%", 0.01),
    ("precision", "2.5 %", 0.025),
    ("precision", "0.02", 0.02),
    ("timeout", "1h", 3600.0),
    ("timeout", "5m", 300.0),
    ("processes", "1", 1),
    ("processes", "100", 100),
    ("baselines", "kept/devices", Path("kept/devices")),
    ("history", "", None),
    ("history", " ", None),
    ("history", "reports/previous", Path("reports/previous")),
    ("nights", "5", 5),
    ("shard", "", None),
    ("shard", " 2/4 ", Shard(2, 4)),
    ("shard", "1/1", Shard(1, 1)),
    ("against", "", ""),
    ("against", " HEAD~1 ", "HEAD~1"),
    ("against_python", "../old/.venv/bin/python", "../old/.venv/bin/python"),
    ("tolerance", "2%", 0.02),
    ("out", "some where/reports", Path("some where/reports")),
    ("out", ".", Path()),
    ("imagenet", "../imagenet/val", Path("../imagenet/val")),
    ("data", "", None),
    ("download", "yes", True),
    ("weights", "zoo", Path("zoo")),
    ("weights_tag", "a1_in1k,IMAGENET1K_V2", ("a1_in1k", "IMAGENET1K_V2")),
    ("accuracy_budget", "", Budget()),
    ("accuracy_budget", "1%", Budget(risk=0.01)),
    ("accuracy_budget", "5000", Budget(images=5000)),
    ("accuracy_budget", "5000, 0.05", Budget(5000, 0.05)),
    ("evaluation_batch", "256", 256),
    ("loaders", "auto", -1),
    ("loaders", "0", 0),
    ("amp", "bfloat16", "bfloat16"),
    ("amp", "", ""),
    ("epochs", "", 0),
    ("epochs", "3", 3),
    ("seed", "0", 0),
    ("seed", "17", 17),
    ("ranks", "2", 2),
]
BAD = [
    ("device", " , ", SOME),
    ("batch_size", "0", WHOLE),
    ("batch_size", "1,-8", WHOLE),
    ("batch_size", "eight", WHOLE),
    ("batch_size", "1.5", WHOLE),
    ("batch_size", ",", SOME),
    ("batch_size", "²", WHOLE),
    ("batch_size", "2147483648", WHOLE),
    ("batch_size", "9" * 5000, WHOLE),
    ("runtime", "jit", "expected one or more of eager, compile, onnxruntime, tensorrt"),
    ("runtime", "", "expected one or more of eager, compile, onnxruntime, tensorrt"),
    ("dtype", "fp16", "expected one or more of float32, float16, bfloat16"),
    ("memory_format", "contiguous,NHWC", "expected one or more of contiguous, channels_last"),
    ("threads", "0", WHOLE),
    ("threads", "", WHOLE),
    ("threads", "1 2", WHOLE),
    ("threads", "٣", WHOLE),
    ("counter", "  ", SOME),
    ("time_budget", "0", TIME),
    ("time_budget", "-1s", TIME),
    ("time_budget", "1.2.3s", TIME),
    ("time_budget", "10 parsecs", TIME),
    ("time_budget", "inf", TIME),
    ("time_budget", "9" * 400, TIME),
    ("timeout", "", TIME),
    ("timeout", "soon", TIME),
    ("processes", "0", WHOLE),
    ("processes", "few", WHOLE),
    ("processes", "101", "expected a whole number from 1 to 100"),
    ("baselines", " ", FOLDER),
    ("tolerance", "0", FRACTION),
    ("tolerance", "two per cent", FRACTION),
    ("out", "", FOLDER),
    ("out", "  ", FOLDER),
    ("precision", "0%", FRACTION),
    ("precision", "100%", FRACTION),
    ("precision", "1.5", FRACTION),
    ("precision", "nan", FRACTION),
    ("precision", "1%%", FRACTION),
    ("precision", "1% or so", FRACTION),
    ("precision", "%", FRACTION),
    ("download", "perhaps", "expected yes or no"),
    ("accuracy_budget", "1%,2%", "expected one risk and one number of images, such as 1%,5000"),
    ("accuracy_budget", "much", FRACTION),
    ("accuracy_budget", "0", WHOLE),
    ("evaluation_batch", "0", WHOLE),
    ("loaders", "many", "expected auto or a whole number from 0 to 100"),
    ("loaders", "101", "expected auto or a whole number from 0 to 100"),
    ("amp", "int8", "expected bfloat16 or float16"),
    ("epochs", "0", WHOLE),
    ("seed", "-1", "expected a whole number from 0 to 2147483647"),
    ("ranks", "0", WHOLE),
    ("nights", "4", "expected a whole number from 5 on"),
    *(
        ("shard", text, "expected a part of as many, 1/4 to 4/4, of 100 at most")
        for text in ("5/4", "0/4", "1", "1/", "/4", "1/101")
    ),
]
ANYTHING = {"arch", "suite", "metric", "history", "against", "against_python", *PLACES, "weights_tag"}
"""Options whose text cannot be wrong by itself: what it names is looked for later."""


@pytest.mark.parametrize(("key", "text", "value"), GOOD)
def test_it_reads(key: str, text: str, value: Any) -> None:
    assert getattr(parse({key: (text, "command line")}), key) == value


@pytest.mark.parametrize(("key", "text", "expected"), BAD)
def test_it_refuses(key: str, text: str, expected: str) -> None:
    with pytest.raises(OptionError, match=rf"^{BY_KEY[key].flag} \(pyproject.toml\): got .*; {expected}$") as error:
        parse({key: (text, "pyproject.toml")})
    assert repr(text) in str(error.value)


def test_every_option_is_read_and_refused_here() -> None:
    assert {key for key, _, _ in GOOD} == set(BY_KEY)
    assert {key for key, _, _ in BAD} == set(BY_KEY) - ANYTHING


def test_the_defaults_are_read_like_any_text() -> None:
    assert parse({}) == Options(
        device=("cpu",),
        arch=(),
        suite=(),
        metric=(),
        batch_size=(1,),
        runtime=("eager",),
        dtype=("float32",),
        memory_format=("contiguous",),
        threads=1,
        counter="archbench",
        time_budget=2.0,
        precision=0.01,
        timeout=600.0,
        processes=1,
        out=Path("reports"),
        baselines=Path("baselines/devices"),
        history=None,
        nights=20,
        shard=None,
        against="",
        against_python="",
        tolerance=0.02,
        imagenet=None,
        data=None,
        download=False,
        weights=None,
        weights_tag=(),
        accuracy_budget=Budget(),
        evaluation_batch=64,
        loaders=-1,
        amp="",
        epochs=0,
        seed=0,
        ranks=1,
    )
    assert parse({}).settings(Path("/root"), Path("/kept")) == Settings(learning=Learning(keep="/kept"))


def test_settings_are_what_was_asked_for() -> None:
    given_texts = {"counter": "fvcore", "time_budget": "1s", "precision": "5%", "timeout": "7s", "processes": "3"}
    asked = parse({key: (text, "ini") for key, text in given_texts.items()})
    expected = Settings(counter="fvcore", time_budget=1.0, precision=0.05, timeout=7.0, processes=3)
    assert replace(asked.settings(Path("/root"), Path("/kept")), learning=Learning()) == expected


def test_learning_is_what_was_asked_for_with_folders_from_the_root() -> None:
    given_texts = {"imagenet": "val", "weights": "/zoo", "accuracy_budget": "1%,5000", "seed": "3", "download": "yes"}
    asked = parse({key: (text, "ini") for key, text in given_texts.items()}).settings(Path("/root"), Path("/kept"))
    assert asked.learning == Learning(
        imagenet="/root/val", weights="/zoo", images=5000, risk=0.01, seed=3, download=True, keep="/kept"
    )


def test_an_option_has_one_name_in_three_spellings() -> None:
    option = BY_KEY["batch_size"]
    assert (option.name, option.flag, option.key) == ("batch-size", "--archbench-batch-size", "batch_size")
    assert len({option.name for option in OPTIONS}) == len(OPTIONS)
    assert all(option.help for option in OPTIONS)


@pytest.mark.parametrize(
    ("value", "text"), [("1%", "1%"), (8, "8"), (0.5, "0.5"), ([1, 8], "1,8"), (["a", "b*"], "a,b*"), ([], "")]
)
def test_a_toml_value_is_the_text_one_would_type(value: Any, text: str) -> None:
    assert as_text(value) == text


@pytest.mark.parametrize("value", [True, None, {"a": 1}, [1, [True]], [{}]])
def test_it_refuses_other_toml_values(value: Any) -> None:
    with pytest.raises(ValueError, match="expected a text, a number or a list of them; got"):
        as_text(value)


@given(st.sampled_from(sorted(BY_KEY)), st.text(max_size=20))
def test_any_text_is_a_value_or_refused(key: str, text: str) -> None:
    try:
        parse({key: (text, "command line")})
    except OptionError as error:
        assert str(error).startswith(f"{BY_KEY[key].flag} (command line): got {text!r}; expected ")  # noqa: PT017
