"""What long work reports to: phases with a bar each, and lines."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

__all__ = ["Bar", "Progress"]


class Bar(Protocol):
    """One phase under way."""

    def advance(self, amount: int = 1) -> None:
        """Say that `amount` more units are done. Safe from any thread."""
        ...


class Progress(Protocol):
    """Where long work reports."""

    def phase(self, name: str, total: int) -> AbstractContextManager[Bar]:
        """Open a phase of `total` units; it is closed on leaving the context."""
        ...

    def say(self, line: str) -> None:
        """Print one line, above the live line if there is one."""
        ...
