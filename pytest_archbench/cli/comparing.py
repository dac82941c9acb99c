"""``archbench compare``: two runs side by side, as lines, Markdown, JSON or CSV."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from pytest_archbench import store
from pytest_archbench.cli.terminal import measured, number, or_say, printable
from pytest_archbench.comparing import ALONE, UNCHANGED, Compared, Comparison, Word, compare, finite
from pytest_archbench.records import Point
from pytest_archbench.units import both, readable, relative

Sides = Mapping[str, Mapping[str, Any]]
"""``earlier`` and ``later``: path, run, started and commit of each."""
FOLDED_FROM = 40
"""More cases than this that one run alone has are counted instead of listed: what changed would drown in them."""


@click.command("compare")
@click.argument("earlier", metavar="RUN", type=click.Path(path_type=Path))
@click.argument("later", metavar="RUN", type=click.Path(path_type=Path))
@click.option(
    "--format", "form", type=click.Choice(["table", "markdown", "json", "csv"]), default="table", show_default=True
)
@click.option("--all", "everything", is_flag=True, help="List what did not change as well.")
@click.option("--exit-code", is_flag=True, help="Exit with 1 where something became worse or fails now.")
def compare_(earlier: Path, later: Path, form: str, everything: bool, exit_code: bool) -> None:
    """Compare two runs, the earlier first.

    RUN is a journal or its folder. The later is judged as if the earlier had been promoted, worst first.
    """
    one, other = or_say(lambda: measured(earlier)), or_say(lambda: measured(later))
    found = or_say(lambda: _compare(earlier, one, later, other))
    for metric in found.unknown:
        click.echo(f"left out: cases of the unknown metric {printable(metric)}", err=True)
    sides = {"earlier": _side(earlier, one.header), "later": _side(later, other.header)}
    click.echo(FORMS[form](found, sides, everything), nl=False)
    if exit_code and any(each.is_worse for each in found.compared):
        raise SystemExit(1)


def _compare(earlier: Path, one: store.Run, later: Path, other: store.Run) -> Comparison:
    """Raises: JournalError with the file."""
    for path, run in ((earlier, one), (later, other)):
        try:
            compare(run, store.NOTHING)
        except store.JournalError as error:
            raise store.JournalError(f"{path}: {error}") from None
    return compare(one, other)


def _side(path: Path, header: Mapping[str, Any]) -> dict[str, Any]:
    return {"path": str(path), **{key: header.get(key) for key in ("run", "started", "commit")}}


def _lines(found: Comparison, sides: Sides, everything: bool) -> str:
    return "".join(f"{line}\n" for line in _report(found, sides, everything))


def _report(found: Comparison, sides: Sides, everything: bool) -> Iterator[str]:
    for name, side in sides.items():
        facts = (side["run"], side["started"], f"commit {str(side['commit'])[:7]}" if side["commit"] else "")
        yield f"{name + ':':8} {printable(side['path'])}  {'  '.join(printable(fact) for fact in facts if fact)}"
    yield from map(printable, _facts(found))
    yield ""
    names = _names(found.compared)
    for each in _listed(found, everything):
        change = f" ({relative(each.change)})" if each.change is not None else ""
        yield f"{each.word:14}  {printable(names[each.case])}: {' -> '.join(map(printable, _values(each)))}{change}"
        yield from (f"{'':14}  {printable(line)}" for line in _why(each))
    yield from _sums(found, everything)


def _facts(found: Comparison) -> Iterator[str]:
    """``differs: cpu packages.torch: 2.14.0 -> 2.15.0 (12 cases)``"""
    for fact in found.facts:
        cases = number(fact.cases, "case")
        yield f"differs: {fact.device} {fact.name}: {fact.earlier} -> {fact.later} ({cases})"


def _sums(found: Comparison, everything: bool) -> Iterator[str]:
    said = ", ".join(f"{count} {word}" for word, count in found.counts.items()) or "neither run has any"
    folded = len(found.compared) - len(_listed(found, everything))
    why = "without change or in one run alone" if {*ALONE} & _folded(found) else "without change"
    hint = f" ({number(folded, 'case')} {why}: --all lists them)" if folded else ""
    yield f"{number(len(found.compared), 'case')}: {said}{hint}"


def _listed(found: Comparison, everything: bool) -> list[Compared]:
    folded = _folded(found)
    return [each for each in found.compared if everything or each.word not in folded]


def _folded(found: Comparison) -> set[Word]:
    """The words whose cases are counted and not listed."""
    return {*UNCHANGED, *(word for word in ALONE if found.counts.get(word, 0) > FOLDED_FROM)}


def _names(compared: Iterable[Compared]) -> dict[Any, str]:
    """Each case by name; its input too where a network was measured at several."""
    cases = [each.case for each in compared]
    inputs = Counter(case._replace(input_shape="") for case in cases)
    return {case: _name(case, inputs[case._replace(input_shape="")] > 1) for case in cases}


def _name(case: Any, with_input: bool) -> str:
    place = f" {case.device} bs{case.batch_size} {case.variant}".rstrip() if case.device else ""
    return f"{case.architecture} {case.metric}{place}{f' {case.input_shape}' if with_input else ''}"


def _values(each: Compared) -> tuple[str, str]:
    """Both values, or what there is instead of one."""
    if each.earlier and each.later:
        return both(each.earlier.value, each.later.value, each.later.unit)
    return _value(each.earlier, each.failures[0]), _value(each.later, each.failures[1])


def _value(point: Point | None, failure: str) -> str:
    return readable(point.value, point.unit) if point else failure.partition(":")[0] or "not there"


def _why(each: Compared) -> list[str]:
    """In a sentence each; nothing where it is the environment alone, whose differences stand at the top."""
    return [] if each.word == "incomparable" and each.is_elsewhere else _reasons(each)


def _reasons(each: Compared) -> list[str]:
    return [each.verdict.reason] if each.verdict else [failure for failure in each.failures if failure]


def _markdown(found: Comparison, sides: Sides, everything: bool) -> str:
    from pytest_archbench.report.text import code, sentence

    names, listed = _names(found.compared), _listed(found, everything)
    lines = [f"### {code(sides['later']['run'])} compared with {code(sides['earlier']['run'])}", ""]
    lines += [f"- {sentence(line)}" for line in _facts(found)]
    lines += [f"- {line}" for line in _sums(found, everything)]
    if listed:
        lines += ["", "| | case | earlier | later | change |", "| --- | --- | ---: | ---: | ---: |"]
    for each in listed:
        change = relative(each.change) if each.change is not None else "–"
        cells = (f"**{each.word}**", code(names[each.case]), *map(sentence, _values(each)), change)
        lines.append(f"| {' | '.join(cells)} |")
    said = [sentence(line if each.verdict else f"{names[each.case]}: {line}") for each in listed for line in _why(each)]
    if said:
        lines += ["", f"<details><summary>Why ({len(said)})</summary>", "", *(f"- {line}" for line in said)]
        lines += ["", "</details>"]
    return "\n".join(lines) + "\n"


def _json(found: Comparison, sides: Sides, _: bool) -> str:
    """Every case, numbers as the journals hold them, in the unit beside them."""
    answer = {
        **sides,
        "facts": [asdict(fact) for fact in found.facts],
        "counts": found.counts,
        "cases": [_fields(each) for each in found.compared],
        "left_out": list(found.unknown),
    }
    return json.dumps(answer, indent=1, allow_nan=False) + "\n"


def _fields(each: Compared) -> dict[str, Any]:
    some = each.later or each.earlier
    return {
        **each.case._asdict(),
        "unit": some.unit if some else None,
        "earlier": each.earlier.value if each.earlier else None,
        "later": each.later.value if each.later else None,
        "change": each.change,
        "word": each.word,
        "judged_change": finite(each.verdict.change) if each.verdict else None,
        "sentence": "; ".join(_reasons(each)),
    }


def _csv(found: Comparison, _sides: Sides, _: bool) -> str:
    text = io.StringIO()
    rows = [_fields(each) for each in found.compared]
    writer = csv.DictWriter(text, list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


FORMS: Mapping[str, Callable[[Comparison, Sides, bool], str]] = {
    "table": _lines,
    "markdown": _markdown,
    "json": _json,
    "csv": _csv,
}
COMMANDS = (compare_,)
