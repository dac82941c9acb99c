"""A pull request's comment about a run beside its own past, in Markdown of a bounded size. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_archbench.report.text import code, escaped, fitting, sentence
from pytest_archbench.units import relative

MARKER = "<!-- archbench -->"
"""How the comment begins, invisible to its readers: by it a workflow finds the one that it wrote before."""
CHANGED_SHARE, IN_TURN_SHARE, WHY_SHARE, REST_SHARE = 24_000, 6_000, 14_000, 14_000
"""Bytes of UTF-8 for each part, so that the whole has less than the 65,536 characters of a comment on GitHub."""

FAILED = "failed"
WORDS: Mapping[str, str] = {
    FAILED: "failed",
    "regressed": "worse",
    "deviates": "with another count",
    "improved": "better",
    "inconclusive": "inconclusive",
    "incomparable": "incomparable",
    "no baseline": "without baseline",
    "known deviation": "known to deviate",
    "passed": "unchanged",
}
"""What is said of the cases of an outcome, worst first."""
CHANGED = (FAILED, "regressed", "deviates", "improved")
"""Outcomes whose cases stand in the open; the others are folded."""
EXPLAINED = (*CHANGED, "inconclusive")
"""Outcomes whose reasons are told case by case."""


@dataclass(frozen=True, slots=True)
class Line:
    """A case of the run: what is usual for it and what it is now, as text, the relative change, the last nights as
    signs, and what is said of it. ``unlike`` is what keeps an incomparable one from being compared.
    """

    name: str
    word: str
    usual: str
    now: str
    change: float | None
    nights: str
    reason: str
    unlike: str = ""


@dataclass(frozen=True, slots=True)
class Bout:
    """A case that was measured in turn with another side: how many pairs of processes, None for one measurement."""

    name: str
    word: str
    side: str
    change: float | None
    pairs: int | None


def markdown(header: Mapping[str, Any], runs: int, lines: Iterable[Line], bouts: Iterable[Bout]) -> str:
    """The comment of the run that ``header`` is of, beside so many earlier ``runs``."""
    lines, bouts = sorted(lines, key=_badness), sorted(bouts, key=_badness)
    changed = [line for line in lines if line.word in CHANGED]
    rest = [line for line in lines if line.word not in CHANGED]
    parts = (
        [MARKER, f"### Networks beside their own past: {escaped(_counts(lines, bouts))}", "", _run(header, runs), ""],
        _table(changed, CHANGED_SHARE),
        _in_turn(bouts),
        _why([line for line in lines if line.word in EXPLAINED]),
        _folded(f"The others ({len(rest)})", [*_unlike(rest), *_table(rest, REST_SHARE)]) if rest else [],
    )
    return "\n".join(line for part in parts for line in part).rstrip("\n") + "\n"


def _badness(each: Line | Bout) -> tuple[int, float, str]:
    return _rank(each.word), -abs(each.change or 0.0), each.name


def _rank(word: str) -> int:
    return list(WORDS).index(word)


def _counts(lines: Iterable[Line], bouts: Iterable[Bout]) -> str:
    """``1 worse, 40 unchanged``: of a case that has both, the worse word counts."""
    worst: dict[str, str] = {}
    for name, word in [(each.name, each.word) for each in lines] + [(each.name, each.word) for each in bouts]:
        worst[name] = min(word, worst.get(name, word), key=_rank)
    counted = Counter(worst.values())
    return ", ".join(f"{counted[word]} {said}" for word, said in WORDS.items() if counted[word]) or "nothing measured"


def _run(header: Mapping[str, Any], runs: int) -> str:
    facts = [f"Run {code(header.get('run'))}", f"commit {code(str(header.get('commit') or 'unknown')[:7])}"]
    facts += ["with uncommitted changes"] if header.get("dirty") is True else []
    return f"{', '.join(facts)}, beside {runs} earlier run{'' if runs == 1 else 's'}."


def _table(lines: Sequence[Line], share: int) -> list[str]:
    """A row for each case, as many as there is room for."""
    if not lines:
        return []
    rows = [
        _row(
            f"**{line.word}**", code(line.name), escaped(line.usual), escaped(line.now), _change(line.change),
            code(line.nights) if line.nights else "–",
        )
        for line in lines
    ]  # fmt: skip
    head = ["| | case | usual | now | change | nights |", "| --- | --- | ---: | ---: | ---: | --- |"]
    return [*head, *fitting(rows, share, "\nand {} more"), ""]


def _in_turn(bouts: Sequence[Bout]) -> list[str]:
    """What was measured in turn with another side, so that the machine's pace cannot have changed between them."""
    if not bouts:
        return []
    rows = [
        _row(
            f"**{each.word}**", code(each.name), sentence(each.side), _change(each.change),
            "–" if each.pairs is None else str(each.pairs),
        )
        for each in bouts
    ]  # fmt: skip
    head = ["#### Measured in turn", "", "| | case | against | change | pairs |", "| --- | --- | --- | ---: | ---: |"]
    return [*head, *fitting(rows, IN_TURN_SHARE, "\nand {} more"), ""]


def _why(lines: Sequence[Line]) -> list[str]:
    if not lines:
        return []
    said = [f"- {sentence(f'{line.name}: {line.reason}' if line.word == FAILED else line.reason)}" for line in lines]
    return _folded(f"Why ({len(said)})", fitting(said, WHY_SHARE, "- and {} more"))


def _unlike(lines: Sequence[Line]) -> list[str]:
    """What keeps cases from being compared, each once: all of a night after an update have the same."""
    counted = Counter(line.unlike for line in lines if line.unlike)
    said = [f"- {count} incomparable: {sentence(reason)}" for reason, count in counted.most_common()]
    return [*fitting(said, WHY_SHARE // 7, "- and {} more reasons"), ""] if said else []


def _folded(title: str, lines: Sequence[str]) -> list[str]:
    body = "\n".join(lines).rstrip("\n")
    return [f"<details><summary>{title}</summary>", "", body, "", "</details>", ""]


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _change(change: float | None) -> str:
    return "–" if change is None else relative(change)
