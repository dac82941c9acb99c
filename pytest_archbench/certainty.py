"""When an evaluation may end early: as soon as all that it was asked for is certain but for a risk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pytest_archbench import grades
from pytest_archbench.baselines import Published
from pytest_archbench.judge import speaking
from pytest_archbench.meters import Part, meter_of
from pytest_archbench.records import Case, Settings
from pytest_archbench.registry import METRICS
from pytest_archbench.runner import Answered, measurement
from pytest_archbench.yardsticks import Yardsticks


def is_certain(
    case: Case, part: Part, metrics: Sequence[str], published: Published, yardsticks: Yardsticks, settings: Settings
) -> bool:
    """Whether with this part every verdict is certain on those of ``metrics`` that the case's meter yields.

    They end together and share the risk, ``Learning.risk``. What cannot be measured has no verdict to wait for.
    """
    risk = settings.learning.risk
    asked = [metric for metric in meter_of(case.metric).metrics if metric in metrics and metric in part.readings]
    if not risk or not asked:
        return False
    return all(
        _is_certain(replace(case, metric=metric), part, published, yardsticks, settings, risk / len(asked))
        for metric in asked
    )


def _is_certain(
    case: Case, part: Part, published: Published, yardsticks: Yardsticks, settings: Settings, risk: float
) -> bool:
    found = measurement(case, [Answered(part.readings)], settings)
    if found.status == "skipped":
        return True
    figures = speaking(published, case.architecture, found)
    return grades.settled(found, figures, yardsticks.counterpart(found), METRICS[case.metric], risk)
