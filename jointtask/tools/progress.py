"""Progress with phase and time left: a live line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, TextIO

from jointtask.api.names import printable
from jointtask.api.progress import Bar, Progress
from jointtask.tools import text

if TYPE_CHECKING:
    from rich.progress import Progress as Live
    from rich.progress import TaskID

__all__ = ["PlainProgress", "SilentProgress", "TerminalProgress", "open_progress"]


def open_progress(stream: TextIO | None = None) -> Progress:
    """Return live progress if the stream (standard error if None) is a terminal, plain lines otherwise."""
    stream = sys.stderr if stream is None else stream
    return TerminalProgress(stream) if stream.isatty() else PlainProgress(stream)


class _SilentBar:
    def advance(self, amount: int = 1) -> None:
        pass


class SilentProgress:
    """Reports nothing."""

    @contextmanager
    def phase(self, name: str, total: int) -> Iterator[Bar]:
        """Open a phase that nobody sees."""
        yield _SilentBar()

    def say(self, line: str) -> None:
        """Say nothing."""


class _PlainBar:
    def __init__(self, name: str, total: int, owner: PlainProgress) -> None:
        self._name, self._total, self._owner = name, total, owner
        self._done = 0
        self._lock = threading.Lock()
        self._began = self._told = owner.clock()

    def advance(self, amount: int = 1) -> None:
        with self._lock:
            self._done += amount
            now = self._owner.clock()
            if now - self._told < self._owner.interval or self._done >= self._total:
                return
            self._told = now
            rate = self._done / (now - self._began)
        left = text.duration((self._total - self._done) / rate) if rate > 0 else "?"
        self._owner.say(f"{self._name}: {self._done}/{self._total}, {rate:.3g}/s, {left} left")

    def close(self, finished: bool) -> None:
        seconds = text.duration(self._owner.clock() - self._began)
        outcome = "done" if finished else "stopped"
        self._owner.say(f"{self._name}: {outcome}, {self._done}/{self._total} in {seconds}")


class PlainProgress:
    """Plain lines: one when a phase begins, one when it ends, and at most one every few seconds between.

    Parameters
    ----------
    stream : file
        Stream that lines are written to.
    clock : callable, optional
        Time in seconds.
    interval : float, optional
        Least time in seconds between two lines of one phase.
    """

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic, interval: float = 10.0) -> None:
        self._stream, self.clock, self.interval = stream, clock, interval
        self._lock = threading.Lock()

    @contextmanager
    def phase(self, name: str, total: int) -> Iterator[Bar]:
        """Open a phase and write its first line; write its last on leaving, with the time it took."""
        self.say(f"{name}: {total}")
        bar = _PlainBar(name, total, self)
        try:
            yield bar
        except BaseException:
            bar.close(finished=False)
            raise
        bar.close(finished=True)

    def say(self, line: str) -> None:
        """Write one line at once; if nobody can read it any more, the work goes on."""
        with self._lock, suppress(OSError, ValueError):
            print(printable(line), file=self._stream, flush=True)


class _TerminalBar:
    def __init__(self, live: Live, task: TaskID) -> None:
        self._live, self._task = live, task

    def advance(self, amount: int = 1) -> None:
        self._live.advance(self._task, amount)


class TerminalProgress:
    """A live line for each open phase, with rate and time left; closed phases stay above it as plain lines.

    Parameters
    ----------
    stream : file
        A terminal.
    """

    def __init__(self, stream: TextIO) -> None:
        # rich takes a tenth of a second to import, which commands without progress need not wait for.
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Live

        self._live = Live(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            console=Console(file=stream, highlight=False, markup=False, soft_wrap=True),
            transient=True,
        )
        self._open = 0

    @contextmanager
    def phase(self, name: str, total: int) -> Iterator[Bar]:
        """Open a phase with its live line; leave one plain line behind, with the time it took."""
        began = time.monotonic()
        self._open += 1
        self._live.start()
        task = self._live.add_task(printable(name), total=total, rate="")
        outcome = "stopped"
        try:
            yield _TerminalBar(self._live, task)
            outcome = "done"
        finally:
            done = self._live.tasks[self._live.task_ids.index(task)].completed
            self._live.remove_task(task)
            self._open -= 1
            if not self._open:
                self._live.stop()
            self.say(f"{name}: {outcome}, {done:.0f}/{total} in {text.duration(time.monotonic() - began)}")

    def say(self, line: str) -> None:
        """Print one line above the live lines."""
        self._live.console.print(printable(line))
