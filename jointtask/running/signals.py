"""Signals that ask for a stop - SIGTERM, SIGINT, and SIGHUP of a closed terminal - during a run or a comparison."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType, TracebackType

__all__ = ["Interrupted", "Signals"]

_HANDLED = [getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGHUP") if hasattr(signal, name)]


class Interrupted(KeyboardInterrupt):
    """A signal asked the work to stop.

    It is no `Exception`, so that no plugin and no tolerant part of the core takes it for its own.

    Attributes
    ----------
    name : str
        Name of the signal, such as "SIGTERM".
    """

    def __init__(self, number: int) -> None:
        super().__init__()
        self.name = signal.Signals(number).name


class Signals:
    """Handles the signals while it is entered: one raises `Interrupted` at once, or waits where it is `deferred`.

    Nothing is handled outside of the main thread, where signals belong to the program around.

    Parameters
    ----------
    many : bool
        Whether this is one process of several: outside of `deferred` signals are then left to `torchrun.joined`.

    Attributes
    ----------
    asked : int
        Number of the signal that has come; 0 if none has.
    """

    def __init__(self, many: bool = False) -> None:
        self.asked = 0
        self._many = many
        self._deferred = False
        self._before: dict[int, object] = {}

    def __enter__(self) -> Signals:
        for number in _HANDLED:
            if number == getattr(signal, "SIGHUP", None) and signal.getsignal(number) is signal.SIG_IGN:
                continue  # nohup: the work goes on when the terminal is closed
            try:
                self._before[number] = signal.signal(number, self._handle)
            except ValueError:
                break
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # what signal.signal itself returned

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Let the work inside look at `asked` by itself; a signal that it did not see is raised at the end.

        A second signal raises KeyboardInterrupt at once.

        Raises
        ------
        Interrupted
            If a signal came that nothing inside acted on.
        """
        self._deferred = True
        try:
            yield
        finally:
            self._deferred = False
        if self.asked:
            raise Interrupted(self.asked)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        before = self._before[number]
        if self._many and not self._deferred and callable(before):
            before(number, frame)  # of `torchrun.joined`, which knows whether this process is ending already
            return
        first, self.asked = not self.asked, self.asked or number
        if not self._deferred:
            raise Interrupted(number) if first else KeyboardInterrupt
        if self._many:  # torchrun repeats signals; it has a time limit and a message of its own
            return
        if not first:
            raise KeyboardInterrupt
        # Not print: a signal may come in the middle of one. The terminal may be gone, too.
        with suppress(OSError):
            os.write(2, b"\nstopping after this batch, to save; a second signal stops at once\n")
