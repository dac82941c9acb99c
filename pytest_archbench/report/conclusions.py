"""The conclusions of the papers, judged on data at hand: a source's published figures, or the rows of one run. Pure.

What is concluded, where, and by which thresholds, stands in ``pytest_archbench.claims``. A sentence names networks as
the frame does and is plain text: whoever writes it into a document escapes it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from pytest_archbench.claims import CLAIMS, EXPLAINED, FEWEST, MARGIN, REVERSED, UNEQUAL
from pytest_archbench.records import Baseline
from pytest_archbench.report import constraints
from pytest_archbench.report.columns import counted
from pytest_archbench.report.constraints import GIB, JUDGED_BY, MEMORY_LIMITS, RATE_LIMITS, Rank
from pytest_archbench.report.drawing import Law
from pytest_archbench.report.evidence import (
    Setting,
    amount,
    between,
    lacking,
    listed,
    most,
    networks,
    one_batch,
    settings,
    subject,
)
from pytest_archbench.report.fits import Form, front, law

EXAMPLES = 3
ALIKE = "on one device at one batch size"


@dataclass(frozen=True, slots=True)
class Conclusion:
    """What became of a claim: ``holds`` is None where the data are too few, and the sentence says what is lacking."""

    name: str
    statement: str
    source: str
    holds: bool | None
    sentence: str


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """What is judged: rows of ``frames.networks``, and printed ranks, of which those on the frame's devices count."""

    frame: pd.DataFrame
    ranks: tuple[Rank, ...] = ()


Finding = tuple[bool | None, str]
Judge = Callable[[Evidence], Finding]


def of(frame: pd.DataFrame, figures: Iterable[Baseline] = ()) -> list[Conclusion]:
    """Every conclusion, judged on the networks of one run or of one source.

    ``figures`` may hold ranks that a paper prints for devices of the frame (metric ``constrained_rank``).
    """
    figures = tuple(figures)
    return [conclude(name, frame, figures) for name in CLAIMS]


def conclude(name: str, frame: pd.DataFrame, figures: Iterable[Baseline] = ()) -> Conclusion:
    """One conclusion by its name in ``claims.CLAIMS``. Raises: KeyError for another; ValueError for a bad rank."""
    claim = CLAIMS[name]
    holds, sentence = JUDGES[name](Evidence(frame, tuple(constraints.printed(figures))))
    return Conclusion(claim.name, claim.statement, claim.source, holds, sentence)


def operations_do_not_give_accuracy(data: Evidence) -> Finding:
    """Among pairs of networks, how often has the one of more operations the lower top-1?"""
    needs = ("macs", "top1")
    found = networks(data.frame, needs)
    if len(found) < FEWEST:
        return None, lacking(data.frame, needs, len(found))
    macs, top1 = found["macs"].to_numpy(), found["top1"].to_numpy()
    if not np.ptp(macs):
        return None, f"{subject(found, needs)}: all do as many operations, which says nothing of more of them."
    one, other = np.triu_indices(len(found), 1)
    more, less = np.where(macs[one] > macs[other], (one, other), (other, one))
    pairs = macs[more] > macs[less]
    wrong = pairs & (top1[less] - top1[more] > MARGIN)
    share = wrong.sum() / pairs.sum()
    said = (
        f"{subject(found, needs)}: in {wrong.sum()} of {pairs.sum()} pairs ({share:.0%}) the network of more operations"
        f" has the lower top-1, by more than {MARGIN * 100:g} points{_correlation(found)}."
    )
    return bool(share >= REVERSED), " ".join([said, *_examples(found, more[wrong], less[wrong])])


def _correlation(found: pd.DataFrame) -> str:
    """Nothing where all have the same top-1, of which there are no ranks."""
    if not np.ptp(found["top1"]):
        return ""
    return f"; Spearman's rank correlation is {found['macs'].rank().corr(found['top1'].rank()):.2f}"


def _examples(found: pd.DataFrame, more: npt.NDArray[np.intp], less: npt.NDArray[np.intp]) -> list[str]:
    """The pairs furthest apart in operations, no network of more operations twice."""
    names, macs, top1 = (found[key].to_numpy() for key in ("name", "macs", "top1"))
    told: dict[str, str] = {}
    for place in np.argsort(-macs[more] / macs[less], kind="stable"):
        above, below = more[place], less[place]
        ratio, points = macs[above] / macs[below], (top1[below] - top1[above]) * 100
        sentence = (
            f"{names[above]} does {ratio:.3g} times the operations of {names[below]} for {points:.2f} points less."
        )
        told.setdefault(names[above], sentence)
        if len(told) == EXAMPLES:
            break
    return list(told.values())


def parameters_are_used_unequally(data: Evidence) -> Finding:
    """How far apart are the highest and the lowest top-1 per parameter?"""
    needs = ("accuracy_density",)
    found = networks(data.frame, needs).sort_values("accuracy_density", ascending=False, kind="stable")
    if len(found) < FEWEST:
        return None, lacking(data.frame, needs, len(found))
    ratio = found["accuracy_density"].iloc[0] / found["accuracy_density"].iloc[-1]
    each = [
        f"{name} ({amount(value, 'accuracy_density')})"
        for name, value in zip(found["name"], found["accuracy_density"], strict=True)
    ]
    return bool(ratio >= UNEQUAL), (
        f"{subject(found, needs)}: the most top-1 per parameter have {listed(each[:EXAMPLES])}, the least"
        f" {listed(each[-EXAMPLES:])}: a factor of {ratio:.3g}."
    )


def operations_predict_time(data: Evidence) -> Finding:
    """How much of the differences in time does a power of the number of operations explain, on every device and batch?

    ``r2`` is that of logarithms: a network of ten times the operations may be off by ten times the seconds.
    """
    needs = ("macs", "image_latency")
    laws = _laws(data.frame, needs, "power")
    if not laws:
        return None, lacking(data.frame, needs, most(data.frame, needs), ALIKE)
    devices = dict.fromkeys(setting.device for setting in laws)
    told = [
        _range(device, {s.batch_size: fit.r2 for s, fit in laws.items() if s.device == device}) for device in devices
    ]
    spreads = [_spread(setting.rows, fit) for setting, fit in laws.items()]
    weak = [setting.place for setting, fit in laws.items() if not _predicts(fit)]
    verdict = f" No estimate, for which r² of {EXPLAINED:g} is asked: {'; '.join(weak)}." if weak else ""
    return not weak, (
        f"{_subject(laws, needs)}: r² of time per image as a power of operations is {'; '.join(told)}."
        f" The typical network is off by a factor of {between(spreads, '.2f')}.{verdict}"
    )


def _laws(frame: pd.DataFrame, needs: tuple[str, str], form: Form) -> dict[Setting, Law]:
    """The law of each setting; a setting in which all networks are alike has none."""
    across, up = needs
    fits = {setting: law(setting.rows[across], setting.rows[up], form) for setting in settings(frame, needs)}
    return {setting: fit for setting, fit in fits.items() if fit is not None}


def _predicts(fit: Law) -> bool:
    rising = fit.scale > 0 and fit.exponent > 0
    return rising and fit.r2 >= EXPLAINED


def _range(device: str, r2: Mapping[int, float]) -> str:
    """``0.71 (batch 1) to 0.87 (batch 4) on cuda:0``."""
    low, high = (choose(r2, key=lambda batch: r2[batch]) for choose in (min, max))
    return f"{' to '.join(dict.fromkeys(f'{r2[batch]:.2f} (batch {batch})' for batch in (low, high)))} on {device}"


def _spread(rows: pd.DataFrame, fit: Law) -> float:
    """The standard deviation of the logarithm of time about the law, as a factor."""
    off = np.log(rows["image_latency"]) - np.log(fit.scale * rows["macs"] ** fit.exponent)
    return float(np.exp(np.sqrt((off**2).mean())))


def _subject(found: Iterable[Setting], needs: Sequence[str]) -> str:
    return subject(pd.concat([setting.rows for setting in found]), needs)


def throughput_bounds_accuracy(data: Evidence) -> Finding:
    """Which networks are Pareto-optimal in top-1 and images per second, and does the fastest of them cost accuracy?"""
    needs = ("image_rate", "top1")
    found = one_batch(settings(data.frame, needs))
    if not found:
        return None, lacking(data.frame, needs, most(data.frame, needs), ALIKE)
    fronts = [setting.rows.loc[list(front(setting.rows, "image_rate", "top1"))] for setting in found]
    told = [_front(setting, best) for setting, best in zip(found, fronts, strict=True)]
    bound = [best["top1"].iloc[0] - best["top1"].iloc[-1] > MARGIN for best in fronts]
    return all(bound), f"{_subject(found, needs)}. {' '.join(told)}"


def _front(setting: Setting, best: pd.DataFrame) -> str:
    """The Pareto front by rising rate, its ends with their numbers."""
    names = list(best["name"])
    if len(names) == 1:
        return f"On {setting.place}, {names[0]} is both the fastest and the most accurate."
    for end in (0, -1):
        row = best.iloc[end]
        names[end] += f" ({amount(row['top1'], 'top1')}, {amount(row['image_rate'], 'image_rate')})"
    return f"On {setting.place}, the Pareto front of {counted(len(names), 'network')} is {listed(names)}."


def limits_choose_the_network(data: Evidence) -> Finding:
    """Is another network the best under other limits, on every device, and are the ranks those that a paper prints?

    A device on which no network keeps to any of the limits says nothing.
    """
    here = data.frame[data.frame["batch_size"] == 1]
    frame = constraints.lent(here)
    found = settings(frame, JUDGED_BY)
    if not found:
        return None, lacking(data.frame, JUDGED_BY, most(frame, JUDGED_BY), "on one device at batch size 1")
    tables = [constraints.under_limits(setting.rows) for setting in found]
    leaders = [table[table["rank"] == 1] for table in tables]
    told = " ".join(_leaders(setting, best) for setting, best in zip(found, leaders, strict=True))
    agrees, against = _against_print(frame, data.ranks)
    best = [table["architecture"].nunique() for table in leaders if len(table)]
    several = all(count > 1 for count in best) if best else None
    parts = [f"{_subject(found, JUDGED_BY)}. {told}", constraints.note(here), against]
    return several if agrees else False, " ".join(filter(None, parts))


def _leaders(setting: Setting, best: pd.DataFrame) -> str:
    """``Best on cpu: up to 0.7 GiB a, b, c; up to 1 GiB d, d, e (at 15, 30, 60 img/s).``"""
    names = {(row["max_memory"], row["min_rate"]): row["architecture"] for row in best.to_dict("records")}
    rates = f"(at {', '.join(f'{rate:g}' for rate in RATE_LIMITS)} img/s)"
    cells = [
        f"up to {limit / GIB:g} GiB {', '.join(str(names.get((limit, rate), 'none')) for rate in RATE_LIMITS)}"
        for limit in MEMORY_LIMITS
    ]
    return f"Best on {setting.device}: {'; '.join(cells)} {rates}."


def _against_print(frame: pd.DataFrame, ranks: tuple[Rank, ...]) -> tuple[bool, str]:
    """Whether every rank that is printed of these devices is found, and what differs; true where none is printed."""
    here = [rank for rank in ranks if rank.place.device in set(frame["device"])]
    if not here:
        return True, ""
    differing = constraints.differences(frame, here)
    wrong = [each for each in differing if not each.tied]
    ties = len(differing) - len(wrong)
    said = f"Of {counted(len(here), 'printed rank')} {len(differing)} differ, {ties} of them as ties."
    return not wrong, " ".join([said, *(f"Another: {each}." for each in wrong[:EXAMPLES])])


def model_size_predicts_memory(data: Evidence) -> Finding:
    """How much of the differences in memory does a line through the sizes of the models explain, at one batch size?"""
    needs = ("model_size", "peak_memory")
    laws = _laws(data.frame, needs, "line")
    if not laws:
        return None, lacking(data.frame, needs, most(data.frame, needs), ALIKE)
    chosen = {setting: laws[setting] for setting in one_batch(list(laws))}
    told = " ".join(_line(setting, fit) for setting, fit in chosen.items())
    return all(map(_predicts, chosen.values())), f"{_subject(chosen, needs)}. {told}"


def _line(setting: Setting, fit: Law) -> str:
    least = setting.rows.nsmallest(1, "peak_memory").iloc[0]
    return (
        f"On {setting.place}, peak memory is {amount(fit.offset, 'peak_memory')} + {fit.scale:.2f} × model size"
        f" with r² {fit.r2:.2f}; the least is {amount(least['peak_memory'], 'peak_memory')} ({least['name']})."
    )


JUDGES: dict[str, Judge] = {
    judge.__name__: judge
    for judge in (
        operations_do_not_give_accuracy,
        parameters_are_used_unequally,
        operations_predict_time,
        throughput_bounds_accuracy,
        limits_choose_the_network,
        model_size_predicts_memory,
    )
}
