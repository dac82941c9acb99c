"""Statistics of proportions: intervals, a paired test, what holds at every look, and outcomes as text. Pure.

Standard library only.
"""

from __future__ import annotations

import base64
import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_archbench.protocols import Outcomes

PRIOR = 0.5
"""Both parameters of Jeffreys' prior, a beta distribution: the weights of the shares that ``evidence`` mixes. Any other
is as valid; this one gives ranges near 0 and 1 that are not much wider than they must be."""

HALVINGS = 60
"""How often a range's end is halved in on: more than a float of the size of a share can tell."""


@dataclass(frozen=True, slots=True)
class Range:
    """Shares (0 to 1) that hold the true one with probability ``confidence`` or more."""

    low: float
    high: float
    confidence: float

    @property
    def half_width(self) -> float:
        return (self.high - self.low) / 2


@dataclass(frozen=True, slots=True)
class Pairs:
    """The images that two networks both saw, ``images`` of them: how many only one got right, and how many both."""

    only_ours: int
    only_theirs: int
    both: int
    images: int

    @property
    def difference(self) -> float:
        """Our share minus theirs, of the common images."""
        return (self.only_ours - self.only_theirs) / self.images

    @property
    def ours(self) -> float:
        """Our share of the common images."""
        return (self.only_ours + self.both) / self.images

    @property
    def theirs(self) -> float:
        """Their share of the common images."""
        return (self.only_theirs + self.both) / self.images


def wilson(successes: int, trials: int, confidence: float = 0.95) -> Range:
    """The range of a proportion that the score test does not reject, from a number of trials fixed beforehand.

    Source: Wilson, J. Am. Stat. Assoc. 22 (1927) 209; recommended over others by Brown, Cai and DasGupta, Stat. Sci. 16
    (2001) 101. For a sample without replacement it is wider than need be. Raises ValueError.
    """
    _require_counts("wilson", successes, trials)
    _require_share("wilson: confidence", confidence)
    if trials == 0:
        return Range(0.0, 1.0, confidence)
    z2 = statistics.NormalDist().inv_cdf((1 + confidence) / 2) ** 2
    middle = (successes + z2 / 2) / (trials + z2)
    half_width = math.sqrt(z2 * (successes * (trials - successes) / trials + z2 / 4)) / (trials + z2)
    low = middle - half_width if successes else 0.0
    return Range(low, middle + half_width if successes < trials else 1.0, confidence)


def mcnemar(only_ours: int, only_theirs: int) -> float:
    """The chance that two networks equally good differ in at least this proportion on the images that only one gets
    right, to either side: twice the binomial tail of a fair coin, exact but for the rounding of floats.

    Source: McNemar, Psychometrika 12 (1947) 153, with the exact tail in place of his approximation.
    """
    discordant, fewer = only_ours + only_theirs, min(only_ours, only_theirs)
    if fewer < 0:
        raise ValueError(f"mcnemar: expected numbers of images; got {only_ours} and {only_theirs}")
    term = total = 1.0  # of the tail, in units of its largest term C(discordant, fewer)
    for k in range(fewer, 0, -1):
        term *= k / (discordant - k + 1)
        total += term
    return min(1.0, 2 * math.comb(discordant, fewer) / (1 << discordant) * total)


def evidence(share: float, successes: int, trials: int, total: int = 0) -> float:
    """The logarithm of the evidence against ``share`` being the true proportion: of how much more probable the outcomes
    are under all proportions mixed (``PRIOR``) than under this one. Infinite where they are impossible under it.

    With ``total``, outcomes are drawn without replacement from so many, of which ``share`` are successes. Under the
    true share the evidence is a martingale, so the chance that it ever reaches 1 / risk is at most the risk (Ville).
    """
    mixed = _log_beta(PRIOR + successes, PRIOR + trials - successes) - _log_beta(PRIOR, PRIOR)
    if total:
        return mixed - _log_drawn(share * total, successes, trials, total)
    return mixed - _log_power(share, successes) - _log_power(1 - share, trials - successes)


def sequence(successes: int, trials: int, risk: float, total: int = 0) -> Range:
    """The shares that evidence of 1 / ``risk`` does not speak against: at every number of trials at once they hold the
    true one, but for a chance of at most ``risk``, so that one may look as often as one likes and stop when it suits.

    Without ``total`` trials are independent; for images drawn without replacement it is then too wide, if anything:
    what was drawn too often is rarer in the rest. With ``total`` the images left are taken into account, and when all
    are seen their share is what is left.

    Source: Robbins, Ann. Math. Statist. 41 (1970) 1397; without replacement Waudby-Smith and Ramdas, Confidence
    sequences for sampling without replacement (2020), section 2. Raises ValueError.
    """
    _require_counts("sequence", successes, trials)
    _require_share("sequence: risk", risk)
    if total and total < trials:
        raise ValueError(f"sequence: expected at most {total} trials, as there are no more images; got {trials}")
    if trials == 0:
        return Range(0.0, 1.0, 1 - risk)

    def holds(share: float) -> bool:
        return evidence(share, successes, trials, total) < -math.log(risk)

    likely = successes / trials
    lowest = successes / total if total else 0.0
    highest = (total - trials + successes) / total if total else 1.0
    return Range(_end(holds, likely, lowest), _end(holds, likely, highest), 1 - risk)


def _end(holds: Callable[[float], bool], inside: float, outside: float) -> float:
    """Where ``holds`` ceases to between a share for which it does and the outermost one, by bisection."""
    for _ in range(HALVINGS):
        middle = (inside + outside) / 2
        if holds(middle):
            inside = middle
        else:
            outside = middle
    return outside


def _log_drawn(marked: float, successes: int, trials: int, total: int) -> float:
    """The log-probability of one order of outcomes, drawn without replacement where ``marked`` of the total succeed."""
    if not successes <= marked <= total - trials + successes:
        return -math.inf
    return _log_choose(total - trials, marked - successes) - _log_choose(total, marked)


def _log_choose(n: float, k: float) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


def _log_power(base: float, exponent: int) -> float:
    if exponent == 0:
        return 0.0
    return exponent * math.log(base) if base > 0 else -math.inf


def pack(bits: Sequence[bool]) -> str:
    """Outcomes as text: eight to a byte, the first one its highest bit, the last byte filled up with 0; base64."""
    size = _bytes_of(len(bits))
    digits = "".join("1" if bit else "0" for bit in bits).ljust(8 * size, "0")
    return base64.b64encode(int(digits or "0", 2).to_bytes(size, "big")).decode("ascii")


def unpack(text: str, count: int) -> list[bool]:
    """The ``count`` outcomes that ``pack`` wrote; raises ValueError for a text that it cannot have written."""
    return [digit == "1" for digit in f"{_number(text, count):0{count}b}"[:count]]


def right(outcomes: Outcomes) -> int:
    """How many of the evaluated images the network got right; raises ValueError as ``unpack`` does."""
    return _number(outcomes.correct, outcomes.count).bit_count()


def discordant(ours: Outcomes, theirs: Outcomes) -> Pairs:
    """What two networks did on the images that both saw, the first ones of the same order, less those that either could
    not read. Raises ValueError as ``unpack`` does; that the images are the same is the caller's to know.
    """
    common = min(ours.count, theirs.count)
    unread = {at for each in (ours, theirs) for at in each.unread if at < common}
    blank = sum(1 << (common - 1 - at) for at in unread)
    here, there = ((_number(each.correct, each.count) >> (each.count - common)) & ~blank for each in (ours, theirs))
    both = (here & there).bit_count()
    return Pairs(here.bit_count() - both, there.bit_count() - both, both, common - len(unread))


def _number(text: str, count: int) -> int:
    """The outcomes as the binary digits of one integer, the first its highest."""
    size = _bytes_of(count)
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError as error:
        raise ValueError(f"outcomes of {count} images: expected base64; got {text[:20]!r}: {error}") from error
    if len(data) != size:
        raise ValueError(f"outcomes of {count} images: expected {size} bytes in base64; got {len(data)}")
    number, spare = int.from_bytes(data, "big"), 8 * size - count
    if number & ((1 << spare) - 1):
        raise ValueError(f"outcomes of {count} images: expected 0 in the last {spare} bits; got {data[-1]:08b}")
    return number >> spare


def _bytes_of(count: int) -> int:
    if count < 0:
        raise ValueError(f"outcomes: expected a number of images; got {count}")
    return (count + 7) // 8


def _require_counts(asking: str, successes: int, trials: int) -> None:
    if not 0 <= successes <= trials:
        raise ValueError(f"{asking}: expected 0 to {trials} successes of {trials} trials; got {successes}")


def _require_share(what: str, value: float) -> None:
    if not 0 < value < 1:
        raise ValueError(f"{what}: expected a share between 0 and 1; got {value}")
