"""How the torch that is installed was built: two builds of one version need not be equally fast.

Read from torch's own files, not asked of it: importing it takes a second, which a run that only lists its cases spares.
"""

from __future__ import annotations

import ast
import re
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from pytest_archbench.environment.reading import text

UNKNOWN = "unknown"
NONE = "none"
VERSIONS = "version.py"
"""Assigns constants: the version, git's revision, what CUDA or HIP it was built for, and whether for debugging."""
CONFIGURATION = "include/ATen/Config.h"
"""Macros, 1 or 0: whether it has MKL and oneDNN, and what runs its threads."""
ONEDNN = "include/oneapi/dnnl/dnnl_version.h"
THREADS = {"AT_PARALLEL_OPENMP": "OpenMP", "AT_PARALLEL_NATIVE": "native", "AT_PARALLEL_NATIVE_TBB": "TBB"}
FACTS = ("version", "git", "debug", "cuda", "hip", "mkl", "onednn", "parallel")


def torch_build(folder: Path | None = None) -> dict[str, Any]:
    """The facts of ``FACTS`` by the files in torch's folder, that of the torch that is installed where none is named.

    ``cuda``, ``hip``, ``onednn``: a version, or ``none``. What the files do not tell, as where an installation has no
    headers, is ``unknown``.
    """
    home = folder or _installed()
    if home is None:
        return dict.fromkeys(FACTS, UNKNOWN)
    said = _constants(text(home / VERSIONS) or "")
    macros = _macros(text(home / CONFIGURATION) or "")
    return {
        "version": said.get("__version__", UNKNOWN),
        "git": said.get("git_version", UNKNOWN),
        "debug": said.get("debug", UNKNOWN),
        **{name: (said[name] or NONE) if name in said else UNKNOWN for name in ("cuda", "hip")},
        "mkl": bool(macros["AT_MKL_ENABLED"]) if "AT_MKL_ENABLED" in macros else UNKNOWN,
        "onednn": _onednn(macros, _macros(text(home / ONEDNN) or "")),
        "parallel": next((name for macro, name in THREADS.items() if macros.get(macro)), UNKNOWN),
    }


def _installed() -> Path | None:
    try:
        return Path(str(distribution("torch").locate_file("torch")))
    except PackageNotFoundError:
        return None


def _constants(source: str) -> dict[str, Any]:
    """The plain values that a module assigns to names; none of a file that is no Python."""
    try:
        statements = ast.parse(source).body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return {}
    found: dict[str, Any] = {}
    for each in statements:
        targets = getattr(each, "targets", None) or [getattr(each, "target", None)]
        value = getattr(each, "value", None)
        if isinstance(value, ast.Constant) and isinstance(value.value, str | bool | None):
            found |= {target.id: value.value for target in targets if isinstance(target, ast.Name)}
    return found


def _macros(header: str) -> dict[str, int]:
    """What a C header defines as a number, with ``()`` behind its name or without."""
    found = re.findall(r"^#define (\w+)(?:\(\))? ([0-9]{1,9})$", header, re.MULTILINE | re.ASCII)
    return {name: int(value) for name, value in found}


def _onednn(macros: dict[str, int], version: dict[str, int]) -> str:
    """``3.13.3``, or whether there is one at all."""
    if macros.get("AT_MKLDNN_ENABLED") == 0:
        return NONE
    parts = [version.get(f"DNNL_VERSION_{part}") for part in ("MAJOR", "MINOR", "PATCH")]
    return UNKNOWN if None in parts or not macros else ".".join(map(str, parts))
