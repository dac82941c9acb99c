"""Name -> object tables, filled by a decorator at the definition; a misspelling gets a suggestion."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Generic, TypeVar

from pytest_archbench.records import Architecture, Metric

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., object])


class UnknownName(LookupError):
    """A name is in no table; the message lists the nearest ones."""


class DuplicateName(ValueError):
    """Two definitions claim one name."""


def near(name: str, names: Iterable[str], between: str = ", ") -> str:
    """``did you mean a, b?`` where something is near; and the whole list where it is short, else its length."""
    known = sorted(names)
    begun = [each for each in known if name and each.startswith(name)][:4]
    matches = list(dict.fromkeys([*begun, *difflib.get_close_matches(name, known, n=4, cutoff=0.6)]))[:4]
    asked = f"did you mean {between.join(matches)}?" if matches else ""
    if len(known) <= 8 or not asked:
        listed = f"known: {between.join(known) or 'none'}" if len(known) <= 20 else f"{len(known)} names are known"
        return f"{asked} {listed}".strip()
    return asked


def some(names: Sequence[str], most: int) -> str:
    """The first ``most`` of many names, and how many there are more."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more:,} more" if more > 0 else "")


class Registry(Generic[T]):
    """A table of one kind of thing. ``noun`` is what its errors call an entry."""

    def __init__(self, noun: str) -> None:
        self.noun = noun
        self._entries: dict[str, T] = {}
        self._aliases: dict[str, str] = {}

    def add(self, name: str, entry: T, aliases: Iterable[str] = ()) -> T:
        """Enter ``entry``; raises DuplicateName where ``name`` is taken. A real name beats an alias."""
        if name in self._entries:
            raise DuplicateName(f"{self.noun} {name!r} is defined twice: {self._entries[name]!r} and {entry!r}")
        self._entries[name] = entry
        for alias in aliases:
            owner = self._aliases.setdefault(alias, name)
            if owner != name:
                raise DuplicateName(f"{self.noun} alias {alias!r} is claimed by both {owner!r} and {name!r}")
        return entry

    def resolve(self, name: str) -> str:
        """The entry's own name for a name or an alias; raises UnknownName."""
        if name in self._entries:
            return name
        if name in self._aliases:
            return self._aliases[name]
        raise UnknownName(f"unknown {self.noun} {name!r}: {near(name, [*self._entries, *self._aliases])}")

    def __getitem__(self, name: str) -> T:
        return self._entries[self.resolve(name)]

    def owns(self, name: str) -> bool:
        """Whether ``name`` is an entry's own name, not an alias."""
        return name in self._entries

    def __contains__(self, name: object) -> bool:
        return name in self._entries or name in self._aliases

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def values(self) -> list[T]:
        return list(self._entries.values())

    def match(self, pattern: str) -> list[str]:
        """Own names that a glob matches, aliases followed; raises UnknownName where none does."""
        if not any(character in pattern for character in "*?["):
            return [self.resolve(pattern)]
        found = {name for name in self._entries if fnmatchcase(name, pattern)}
        found |= {owner for alias, owner in self._aliases.items() if fnmatchcase(alias, pattern)}
        if not found:
            raise UnknownName(f"no {self.noun} matches {pattern!r}: {near(pattern, self._entries)}")
        return sorted(found)


METRICS: Registry[Metric] = Registry("metric")
SUITES: Registry[Callable[[], Iterable[Architecture]]] = Registry("suite")
ARCHITECTURES: Registry[Architecture] = Registry("architecture")


def suite(name: str) -> Callable[[F], F]:
    """Register a function that yields the architectures of one suite; it runs only when the suite is asked for."""

    def register(load: F) -> F:
        SUITES.add(name, load)  # type: ignore[arg-type]
        return load

    return register


def architecture(name: str, *, family: str, **fields: object) -> Callable[[F], F]:
    """Register the decorated constructor ``() -> torch.nn.Module``; fields are those of ``Architecture``."""

    def register(build: F) -> F:
        add_architecture(Architecture(name=name, family=family, build=build, **fields))  # type: ignore[arg-type]
        return build

    return register


def add_architecture(entry: Architecture) -> Architecture:
    """Enter an architecture in the catalogue under its name and aliases; raises DuplicateName."""
    return ARCHITECTURES.add(entry.name, entry, entry.aliases)
