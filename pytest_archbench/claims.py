"""What the papers concluded, and when data bear it out: names, sentences and thresholds.

Standard library only: a run that collects knows its cases by these names and imports nothing heavy for it.
"""

from __future__ import annotations

from dataclasses import dataclass

FEWEST = 8
"""Networks below which nothing is concluded: eight points are the fewest whose r² of a half is hardly chance (t-test of
a correlation with six degrees of freedom: t = 2.449, p = 0.05; with seven points p = 0.08)."""
EXPLAINED = 0.5
"""r² from which a quantity is said to predict another: it then explains more of the differences than all else does."""
REVERSED = 0.1
"""Share of pairs with the wrong order from which an order is said not to hold: one choice in ten would be wrong."""
MARGIN = 0.005
"""Top-1, as a fraction, within which two networks count as equal: what resizing and library versions move the accuracy
of one network by (ResNet-18 has 69.64 % in Bianco et al., 69.76 % in torchvision, 70.14 % in Cadene's table)."""
UNEQUAL = 10.0
"""Ratio of highest to lowest accuracy per parameter from which use is said to be unequal: accuracies of networks anyone
would take differ by less than a factor of two, so that a factor of ten is one of their parameters."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A conclusion: its ``statement``, and in ``source`` where it was drawn."""

    name: str
    statement: str
    source: str


CLAIMS = {
    claim.name: claim
    for claim in (
        Claim(
            "operations_do_not_give_accuracy",
            "More operations do not mean more accuracy.",
            "Bianco et al. 2018, Fig. 1; Canziani et al. 2016, Fig. 2",
        ),
        Claim(
            "parameters_are_used_unequally",
            "Networks use their parameters with very different efficiency.",
            "Canziani et al. 2016, Fig. 10; Bianco et al. 2018, Fig. 2",
        ),
        Claim(
            "operations_predict_time",
            "The number of operations is a reliable estimate of the inference time.",
            "Canziani et al. 2016, abstract (4) and Fig. 7",
        ),
        Claim(
            "throughput_bounds_accuracy",
            "The throughput that is asked for bounds the accuracy that can be had.",
            "Bianco et al. 2018, Section V.D and Fig. 3; Canziani et al. 2016, abstract (2) and Fig. 9",
        ),
        Claim(
            "limits_choose_the_network",
            "Which network is best depends on the limits of memory and speed.",
            "Bianco et al. 2018, Section V.G and Table 3",
        ),
        Claim(
            "model_size_predicts_memory",
            "The size of the model predicts the memory in use.",
            "Bianco et al. 2018, Section V.F and Fig. 4",
        ),
    )
}
