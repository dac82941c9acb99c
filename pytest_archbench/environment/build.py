"""How the torch that is installed was built: two builds of one version need not be equally fast."""

from __future__ import annotations

import re
from typing import Any

UNKNOWN = "unknown"
NONE = "none"
STATED = {
    "blas": r"BLAS_INFO=([\w.+-]+)",
    "onednn": r"MKL-DNN (v[\w.]+)",
    "parallel": r"ATen parallel backend: (.+)",
}
"""Facts that torch tells in prose only (``torch.__config__``): the library of matrix products, that of convolutions,
and what runs its threads. The number of threads, which stands there too, is a condition of each measurement."""
FACTS = ("version", "git", "debug", "cuda", "hip", *STATED)


def torch_build() -> dict[str, Any]:
    """The facts of ``FACTS``; all ``unknown`` where torch cannot be imported, which costs a second the first time."""
    try:
        import torch
    except (ImportError, OSError):  # OSError: a shared library of its own is missing
        return dict.fromkeys(FACTS, UNKNOWN)
    return {
        "version": str(torch.__version__),
        "git": torch.version.git_version or UNKNOWN,
        "debug": bool(torch.version.debug),
        "cuda": torch.version.cuda or NONE,
        "hip": torch.version.hip or NONE,
        **stated(f"{torch.__config__.show()}\n{torch.__config__.parallel_info()}"),
    }


def stated(prose: str) -> dict[str, str]:
    """What torch's own description says of each fact of ``STATED``."""
    found = {fact: re.search(pattern, prose) for fact, pattern in STATED.items()}
    return {fact: match[1].strip() if match else UNKNOWN for fact, match in found.items()}
