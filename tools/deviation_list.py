"""The list of known deviations in baselines/README.md, drawn from the files themselves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from pytest_archbench.baselines import Published, load

BEGIN, END = "<!-- deviations: written by tools/published_to_toml.py -->\n", "<!-- end of deviations -->"


def update(readme: Path, published: Path) -> None:
    """Replace what stands between the two marks; raises ValueError where a mark is missing."""
    before, _, rest = readme.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        raise ValueError(f"{readme}: the marks {BEGIN.strip()} and {END} are missing")
    readme.write_text(before + BEGIN + "\n".join(_lines(load(published))) + "\n\n" + end + after, encoding="utf-8")


def _lines(published: Published) -> Iterator[str]:
    """One heading per source, one bullet per reason with the number of figures and the metrics it speaks of."""
    known = [b for b in published.figures if b.known]
    figures = Counter((b.source, b.known.reason) for b in known if b.known)
    for name, source in published.sources.items():
        if source.reasons:
            deviating = sum(number for (owner, _), number in figures.items() if owner == name)
            yield f"\n### {name}: {source.figures} figures, {deviating} deviate\n"
        for key, text in source.reasons.items():
            metrics = sorted({b.metric for b in known if b.source == name and b.known and b.known.reason == text})
            yield f"- `{key}` ({figures[name, text]} × {', '.join(metrics)}): {text}"
