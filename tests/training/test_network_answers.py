"""What a network may answer: scores alone, or under the name of logits."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from pytest_archbench.protocols import Unusable
from pytest_archbench.training import answers

SCORES = torch.zeros(2, 3)


@pytest.mark.parametrize("said", [SCORES, {"logits": SCORES, "other": 1}, SimpleNamespace(logits=SCORES)])
def test_scores_are_found(said: Any) -> None:
    assert answers.scores(said, "Net") is SCORES


@pytest.mark.parametrize(
    ("said", "got"),
    [
        ((SCORES, SCORES), "tuple"),
        ([SCORES], "list"),
        ({"out": SCORES}, "dict"),
        (None, "NoneType"),
        (SCORES[0], "a tensor of shape (3,)"),
        ({"logits": SCORES[None]}, "a tensor of shape (1, 2, 3)"),
    ],
)
def test_anything_else_is_refused(said: Any, got: str) -> None:
    with pytest.raises(Unusable) as refused:
        answers.scores(said, "Net")
    assert str(refused.value) == (
        f"Net: expected values of shape (batch, classes); got {got}; have it return those alone, or name them logits"
    )
