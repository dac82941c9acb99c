"""Tables of names: one owner each, aliases, globs, and a suggestion for a misspelling."""

from __future__ import annotations

import pytest

from pytest_archbench import registry
from pytest_archbench.records import Architecture
from pytest_archbench.registry import ARCHITECTURES, SUITES, DuplicateName, Registry, UnknownName, near


@pytest.fixture
def networks() -> Registry[int]:
    table: Registry[int] = Registry("network")
    table.add("resnet18", 1)
    table.add("resnet50", 2, aliases=("resnet50_v1", "rn50"))
    table.add("vgg16", 3)
    return table


def test_it_finds_by_name_and_alias(networks: Registry[int]) -> None:
    assert (networks["resnet50"], networks["rn50"]) == (2, 2)
    assert networks.resolve("rn50") == "resnet50"
    assert "rn50" in networks
    assert not networks.owns("rn50")
    assert "resnet34" not in networks
    assert (list(networks), len(networks), networks.values()) == (["resnet18", "resnet50", "vgg16"], 3, [1, 2, 3])


def test_it_suggests_near_names(networks: Registry[int]) -> None:
    with pytest.raises(
        UnknownName, match=r"^unknown network 'resnet81': did you mean resnet18, .*\? known: .*, vgg16$"
    ):
        networks["resnet81"]
    with pytest.raises(UnknownName, match="known: resnet18, resnet50, resnet50_v1, rn50, vgg16"):
        networks["zzz"]


def test_it_refuses_a_second_owner(networks: Registry[int]) -> None:
    with pytest.raises(DuplicateName, match="network 'vgg16' is defined twice: 3 and 4"):
        networks.add("vgg16", 4)
    with pytest.raises(DuplicateName, match="alias 'rn50' is claimed by both 'resnet50' and 'other'"):
        networks.add("other", 5, aliases=("rn50",))
    assert networks["vgg16"] == 3


def test_a_real_name_beats_an_alias(networks: Registry[int]) -> None:
    networks.add("rn50", 6)
    assert networks["rn50"] == 6
    assert networks["resnet50"] == 2


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("resnet*", ["resnet18", "resnet50"]),
        ("rn*", ["resnet50"]),
        ("*1?", ["resnet18", "vgg16"]),
        ("[rv]*", ["resnet18", "resnet50", "vgg16"]),
        ("rn50", ["resnet50"]),
    ],
)
def test_globs_match_names_and_aliases(networks: Registry[int], pattern: str, found: list[str]) -> None:
    assert networks.match(pattern) == found


def test_a_glob_that_matches_nothing_is_unknown(networks: Registry[int]) -> None:
    with pytest.raises(UnknownName, match=r"^no network matches 'resmet\*': did you mean resnet50"):
        networks.match("resmet*")


def test_a_long_list_is_not_printed() -> None:
    assert near("zzz", [f"name{i}" for i in range(21)]) == "21 names are known"
    many = [f"xyz{i}" for i in range(6)]
    assert near("name", ["nam", *many, "nome"]).startswith("did you mean nam, nome? known: nam, nome, xyz0, ")
    assert near("name", ["nam", *many, "nome", "xyz"]) == "did you mean nam, nome?"
    assert near("zzz", []) == "known: none"


def test_decorators_fill_the_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "ARCHITECTURES", Registry("architecture"))
    monkeypatch.setattr(registry, "SUITES", Registry("suite"))

    @registry.architecture("net", family="nets", aliases=("n",), input_shape=(1, 8, 8))
    def build() -> object:
        return object()

    @registry.suite("mine")
    def mine() -> list[Architecture]:
        return registry.ARCHITECTURES.values()

    (entry,) = registry.SUITES["mine"]()
    assert entry is registry.ARCHITECTURES["n"]
    assert (entry.name, entry.family, entry.input_shape, entry.build, entry.topology) == (
        "net", "nets", (1, 8, 8), build, "net",
    )  # fmt: skip
    with pytest.raises(DuplicateName, match="architecture 'net' is defined twice"):
        registry.architecture("net", family="nets")(build)
    with pytest.raises(TypeError, match="colour"):
        registry.architecture("other", family="nets", colour="red")(build)
    assert "net" not in ARCHITECTURES
    assert "mine" not in SUITES
