"""Which weights a network gets, that reading them runs nothing, and what is said where they do not fit."""

from __future__ import annotations

import argparse
import os
import pickle
import re
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import Tensor, nn

from pytest_archbench import weights
from pytest_archbench.protocols import Learning, Missing, Preprocessing, Recipe, Unusable, Weights
from pytest_archbench.records import Architecture, Baseline
from pytest_archbench.weights import files, preparation
from pytest_archbench.weights.fitting import mismatch

SMALL = Preprocessing(crop=(8, 8), resize=9, mean=(0.5,) * 3, std=(0.25,) * 3, interpolation="bicubic")


def tiny(outputs: int = 4) -> nn.Module:
    return nn.Sequential(OrderedDict(stem=nn.Linear(3, 2), norm=nn.BatchNorm1d(2), head=nn.Linear(2, outputs)))


class Wrapping(nn.Module):
    """A user's network whose only part is called as DataParallel calls it."""

    def __init__(self) -> None:
        super().__init__()
        self.module = tiny()


class Attack:
    """Unpickled by Python, it makes a file."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.file),)


def state(seed: int = 0, outputs: int = 4) -> dict[str, Tensor]:
    torch.manual_seed(seed)
    return tiny(outputs).state_dict()


def entry(**fields: Any) -> Architecture:
    usual: dict[str, Any] = {"name": "tiny", "family": "tiny", "build": tiny, "provider": "lab"}
    return Architecture(**usual | fields)


def published(name: str, folder: Path, address: str = "", **fields: Any) -> Weights:
    """Weights ``tiny.<tag>`` whose cache is ``folder``."""
    tag = name.partition(".")[2]
    address = address or f"https://example.org/{name}.pth"
    found = partial(in_cache, folder / address.rsplit("/", 1)[-1])
    return replace(Weights(name, tag, "lab", SMALL, 4, address, found), **fields)


def in_cache(file: Path, fetch: bool) -> Path | None:
    if fetch:
        torch.save(state(99), file)
    return file if file.is_file() else None


def both(folder: Path) -> Callable[[], list[Weights]]:
    other = replace(SMALL, crop=(16, 16))
    return lambda: [published("tiny.one", folder), published("tiny.two", folder, preprocessing=other)]


def same(model: nn.Module, expected: Mapping[str, Tensor]) -> bool:
    ours = model.state_dict()
    return ours.keys() == expected.keys() and all(torch.equal(ours[name], expected[name]) for name in ours)


def agree(found: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> bool:
    return found.keys() == expected.keys() and all(torch.equal(found[name], expected[name]) for name in found)


# What is in a file


@pytest.mark.parametrize("suffix", [".pth", ".pt", ".bin", ".pth.tar"])
def test_a_state_is_read_from_what_torch_saves(tmp_path: Path, suffix: str) -> None:
    torch.save(state(), tmp_path / f"a{suffix}")
    assert agree(weights.read_state(tmp_path / f"a{suffix}"), state())


def test_a_state_is_read_from_safetensors(tmp_path: Path) -> None:
    save_file(state(), tmp_path / "a.safetensors")
    assert agree(weights.read_state(tmp_path / "a.safetensors"), state())


@pytest.mark.parametrize("key", files.NESTED)
def test_a_state_is_found_inside_a_checkpoint(tmp_path: Path, key: str) -> None:
    torch.save({"epoch": 3, key: state(), "args": argparse.Namespace(lr=0.1)}, tmp_path / "a.pth")
    found = files.stored(tmp_path / "a.pth")
    assert agree(found.state, state())
    assert found.facts == {"key": key}


def test_the_averaged_state_is_taken_as_timm_takes_it_and_that_is_said(tmp_path: Path) -> None:
    from timm.models import load_state_dict

    torch.save({"state_dict": state(1), "state_dict_ema": state(2)}, tmp_path / "a.pth")
    found = files.stored(tmp_path / "a.pth")
    assert agree(found.state, state(2))
    assert agree(found.state, load_state_dict(str(tmp_path / "a.pth")))
    assert found.facts == {"key": "state_dict_ema", "passed_over": ["state_dict"]}


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module.module."])
def test_prefixes_of_wrappers_are_taken_off(tmp_path: Path, prefix: str) -> None:
    torch.save({f"{prefix}{name}": value for name, value in state().items()}, tmp_path / "a.pth")
    assert agree(weights.read_state(tmp_path / "a.pth"), state())


def test_a_prefix_of_some_names_is_their_own(tmp_path: Path) -> None:
    mixed = {"module.weight": torch.ones(1), "head": torch.ones(2)}
    torch.save(mixed, tmp_path / "a.pth")
    assert agree(weights.read_state(tmp_path / "a.pth"), mixed)


def test_the_counter_of_an_averaged_model_is_no_parameter(tmp_path: Path) -> None:
    averaged = torch.optim.swa_utils.AveragedModel(tiny())
    torch.save({"model_ema": averaged.state_dict()}, tmp_path / "a.pth")
    assert set(weights.read_state(tmp_path / "a.pth")) == set(state())


def test_versions_of_modules_are_kept_under_their_new_names(tmp_path: Path) -> None:
    torch.save(nn.DataParallel(tiny()).state_dict(), tmp_path / "a.pth")
    versions = weights.read_state(tmp_path / "a.pth")._metadata  # type: ignore[attr-defined]
    assert versions["norm"] == {"version": 2}


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("nested", [False, True])
def test_a_pickle_that_would_run_code_is_refused_and_runs_none(tmp_path: Path, protocol: int, nested: bool) -> None:
    attack = Attack(tmp_path / "made")
    content = {"state_dict": state(), "extra": attack} if nested else attack
    (tmp_path / "bare.pth").write_bytes(pickle.dumps(content, protocol))
    torch.save(content, tmp_path / "zipped.pth", pickle_protocol=protocol)
    for name in ("bare.pth", "zipped.pth"):
        with pytest.raises(Unusable, match=name):
            weights.read_state(tmp_path / name)
    assert not (tmp_path / "made").exists()
    pickle.loads((tmp_path / "bare.pth").read_bytes())  # (that it is one)
    assert (tmp_path / "made").exists()


def test_what_would_have_run_is_named_with_the_way_out(tmp_path: Path) -> None:
    torch.save(Attack(tmp_path / "made"), tmp_path / "a.pth")
    with pytest.raises(Unusable, match=r"would run code \(posix\.mkdir\).*torch\.save\(model\.state_dict\(\)") as error:
        weights.read_state(tmp_path / "a.pth")
    assert "\n" not in str(error.value)


def test_a_whole_network_is_refused(tmp_path: Path) -> None:
    torch.save(tiny(), tmp_path / "a.pth")
    with pytest.raises(Unusable, match=r"would run code \(torch\.nn\.modules\.container\.Sequential\)"):
        weights.read_state(tmp_path / "a.pth")


@pytest.mark.parametrize("name", ["a.pth", "a.safetensors"])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_a_truncated_file_is_refused(tmp_path: Path, name: str, share: float) -> None:
    file = tmp_path / name
    save_file(state(), file) if name.endswith("safetensors") else torch.save(state(), file)
    whole = file.read_bytes()
    file.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(Unusable, match=r"cannot be read: expected what torch.save or safetensors write") as error:
        weights.read_state(file)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("content", "got"),
    [
        ({}, "a mapping with nothing in it"),
        ({"state_dict": {}}, "a mapping with nothing in it"),
        ([torch.ones(1)], "a list"),
        (torch.ones(1), "a Tensor"),
        ({"epoch": 3, "weights": {"a": torch.ones(1)}}, "a mapping with epoch, weights"),
        ({"a": torch.ones(1), "b": 3}, "a mapping with a, b"),
        ({3: torch.ones(1)}, "a mapping with 3"),
    ],
)
def test_what_holds_no_state_is_refused(tmp_path: Path, content: Any, got: str) -> None:
    torch.save(content, tmp_path / "a.pth")
    with pytest.raises(Unusable, match=f"expected tensors by name; got {got}: save"):
        weights.read_state(tmp_path / "a.pth")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(content=b"G", name="a.pth")  # a number whose digits are missing
@given(content=st.binary(max_size=200), name=st.sampled_from(["a.pth", "a.bin", "a.safetensors"]))
def test_any_bytes_are_a_state_or_a_sentence(tmp_path: Path, content: bytes, name: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(Unusable):
        weights.read_state(tmp_path / name)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.floats(0, 1, exclude_max=True), byte=st.integers(0, 255))
def test_a_changed_byte_makes_a_state_or_a_sentence(tmp_path: Path, at: float, byte: int) -> None:
    torch.save(state(), tmp_path / "a.pth")
    content = bytearray((tmp_path / "a.pth").read_bytes())
    content[int(at * len(content))] = byte
    (tmp_path / "a.pth").write_bytes(content)
    found, said = dict[str, Tensor](), ""
    try:
        found = weights.read_state(tmp_path / "a.pth")
    except Unusable as refused:
        said = str(refused)
    assert said.startswith(str(tmp_path / "a.pth")) or all(isinstance(value, Tensor) for value in found.values())
    assert said or found


# Whether it fits


def test_a_mismatch_names_five_of_each_kind_with_totals() -> None:
    ours = {f"a{n}": (2, 3) for n in range(8)} | {"b.num_batches_tracked": ()}
    theirs = {f"a{n}": (3, 2) for n in range(2)} | {f"c{n}": (1,) for n in range(6)}
    assert mismatch(ours, theirs) == (
        "expected its 9 tensors; got 6 missing: a2, a3, a4, a5, a6 and 1 more; 6 unexpected: c0, c1, c2, c3, c4 and 1 "
        "more; 2 of another shape: a0 (ours 2 x 3, theirs 3 x 2), a1 (ours 2 x 3, theirs 3 x 2): give weights of this "
        "network"
    )


def test_equal_shapes_are_no_mismatch() -> None:
    assert mismatch({"a": (1,), "b.num_batches_tracked": ()}, {"a": (1,)}) == ""


def test_a_head_of_other_classes_is_said_so(tmp_path: Path) -> None:
    torch.save(state(outputs=7), tmp_path / "tiny.pth")
    with pytest.raises(Unusable, match=r"tiny\.pth: not weights of tiny: expected 4 outputs; the file has 7: give"):
        weights.loaded(entry(), Learning(weights=str(tmp_path)))


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    torch.save({"conv.weight": torch.ones(3)}, tmp_path / "tiny.pth")
    with pytest.raises(
        Unusable, match=r"expected its 9 tensors; got 8 missing: stem.weight.*1 unexpected: conv.weight"
    ):
        weights.loaded(entry(), Learning(weights=str(tmp_path)))


def test_a_file_from_before_batches_were_counted_fits(tmp_path: Path) -> None:
    old = {name: value for name, value in state(5).items() if "tracked" not in name}
    torch.save(old, tmp_path / "tiny.pth")
    model = weights.loaded(entry(), Learning(weights=str(tmp_path))).model
    assert torch.equal(model.state_dict()["head.weight"], old["head.weight"])


def refusing(found: Mapping[str, Tensor]) -> nn.Module:
    raise AssertionError


def test_what_a_library_refuses_without_a_word_is_still_a_sentence(tmp_path: Path) -> None:
    torch.save(state(), tmp_path / "tiny.one.pth")
    listed = [published("tiny.one", tmp_path, build=refusing)]
    with pytest.raises(Unusable, match=r"tiny.one.pth: not weights of tiny: AssertionError"):
        weights.loaded(entry(weights=lambda: listed), Learning())


def test_a_network_that_is_a_wrapper_itself_keeps_its_names(tmp_path: Path) -> None:
    inner = state(6)
    torch.save({f"module.{name}": value for name, value in inner.items()}, tmp_path / "tiny.pth")
    model = weights.loaded(entry(build=Wrapping), Learning(weights=str(tmp_path))).model
    assert same(model.module, inner)  # type: ignore[arg-type]


# Which weights


@pytest.mark.parametrize("name", ["tiny.pth", "mini.pt", "tiny-0123abcd.pth", "tiny.safetensors", "tiny.pth.tar"])
def test_a_file_named_after_the_network_is_its_weights(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    save_file(state(3), file) if name.endswith("safetensors") else torch.save(state(3), file)
    (tmp_path / "tinyish.pth").write_bytes(b"another network's")
    (tmp_path / "tiny.txt").write_text("no weights")
    found = weights.loaded(entry(aliases=("mini",)), Learning(weights=str(tmp_path)))
    assert same(found.model, state(3))
    assert not found.model.training
    assert (found.name, found.tag) == (name, "")
    digest = files.sha256_of(file)[:16]
    assert found.facts == {"weights": name, "file": name, "sha256": digest, "classes": 4}


def test_half_precision_becomes_single(tmp_path: Path) -> None:
    torch.save({name: value.half() for name, value in state().items()}, tmp_path / "tiny.pth")
    model = weights.loaded(entry(), Learning(weights=str(tmp_path))).model
    assert {value.dtype for value in model.parameters()} == {torch.float32}


def test_any_other_file_is_prepared_for_as_the_first_published_weights_are(tmp_path: Path) -> None:
    torch.save(state(), tmp_path / "tiny.pth")
    found = weights.loaded(entry(weights=both(tmp_path / "cache")), Learning(weights=str(tmp_path)))
    assert found.preprocessing == replace(SMALL, note="assumed: of tiny.one")


@pytest.mark.parametrize("name", ["tiny.two.pth", "my.two.pth", "two-1234abcd.pth"])
def test_a_file_that_names_published_weights_is_those(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    torch.save(state(4), file)
    digest = files.sha256_of(file)[:8]
    renamed = file.rename(tmp_path / name.replace("1234abcd", digest))
    two = published("tiny.two", tmp_path, f"https://example.org/two-{digest}.pth")
    listed = [published("tiny.one", tmp_path / "cache"), two]
    found = weights.loaded(entry(name="my", weights=lambda: listed), Learning(weights=str(tmp_path)))
    assert (found.name, found.tag, found.preprocessing) == ("tiny.two", "two", SMALL)
    assert found.facts["file"] == renamed.name


def test_a_file_whose_name_its_digest_contradicts_is_refused(tmp_path: Path) -> None:
    torch.save(state(), tmp_path / "tiny-00000000.pth")
    listed = [published("tiny.one", tmp_path, "https://example.org/tiny-00000000.pth")]
    for learning in (Learning(weights=str(tmp_path)), Learning()):
        with pytest.raises(Unusable, match=r"not tiny.one, or damaged: expected a SHA-256 that begins with 00000000"):
            weights.loaded(entry(weights=lambda: listed), learning)


def test_several_files_for_one_network_are_refused_by_name(tmp_path: Path) -> None:
    for name in ("tiny.pth", "tiny.pt", "tiny.one.pth"):
        torch.save(state(), tmp_path / name)
    with pytest.raises(Unusable, match=r"expected one file of weights for tiny; got tiny.one.pth, tiny.pt, tiny.pth"):
        weights.loaded(entry(weights=both(tmp_path)), Learning(weights=str(tmp_path)))


def test_a_tag_chooses_among_files(tmp_path: Path) -> None:
    for seed, name in enumerate(("tiny.one.pth", "tiny.two.pth")):
        torch.save(state(seed), tmp_path / name)
    found = weights.loaded(entry(weights=both(tmp_path)), Learning(weights=str(tmp_path), weights_tag=("two",)))
    assert found.name == "tiny.two"
    assert same(found.model, state(1))


def test_a_folder_that_is_not_there_is_missing(tmp_path: Path) -> None:
    with pytest.raises(Missing, match=r"nowhere: expected a folder of files of weights"):
        weights.loaded(entry(), Learning(weights=str(tmp_path / "nowhere")))


def test_the_first_published_weights_are_taken_from_the_cache(tmp_path: Path) -> None:
    torch.save(state(1), tmp_path / "tiny.one.pth")
    found = weights.loaded(entry(weights=both(tmp_path)), Learning(weights=str(tmp_path.parent)))
    assert (found.name, found.tag, found.preprocessing) == ("tiny.one", "one", SMALL)
    assert same(found.model, state(1))
    assert found.facts["weights"] == "tiny.one"
    assert found.facts["classes"] == 4


def test_the_first_tag_that_a_network_has_is_taken(tmp_path: Path) -> None:
    torch.save(state(2), tmp_path / "tiny.two.pth")
    found = weights.loaded(entry(weights=both(tmp_path)), Learning(weights_tag=("three", "two", "one")))
    assert (found.name, found.preprocessing.crop) == ("tiny.two", (16, 16))


def test_an_unknown_tag_is_missing_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(Missing, match=r"have the tag tow: did you mean two\? known: one, two"):
        weights.loaded(entry(weights=both(tmp_path)), Learning(weights_tag=("tow",)))


def test_what_is_not_in_the_cache_is_missing_with_the_ways_to_give_it(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(Missing) as error:
        weights.loaded(entry(weights=both(tmp_path)), Learning())
    assert str(error.value) == (
        f"tiny.one is not on this host: looked in {tmp_path}/hub/checkpoints for "
        "https://example.org/tiny.one.pth: fetch it with --archbench-download, put it there, or give a file "
        "tiny.one.pth or .safetensors with --archbench-weights DIR"
    )


def test_weights_are_fetched_only_when_asked(tmp_path: Path) -> None:
    found = weights.loaded(entry(weights=both(tmp_path)), Learning(download=True))
    assert same(found.model, state(99))


def test_published_weights_may_make_the_network_themselves(tmp_path: Path) -> None:
    def build(found: Mapping[str, Tensor]) -> nn.Module:
        model = tiny()
        model.load_state_dict({name.removeprefix("old_"): value for name, value in found.items()})
        return model

    torch.save({f"old_{name}": value for name, value in state(8).items()}, tmp_path / "tiny.one.pth")
    listed = [published("tiny.one", tmp_path, build=build)]
    assert same(weights.loaded(entry(weights=lambda: listed), Learning()).model, state(8))


def test_a_users_network_is_as_its_factory_makes_it() -> None:
    found = weights.loaded(entry(suites=("user",), input_shape=(3, 40, 80)), Learning())
    assert (found.name, found.tag) == ("as its factory makes them", "")
    assert found.facts.keys() == {"weights", "sha256", "classes"}
    assert (found.facts["weights"], found.facts["classes"]) == ("as its factory makes them", 4)
    assert not found.model.training
    assert found.preprocessing == Preprocessing(
        (40, 80), (45, 91), preparation.IMAGENET_MEAN, preparation.IMAGENET_STD, note="assumed"
    )


def seeded(seed: int) -> nn.Module:
    model = tiny()
    model.load_state_dict(state(seed))
    return model


def test_equal_weights_of_a_factory_have_one_digest_and_others_another() -> None:
    digests = [
        weights.loaded(entry(suites=("user",), build=partial(seeded, seed)), Learning()).facts["sha256"]
        for seed in (1, 1, 2)
    ]
    assert len(digests[0]) == 16
    assert digests[0] == digests[1] != digests[2]


def test_what_a_factory_makes_of_chance_it_makes_again() -> None:
    own = entry(suites=("user",))
    one, other, third = (weights.loaded(own, Learning(seed=seed)).facts["sha256"] for seed in (3, 3, 4))
    assert one == other != third


def test_a_folder_without_weights_of_ones_own_network_is_refused(tmp_path: Path) -> None:
    for number in range(7):
        torch.save(state(), tmp_path / f"net{number}.pth")
    with pytest.raises(Unusable) as error:
        weights.loaded(entry(suites=("user",)), Learning(weights=str(tmp_path)))
    assert str(error.value) == (
        f"{tmp_path}: expected a file of weights for tiny; got net0.pth, net1.pth, net2.pth, net3.pth, net4.pth and 2 "
        "more: name its file tiny.pth or .safetensors, or leave out --archbench-weights for what its factory makes"
    )
    (tmp_path / "none").mkdir()
    with pytest.raises(Unusable, match="expected a file of weights for tiny; got no file of weights: name its file"):
        weights.loaded(entry(suites=("user",)), Learning(weights=str(tmp_path / "none")))


class Odd(nn.Module):
    """Keeps its values as few networks do."""

    def __init__(self, value: Tensor) -> None:
        super().__init__()
        self.head = nn.Linear(3, 2)
        nn.init.ones_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        self.register_buffer("odd", value)

    def get_extra_state(self) -> dict[str, int]:
        return {"calls": 3}

    def set_extra_state(self, said: Any) -> None:
        self.said = said


ODD = {
    "sparse": torch.eye(3).to_sparse(),
    "scalar": torch.tensor(3),
    "empty": torch.zeros(0),
    "brain": torch.ones(2, dtype=torch.bfloat16),
    "complex": torch.ones(2, dtype=torch.complex64).conj(),
    "turned": torch.arange(6.0).view(2, 3).t(),
}


@pytest.mark.parametrize("kind", ODD)
def test_values_of_every_kind_have_a_digest(kind: str) -> None:
    found = weights.loaded(entry(suites=("user",), build=lambda: Odd(ODD[kind])), Learning())
    assert len(found.facts["sha256"]) == 16


def test_a_digest_is_of_the_values_however_they_are_kept() -> None:
    kinds = (torch.eye(3), torch.eye(3).to_sparse(), torch.eye(3).t(), 2 * torch.eye(3))
    digests = [weights.loaded(entry(suites=("user",), build=partial(Odd, kind)), Learning()).facts for kind in kinds]
    dense, sparse, turned, other = (facts["sha256"] for facts in digests)
    assert dense == sparse == turned != other


def test_weights_of_another_network_are_refused_where_a_layer_keeps_more_than_tensors(tmp_path: Path) -> None:
    torch.save(state(), tmp_path / "tiny.pth")
    with pytest.raises(
        Unusable, match=r"not weights of tiny: expected its 3 tensors; got 1 missing: odd; 7 unexpected: "
    ):
        weights.loaded(entry(build=lambda: Odd(torch.ones(1))), Learning(weights=str(tmp_path)))


def lazy() -> nn.Module:
    return nn.Sequential(nn.LazyLinear(4))


def test_layers_without_sizes_are_named(tmp_path: Path) -> None:
    said = (
        r"Sequential: expected parameters of known sizes; got 0.weight, 0.bias of none: give those layers their sizes, "
        "or call it once in its factory"
    )
    with pytest.raises(Unusable, match=said):
        weights.loaded(entry(suites=("user",), build=lazy), Learning())
    torch.save({"other": torch.ones(1)}, tmp_path / "tiny.pth")
    with pytest.raises(Unusable, match=said):
        weights.loaded(entry(build=lazy), Learning(weights=str(tmp_path)))


def test_layers_without_sizes_take_those_of_a_file(tmp_path: Path) -> None:
    torch.save({"0.weight": torch.ones(4, 3), "0.bias": torch.ones(4)}, tmp_path / "tiny.pth")
    found = weights.loaded(entry(build=lazy), Learning(weights=str(tmp_path)))
    assert found.facts["classes"] == 4


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"crop_mode": "stretch"}, "crop_mode: expected one of center, squash, border; got 'stretch'"),
        ({"crop_mode": ["center"]}, "crop_mode: expected one of"),
        ({"interpolation": "cubic"}, "interpolation: expected one of nearest, bilinear, bicubic, lanczos; got 'cubic'"),
        ({"std": (0.5, 0.0, 0.5)}, "expected a std that is not 0"),
        ({"std": (0.5, float("inf"), 0.5)}, "expected a finite mean and std"),
        ({"mean": (0.5, float("nan"), 0.5)}, "expected a finite mean and std"),
        ({"mean": 0.5}, "'float' object is not iterable"),
        ({"input_size": (3, 0, 224)}, "at least 1 pixel"),
        ({"crop_pct": -0.5}, "at least 1 pixel"),
        ({"crop_pct": float("nan")}, "cannot convert float NaN to integer"),
        ({"input_size": (224, 224)}, "not enough values to unpack"),
    ],
)
def test_a_config_that_no_image_can_be_prepared_by_is_refused(wrong: dict[str, Any], said: str) -> None:
    config = {"input_size": (3, 8, 8), **wrong}
    own = entry(suites=("user",), build=partial(with_config, "pretrained_cfg", config))
    with pytest.raises(Unusable, match=re.escape("its pretrained_cfg does not say how images are prepared: ")) as error:
        weights.loaded(own, Learning())
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_a_file_named_outright_is_taken_whatever_its_name(tmp_path: Path) -> None:
    torch.save({"model": state(3)}, tmp_path / "checkpoint.pt")
    found = weights.from_file(entry(recipe=Recipe(SMALL, epochs=1)), tmp_path / "checkpoint.pt")
    assert same(found.model, state(3))
    assert (found.name, found.preprocessing, found.facts["key"]) == ("checkpoint.pt", SMALL, "model")


def with_config(name: str, config: Any) -> nn.Module:
    model = tiny()
    setattr(model, name, config)
    return model


def test_a_users_network_may_say_how_images_are_prepared() -> None:
    config = {
        "input_size": (3, 224, 224),
        "test_input_size": (3, 288, 288),
        "crop_pct": 0.875,
        "test_crop_pct": 0.95,
        "mean": (0.5, 0.5, 0.5),
        "std": (0.1, 0.1, 0.1),
        "interpolation": "bilinear",
        "crop_mode": "squash",
    }
    own = entry(suites=("user",), build=partial(with_config, "default_cfg", config))
    # 288 / 0.95 = 303.2
    assert weights.loaded(own, Learning()).preprocessing == Preprocessing(
        (288, 288), (303, 303), (0.5,) * 3, (0.1,) * 3, "bilinear", "squash", "of the network's default_cfg"
    )


@pytest.mark.parametrize("config", [{"interpolation": "random"}, {"input_size": (3, 224)}, {"crop_pct": "a"}])
def test_a_config_that_is_none_is_a_sentence(config: dict[str, Any]) -> None:
    own = entry(suites=("user",), build=partial(with_config, "pretrained_cfg", config))
    with pytest.raises(Unusable, match=r"^its pretrained_cfg does not say how images are prepared"):
        weights.loaded(own, Learning())


def test_a_network_nobody_published_weights_of_is_missing(tmp_path: Path) -> None:
    (tmp_path / "other.pth").write_bytes(b"")
    with pytest.raises(Missing, match=rf"\({tmp_path} has no file that is named after it\): give"):
        weights.loaded(entry(), Learning(weights=str(tmp_path)))
    for unpublished in (entry(), entry(weights=list)):
        with pytest.raises(Missing, match=r"no weights are published for it: give a file tiny.pth"):
            weights.loaded(unpublished, Learning())


def test_a_network_with_a_recipe_takes_a_file_or_is_to_be_trained(tmp_path: Path) -> None:
    trained = entry(recipe=Recipe(SMALL, epochs=1), suites=("user",))
    with pytest.raises(Missing, match="not trained yet"):
        weights.loaded(trained, Learning(weights=str(tmp_path)))
    torch.save(state(), tmp_path / "tiny.pth")
    assert weights.loaded(trained, Learning(weights=str(tmp_path))).preprocessing == SMALL


@pytest.mark.parametrize(
    ("shape", "crop", "resize", "channels"),
    [
        ((3, 224, 224), (224, 224), 256, 3),
        ((3, 299, 299), (299, 299), 341, 3),
        ((1, 28, 28), (28, 28), 32, 1),
        (None, (224, 224), 256, 3),
        ([(3, 8, 8), (3, 8, 8)], (224, 224), 256, 3),
    ],
)
def test_the_usual_preparation_resizes_to_eight_sevenths(shape: Any, crop: Any, resize: int, channels: int) -> None:
    usual = weights.usual(shape)
    assert (usual.crop, usual.resize, len(usual.mean), len(usual.std)) == (crop, resize, channels, channels)


# Whose figure it is


def figure(source: str, reference: str) -> Baseline:
    return Baseline("tiny", "top1_accuracy", 0.7, 5e-4, "fraction", "70.0", "percent", source, reference)


@pytest.mark.parametrize(
    ("source", "reference", "name", "tag", "speaks"),
    [
        ("torchvision", "torchvision 0.29.2 A_Weights.V1", "A_Weights.V1", "V1", True),
        ("torchvision_suite", "A_Weights.V1", "A_Weights.V1", "V1", True),
        ("torchvision_suite", "A_Weights.V2", "A_Weights.V1", "V1", False),
        ("timm_suite", "results-imagenet.csv a1_in1k", "net.a1_in1k", "a1_in1k", True),
        ("timm_suite", "results-imagenet.csv a1_in1k", "net.a2_in1k", "a2_in1k", False),
        ("timm", "results.csv, net.a1_in1k", "net.a1_in1k", "a1_in1k", True),
        ("timm", "results.csv, net.a1_in1k", "net.pth", "", False),
        ("cadene", "A_Weights.V1", "A_Weights.V1", "V1", False),
        ("cadene", "a1_in1k", "net.a1_in1k", "a1_in1k", False),
        ("torchvision", "a1_in1k", "net.a1_in1k", "a1_in1k", False),
        ("timm", "", "net.pth", "", False),
    ],
)
def test_a_figure_speaks_of_the_weights_that_its_reference_ends_in(
    source: str, reference: str, name: str, tag: str, speaks: bool
) -> None:
    assert weights.speaks_of(figure(source, reference), name, tag) is speaks
