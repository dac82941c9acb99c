"""What the C library does with freed memory, for times and for resident sets. Only glibc's can be told."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from contextlib import suppress

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_MMAP_MAX = -1, -3, -4
"""Parameters of mallopt(3), from glibc's malloc.h: up to so many blocks (M_MMAP_MAX) from a size on (M_MMAP_THRESHOLD,
B) are mapped for themselves and returned when freed, and so is the heap's end (M_TRIM_THRESHOLD, B). By default the
threshold grows with what was freed, and the resident set by half."""
KEEPING = {M_MMAP_MAX: 0, M_TRIM_THRESHOLD: -1}
RETURNING = {M_MMAP_MAX: 2**16, M_MMAP_THRESHOLD: 4096, M_TRIM_THRESHOLD: 0}
PR_SET_THP_DISABLE = 41
"""Of prctl(2), from linux/prctl.h."""


def keep_freed_memory() -> bool:
    """Tell the C allocator to keep what is freed, for the next pass; False where it is not glibc's.

    By default it gives large blocks back to the system and gets them anew, or does not, depending on what was freed
    before: mobilenet_v2 then takes 12 or 17 ms, 2,500 page faults a pass or none, by chance of the process.
    """
    return _told(KEEPING)


def return_freed_memory() -> bool:
    """Tell the C allocator to map every large block and to return it when it is freed; False where it is not glibc's.

    Then what is resident follows what is in use, whatever the process measured before. Huge pages, which round every
    block up to 2 MiB, are off for this process.
    """
    if not _told(RETURNING):
        return False
    ctypes.CDLL(None).prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0)  # refused by a kernel that has none
    return True


def _told(ways: Mapping[int, int]) -> bool:
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return False
    return all(mallopt(parameter, value) for parameter, value in ways.items())


def trim() -> None:
    """Return to the system what is freed and still kept."""
    with suppress(AttributeError, OSError):  # a C library that has another allocator
        ctypes.CDLL(None).malloc_trim(0)
