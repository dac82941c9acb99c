"""Write baselines/published/*.toml from the collected tables: `published_to_toml.py DIRECTORY [SUITE ...]`.

Every count that differs from ours gets the documented reason that holds (deviations.toml) and our value; those without
one are listed, and the exit status is 1. Suites: catalogue (one file per source), torchvision, timm (their own tables).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import tomli
from counted import catalogue_lookup, suite_lookup, topologies
from deviation_list import update
from deviations import Lookup, Rule, reason, rules
from published_rows import Figure, distinct, document, figure, filings, rows
from suite_tables import timm_accuracies, timm_figures, torchvision_figures

from pytest_archbench.baselines import read
from pytest_archbench.conversions import CONVERSIONS, WITHOUT_COUNTERPART
from pytest_archbench.records import Baseline

HERE = Path(__file__).parent
PUBLISHED = HERE.parent / "baselines" / "published"
HEADER = ("title", "address", "obtained", "convention", "licence", "provider")
COUNTED = {"params", "macs", "activations", "model_size"}
"""Our metrics that are properties of the graph, so that every figure can be judged without measuring anything."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the files; 1 where a deviation has no documented reason."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path, help="the collected CSV tables")
    parser.add_argument("suites", nargs="*", choices=[*SUITES, []], help=f"of {', '.join(SUITES)}; all unless given")
    parser.add_argument("--out", type=Path, default=PUBLISHED)
    parser.add_argument("--cache", type=Path, help="JSON file of counts that a later run takes up again")
    options = parser.parse_args(arguments)
    sources = tomli.loads((HERE / "sources.toml").read_text(encoding="utf-8"))
    known = rules(HERE / "deviations.toml")
    undocumented: list[str] = []
    for suite in options.suites or SUITES:
        lookup, tables = SUITES[suite](options.directory, sources, options.cache)
        for name, figures in sorted(tables.items()):
            undocumented += write(options.out / f"{name}.toml", sources[name], figures, known, lookup)
    if options.out == PUBLISHED:
        update(PUBLISHED.parent / "README.md", PUBLISHED)
    print("\n".join([*undocumented, f"{len(undocumented)} deviations without a documented reason"]))
    return 1 if undocumented else 0


def catalogue(
    directory: Path, sources: Mapping[str, Any], _cache: Path | None
) -> tuple[Lookup, dict[str, list[Figure]]]:
    """Every figure of every source that speaks of a catalogued topology."""
    catalogued = topologies()
    tables: dict[str, list[Figure]] = {}
    for row in rows(directory):
        for each in filings(row, sources.get(row["source"], {})):
            if each["architecture"] in catalogued:
                tables.setdefault(row["source"], []).append(figure(each, sources[row["source"]]))
    return catalogue_lookup(), tables


def torchvision(directory: Path, _sources: Any, cache: Path | None) -> tuple[Lookup, dict[str, list[Figure]]]:
    """torchvision's own table under torchvision's own names."""
    return suite_lookup("torchvision", cache), {"torchvision_suite": torchvision_figures(directory)}


def timm(directory: Path, _sources: Any, cache: Path | None) -> tuple[Lookup, dict[str, list[Figure]]]:
    """timm's own tables under timm's own names."""
    return suite_lookup("timm", cache), {"timm_suite": [*timm_figures(directory), *timm_accuracies(directory)]}


SUITES: dict[str, Callable[..., tuple[Lookup, dict[str, list[Figure]]]]] = {
    "catalogue": catalogue,
    "torchvision": torchvision,
    "timm": timm,
}


def write(
    path: Path, header: Mapping[str, Any], figures: Iterable[Figure], known: Sequence[Rule], lookup: Lookup
) -> list[str]:
    """Write one file; the deviations without a reason, one line each."""
    found = distinct(figures)
    head = {key: header[key] for key in HEADER if key in header}
    undocumented, reasons = [], {}
    for entry, keyed in zip((f for f in found if _counts(f)), _judged(path.name, head, found), strict=True):
        # Without its provider, as rules and counts name it.
        baseline = replace(keyed, architecture=entry["architecture"])
        size = baseline.input_size or 0
        ours = lookup(baseline.architecture, size)
        if ours is None or abs(ours[baseline.metric] - baseline.value) <= baseline.precision:
            continue
        rule = reason(known, baseline, size, ours[baseline.metric], lookup)
        if rule is None:
            undocumented.append(_describe(baseline, ours[baseline.metric]))
        else:
            entry |= {"known": rule.id, "expected": ours[baseline.metric]}
            reasons[rule.id] = rule.text
    path.write_text(document(head, reasons, found), encoding="utf-8")
    return undocumented


def _counts(entry: Figure) -> bool:
    if entry["metric"] in WITHOUT_COUNTERPART:
        return False
    return CONVERSIONS[entry["metric"], entry["unit"]].metric in COUNTED


def _judged(name: str, header: Mapping[str, str], figures: Sequence[Figure]) -> list[Baseline]:
    """The figures of counted metrics as the plugin reads them."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / name
        path.write_text(document(header, {}, figures), encoding="utf-8")
        return [baseline for baseline in read(path)[1] if baseline.metric in COUNTED]


def _describe(figure: Baseline, ours: float) -> str:
    change = (figure.value - ours) / ours
    return (
        f"{figure.source} {figure.architecture}@{figure.input_size} {figure.metric} {figure.printed} "
        f"{figure.printed_unit}: ours {ours}, theirs {change:+.3%} ({figure.reference}; {figure.note})"
    )


if __name__ == "__main__":
    sys.exit(main())
