"""Keeps freed memory for the next batch instead of giving it back to the system."""

from __future__ import annotations

import ctypes
import os

__all__ = ["keep_freed_memory"]

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3  # of mallopt(3)
_LARGEST = 2**25  # the largest threshold that glibc takes: larger blocks still go back to the system
_NEVER = 2**31 - 1


def keep_freed_memory() -> bool:
    """Tell the C library's allocator to keep what is freed; see docs/decisions/machine.md for what it saves.

    Returns
    -------
    bool
        Whether it was told: not where the user has set the allocator's own ``MALLOC_...`` variables, nor where the C
        library has no ``mallopt``.
    """
    if any(name.startswith("MALLOC_") for name in os.environ):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    settings = ((_MMAP_THRESHOLD, _LARGEST), (_TRIM_THRESHOLD, _NEVER), (_TOP_PAD, 2 * _LARGEST))
    return all(mallopt(name, value) for name, value in settings)
