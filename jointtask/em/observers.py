"""Tells the observers of a run what happens, and goes on without those that fail."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from jointtask.api.observer import Observer
from jointtask.registry.sources import reason

__all__ = ["Observers"]


class Observers:
    """The observers that a run file names.

    Parameters
    ----------
    observers : mapping of str to Observer
        Observers by what messages call them.
    say : callable
        Receiver of the warning about an observer that raised.
    """

    def __init__(
        self, observers: Mapping[str, Observer] | None = None, say: Callable[[str], None] = lambda line: None
    ) -> None:
        self._observers = dict(observers or {})
        self._say = say

    def __bool__(self) -> bool:
        return bool(self._observers)

    def tell(self, method: str, *arguments: Any) -> None:
        """Call a method of every observer; one that raises is reported, and called no more."""
        for name, observer in list(self._observers.items()):
            try:
                getattr(observer, method)(*arguments)
            except KeyboardInterrupt:
                raise
            except BaseException as error:
                del self._observers[name]
                self._say(f"warning: {name} raised {reason(error)}; the run goes on without it")
