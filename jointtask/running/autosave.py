"""Saves a run while it works: checkpoints when one is due, and a clean stop on a signal."""

from __future__ import annotations

import os
import signal
import time
from types import FrameType, TracebackType
from typing import NoReturn

from jointtask.api.errors import RunError
from jointtask.em.processes import ALONE, World
from jointtask.em.state import State
from jointtask.running.directory import RunDirectory

__all__ = ["Autosave", "StoppedError"]


class StoppedError(RunError):
    """The run was asked to stop; its state is saved."""


class Autosave:
    """Saves the state between batches.

    While entered, SIGTERM and SIGINT stop the run at the next batch, saved; a second one stops it at once.

    Parameters
    ----------
    directory : RunDirectory
        Where to save.
    state : State
        What to save.
    every : float
        Least seconds between two checkpoints inside a round.
    world : World
        The processes that stop together, whichever of them was asked to.
    """

    def __init__(self, directory: RunDirectory, state: State, every: float, world: World = ALONE) -> None:
        self._directory = directory
        self._state = state
        self._every = every
        self._world = world
        self._last = time.monotonic()
        self._signal: int | None = None
        self._handlers: dict[int, object] = {}

    def __enter__(self) -> Autosave:
        for number in (signal.SIGTERM, signal.SIGINT):
            try:
                self._handlers[number] = signal.signal(number, self._asked)
            except ValueError:  # not in the main thread: signals are somebody else's there
                break
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # what signal.signal itself returned

    def save(self) -> None:
        """Save now."""
        self._directory.save_checkpoint(self._state.checkpoint())
        self._last = time.monotonic()

    def stop_if_asked(self) -> None:
        """Stop if asked to; may be called inside a batch, which is then done again.

        One of several processes goes on: all of them meet between batches, and stop there.

        Raises
        ------
        StoppedError
            If a signal came; everything up to the batch before is saved.
        """
        if self._signal is not None and self._world.size == 1:
            self._stop(self._signal)

    def after_batch(self) -> None:
        """Save if it is time to, and stop if asked to; called between batches.

        Raises
        ------
        StoppedError
            If a signal came, to this process or to another of the run.
        """
        if asked := self._world.largest(self._signal or 0):
            self._stop(asked)
        if time.monotonic() - self._last >= self._every:
            self.save()

    def _stop(self, number: int) -> NoReturn:
        self.save()
        # Wait for every process: torchrun kills the rest as soon as one exits, and the leader may still be saving.
        self._world.wait_for_all()
        raise StoppedError(
            f"stopped by {signal.Signals(number).name}; everything is saved in {self._directory.path}",
            remedy="run the same command again to go on from here",
        )

    def _asked(self, number: int, frame: FrameType | None) -> None:
        if self._world.size > 1:  # torchrun may repeat a signal; it has its own time limit, and its own message
            self._signal = number
            return
        if self._signal is not None:
            raise KeyboardInterrupt
        self._signal = number
        # Not print: a signal may come in the middle of one.
        os.write(2, b"\nstopping after this batch, to save; a second signal stops at once\n")
