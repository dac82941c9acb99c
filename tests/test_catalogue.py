"""Which architectures a run is about, and what it says of names that are none."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from pytest_archbench import catalogue
from pytest_archbench.catalogue import CatalogueError, Factory, Network, declared, select
from pytest_archbench.places import Place
from pytest_archbench.records import Architecture
from pytest_archbench.registry import DuplicateName, Registry, UnknownName


def net(name: str, *aliases: str, suite: str = "seeds") -> Architecture:
    return Architecture(name, "nets", build=dict, aliases=aliases, suites=(suite,))


SEEDS = [net("resnet50"), net("mobilenet_v2_100", "mobilenet_v2", "mobilenetv2_100"), net("alexnet")]
TIMM = [net("resnet50", suite="timm"), net("mobilenetv2_100", "mnv2", suite="timm"), net("vit_tiny", suite="timm")]
MINE = [net("mynet", suite="user"), net("another", suite="user")]


@pytest.fixture(autouse=True)
def suites(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Two suites of a few names; says which were read."""
    table: Registry[Callable[[], Iterator[Architecture]]] = Registry("suite")
    read: list[str] = []

    def suite(name: str, entries: list[Architecture]) -> None:
        def load() -> Iterator[Architecture]:
            read.append(name)
            return iter(entries)

        table.add(name, load)

    suite("seeds", SEEDS)
    suite("timm", TIMM)
    monkeypatch.setattr(catalogue, "SUITES", table)
    return read


def names(*arguments: Any) -> list[str]:
    return [entry.name for entry in select(*arguments)]


@pytest.mark.parametrize(
    ("asked", "patterns", "own", "found"),
    [
        ((), (), [], ["alexnet", "mobilenet_v2_100", "resnet50"]),
        ((), (), MINE, ["alexnet", "another", "mobilenet_v2_100", "mynet", "resnet50"]),
        (("user",), (), MINE, ["another", "mynet"]),
        (("timm",), (), MINE, ["mobilenetv2_100", "resnet50", "vit_tiny"]),
        ((), ("res*", "alexnet"), [], ["alexnet", "resnet50"]),
        ((), ("mobilenet_v2",), [], ["mobilenet_v2_100"]),
        ((), ("mobilenetv2*", "mobilenet_v2_100"), [], ["mobilenet_v2_100"]),
        (("timm",), ("mnv2",), [], ["mobilenetv2_100"]),
        ((), ("my*",), MINE, ["mynet"]),
    ],
)
def test_it_selects(asked: tuple[str, ...], patterns: tuple[str, ...], own: list[Architecture], found: Any) -> None:
    assert names(asked, patterns, own) == found


def test_only_the_suites_asked_for_are_read(suites: list[str]) -> None:
    names((), (), [])
    assert suites == ["seeds"]
    names(("timm",), ("vit_tiny",), [])
    assert suites == ["seeds", "timm"]


def test_a_name_in_two_suites_is_the_firsts_and_prefixed_for_the_second() -> None:
    found = {entry.name: entry for entry in select(("seeds", "timm"), (), [])}
    assert sorted(found) == [
        "alexnet", "mobilenet_v2_100", "mobilenetv2_100", "resnet50", "timm.resnet50", "vit_tiny",
    ]  # fmt: skip
    assert (found["resnet50"].suites, found["timm.resnet50"].suites) == (("seeds",), ("timm",))
    assert found["timm.resnet50"].topology == "resnet50"
    assert names(("timm", "seeds"), ("resnet50", "seeds.*"), []) == ["resnet50", "seeds.resnet50"]


def test_a_name_beats_anothers_alias() -> None:
    (found,) = select(("seeds", "timm"), ("mobilenetv2_100",), [])
    assert found.suites == ("timm",)


@pytest.mark.parametrize(
    ("asked", "patterns", "sentence"),
    [
        (("seds",), (), r"unknown suite 'seds': did you mean seeds\?"),
        (("usr",), (), r"unknown suite 'usr': did you mean user\?"),
        (("imagenet",), (), r"unknown suite 'imagenet': known: seeds, timm, user"),
        ((), ("resnet5",), r"unknown architecture 'resnet5': did you mean resnet50\? known: alexnet, m"),
        ((), ("vgg*",), r"no architecture matches 'vgg\*': known: alexnet, mobilenet_v2_100, resnet50$"),
        (
            (),
            ("vit_tiny",),
            r"unknown architecture 'vit_tiny': .* \(it is in suite timm: add --archbench-suite=timm\)$",
        ),
        (("timm",), ("alexnet",), r"\(it is in suite seeds: add --archbench-suite=seeds\)$"),
        (("user",), (), r"suite 'user' is empty: declare a network under \[tool.archbench.architectures\]"),
    ],
)
def test_an_unknown_name_gets_advice(asked: tuple[str, ...], patterns: tuple[str, ...], sentence: str) -> None:
    with pytest.raises(UnknownName, match=sentence):
        select(asked, patterns, [])


def test_a_users_name_may_not_hide_one_of_the_catalogue() -> None:
    with pytest.raises(
        DuplicateName, match="architecture 'alexnet' is in the catalogue already; give your own another"
    ):
        select((), (), [net("alexnet", suite="user")])
    with pytest.raises(DuplicateName, match="'mynet' is in the catalogue already"):
        select((), (), [*MINE, *MINE])
    assert names(("user",), (), [net("alexnet", suite="user")]) == ["alexnet"]


PLACE = Place(Path("/project/pyproject.toml"), 7, "tool.archbench.architectures", "mynet")
at_mynet = partial(Place, PLACE.file, PLACE.line, PLACE.table)
NO_INPUTS: list[Any] = [[], {}, 224, "224", True, [3, 0], [3, "a"], [[3, 4], 5], {"image": 7}, [[]]]


@pytest.mark.parametrize(
    ("given", "shape"),
    [
        ([3, 32, 32], (3, 32, 32)),
        ([10], (10,)),
        (None, None),
        ([[3, 32, 32], [10]], [[3, 32, 32], [10]]),
        ({"image": [3, 32, 32], "text": [10]}, {"image": [3, 32, 32], "text": [10]}),
        ("pkg.mod:batch", Factory("pkg.mod:batch", PLACE)),
    ],
)
def test_a_network_is_declared_with_its_input(given: Any, shape: Any) -> None:
    entry = {"factory": "pkg.mod:make", "family": "mine", "paper": "none"} | ({"input": given} if given else {})
    (found,) = declared({"mynet": entry}, at_mynet)
    assert found == Architecture(
        "mynet", "mine", Network(Factory("pkg.mod:make", PLACE)), shape, paper="none", provider="user", suites=("user",)
    )


def test_only_the_factory_is_needed() -> None:
    (found,) = declared({"mynet": {"factory": "pkg.mod:make"}}, at_mynet)
    assert (found.family, found.paper, found.input_shape) == ("user", "", None)


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        ("pkg.mod:make", r"expected \{factory = .*\}; got 'pkg.mod:make'"),
        ({}, r"expected \{factory = .*\}; got \{\}"),
        ({"factory": "a:b", "inputs": [3]}, "unknown key 'inputs'; known: factory, input, family, paper, dataset"),
        ({"factory": "pkg.mod"}, "factory: expected 'package.module:function'; got 'pkg.mod'"),
        ({"factory": ":make"}, "factory: expected 'package.module:function'; got ':make'"),
        ({"factory": 7}, "factory: expected 'package.module:function'; got 7"),
        *(({"factory": "a:b", "input": given}, r"input: expected \[3, 224, 224\], .*; got") for given in NO_INPUTS),
    ],
)
def test_a_declaration_is_refused_with_its_place(entry: Any, sentence: str) -> None:
    with pytest.raises(
        CatalogueError, match=rf"^/project/pyproject.toml:7: \[tool.archbench.architectures\] mynet: {sentence}"
    ):
        declared({"mynet": entry}, at_mynet)


def test_a_network_needs_a_name() -> None:
    with pytest.raises(CatalogueError, match="the name is empty"):
        declared({"": {"factory": "a:b"}}, at_mynet)


def test_a_users_name_that_is_taken_is_told_with_its_place() -> None:
    (mine,) = declared({"mynet": {"factory": "a:b"}}, at_mynet)
    with pytest.raises(DuplicateName, match=r"^/project/pyproject.toml:7: .* mynet: architecture 'mynet' is in the"):
        select((), (), [*MINE, mine])


@pytest.fixture
def beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A place in a folder that has a module ``besides``."""
    (tmp_path / "besides.py").write_text("from torch import nn\n\n\ndef make():\n    return nn.Identity()\n")
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "besides", raising=False)
    return Place(tmp_path / "pyproject.toml", 1, "tool.archbench.architectures", "mynet")


def test_a_factory_imports_when_it_is_called(beside: Place) -> None:
    factory = Factory("no.such.module:make", beside)
    assert pickle.loads(pickle.dumps(factory)) == factory
    with pytest.raises(ModuleNotFoundError, match="No module named 'no'"):
        factory()
    assert Factory("math:hypot", beside)(3.0, 4.0) == 5
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        Factory("math:nothing", beside)()


def test_a_factory_finds_modules_beside_its_file_after_all_others(beside: Place) -> None:
    before = [*sys.path]
    assert type(Factory("besides:make", beside)()).__name__ == "Identity"
    Factory("besides:make", beside)()
    assert sys.path == [*before, str(beside.file.parent)]


def test_a_network_is_a_module_and_nothing_else(beside: Place) -> None:
    assert type(Network(Factory("besides:make", beside))()).__name__ == "Identity"
    with pytest.raises(TypeError, match=r"^builtins:dict: expected a torch.nn.Module; got dict$"):
        Network(Factory("builtins:dict", beside))()
