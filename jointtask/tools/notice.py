"""One line on standard error about what could not be guaranteed, once a process."""

from __future__ import annotations

import sys
from contextlib import suppress

__all__ = ["note_once"]

_written: set[str] = set()


def note_once(line: str) -> None:
    """Write ``note: LINE`` to standard error, unless this process has written it before.

    A stream that is missing or closed loses the line and nothing else.
    """
    if line not in _written:
        _written.add(line)
        with suppress(OSError, ValueError, AttributeError):
            print(f"note: {line}", file=sys.stderr, flush=True)
