"""The packaged suite: the architectures of the literature, the cases that judge them, and their baselines."""

from __future__ import annotations

from pathlib import Path

_HERE = Path(__file__).parent
BASELINES = next(folder for folder in (_HERE / "baselines", _HERE.parent / "baselines") if folder.is_dir())
"""Installed, the baselines lie inside the package; in a checkout, beside it."""
