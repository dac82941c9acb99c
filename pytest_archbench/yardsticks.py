"""What a run is held against beside published figures: the project's promoted values, and its earlier runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pytest_archbench import grades, history, own, past
from pytest_archbench.alarm import PER_NIGHT
from pytest_archbench.history import Past
from pytest_archbench.points import Key, key, key_of, point_of
from pytest_archbench.records import Measurement, Metric, Point, Verdict
from pytest_archbench.registry import METRICS


@dataclass(frozen=True, slots=True)
class Yardsticks:
    """``header`` is that of the run whose measurements are judged; ``earlier`` is None where no history was named."""

    header: Mapping[str, Any] = field(default_factory=dict)
    promoted: Mapping[Key, Point] = field(default_factory=dict)
    earlier: Past | None = None
    nights: int = 20

    @classmethod
    def of(
        cls, header: Mapping[str, Any], baselines: Path, folder: Path | None, nights: int = 20, without: str = ""
    ) -> Yardsticks:
        """Read the promoted runs in ``baselines`` and the runs in ``folder``, ``without`` naming this very run.

        ``nights``: by how many of them a value is judged, the latest that compare.

        Raises: OwnBaselineError, JournalError.
        """
        # Twice as many are read: some may not compare.
        earlier = history.load(folder, without, last=2 * nights) if folder else None
        return cls(header, own.read(baselines), earlier, nights)

    @property
    def left_out(self) -> tuple[str, ...]:
        """Which journals of the history no verdict rests on, and why."""
        if self.earlier is None:
            return ()
        read_on = self.earlier.older.reading.broken if self.earlier.older is not None else []
        return tuple(dict.fromkeys([*self.earlier.broken, *read_on, *self.earlier.repeated]))

    def verdicts(self, measurement: Measurement) -> tuple[Verdict, ...]:
        """One verdict per yardstick that knows the case; none where nothing was measured.

        What fitted into memory when it was promoted and does not now has regressed.
        """
        point = point_of(measurement, self.header)
        if point is None:
            return self._out_of_memory(measurement) if measurement.status == "oom" else ()
        metric, case = METRICS[point.metric], key(point)
        found = [grades.against(point, self.promoted[case], metric)] if case in self.promoted else []
        if self.earlier is not None:
            found.append(self._against_history(point, self.earlier, self.promoted.get(case), metric))
        return tuple(found)

    def _out_of_memory(self, measurement: Measurement) -> tuple[Verdict, ...]:
        case = key_of(measurement.architecture, measurement.metric, measurement.conditions)
        fitted = self.promoted.get(case)
        if fitted is None:
            return ()
        source = f"run {fitted.run}"
        said = f"{fitted.subject}: out of memory, where {source} had {fitted.value} {fitted.unit}"
        return (Verdict("regressed", f"{said}: {measurement.message}", source, str(fitted.value), fitted.unit),)

    def _against_history(self, point: Point, earlier: Past, promoted: Point | None, metric: Metric) -> Verdict:
        """An accuracy on the same images as the latest has a sharper test than the scatter of earlier ones, at a risk
        that the number of series divides.
        """
        series = past.accepted(earlier.of(key(point), self.nights), promoted)
        paired = _paired(point, series)
        if paired is not None:
            risk = min(grades.RISK, PER_NIGHT / max(1, earlier.noisy))
            return grades.against(point, paired, metric, risk=risk)
        return past.against_history(point, series, metric, max(1, earlier.noisy), self.nights)

    def counterpart(self, measurement: Measurement) -> Point | None:
        """What an accuracy will be compared with image by image, if there is anything."""
        point = point_of(measurement, self.header)
        if point is None:
            return None
        case = key(point)
        series = self.earlier.of(case, self.nights) if self.earlier is not None else ()
        return self.promoted.get(case) or _paired(point, series)


def _paired(point: Point, series: Sequence[Point]) -> Point | None:
    """The latest of earlier runs with outcomes of its images that raised no alarm, where this one has them."""
    usable = (each for each in reversed(series) if each.outcomes and not each.alarmed)
    return next(usable, None) if point.outcomes else None
