"""Saves a run while it is trained: when a checkpoint is due, and before it stops on a signal."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from jointtask.api.errors import RunError
from jointtask.em.processes import ALONE, World
from jointtask.em.state import State
from jointtask.running.directory import RunDirectory
from jointtask.running.probe import Probe
from jointtask.running.signals import Interrupted, Signals

__all__ = ["Autosave", "StoppedError", "told_as_stop"]


class StoppedError(RunError):
    """The run was asked to stop; what it has learnt is saved."""


class Autosave:
    """Saves the state between batches, and stops the run where a signal has asked for it.

    Parameters
    ----------
    directory : RunDirectory
        The run directory.
    state : State
        The state that is saved.
    every : float
        Least seconds between two checkpoints inside a round.
    signals : Signals
        The signals of this process, deferred.
    probe : Probe, optional
        Takes the energies that a resumed run is compared with; none are stored without it.
    world : World
        The processes of the run: a signal to one of them stops all.
    """

    def __init__(
        self,
        directory: RunDirectory,
        state: State,
        every: float,
        signals: Signals,
        probe: Probe | None = None,
        world: World = ALONE,
    ) -> None:
        self._directory = directory
        self._state = state
        self._every = every
        self._signals = signals
        self._probe = probe
        self._world = world
        self._last = time.monotonic()

    def save(self) -> None:
        """Save now."""
        checkpoint = self._state.checkpoint()
        self._directory.save_checkpoint(checkpoint if self._probe is None else self._probe.added(checkpoint))
        self._last = time.monotonic()

    def stop_if_asked(self) -> None:
        """Stop if a signal has come; may be called inside a batch, which is done again after a resume.

        One of several processes goes on: all of them stop together, between two batches.

        Raises
        ------
        StoppedError
            If a signal has come; everything up to the batch before is saved.
        """
        if self._signals.asked and self._world.size == 1:
            self._stop(self._signals.asked)

    def after_batch(self) -> None:
        """Save if it is time to, and stop if a signal has come; called between batches.

        Raises
        ------
        StoppedError
            If a signal has come, to this process or to another of the run.
        """
        if asked := self._world.largest(self._signals.asked):
            self._stop(asked)
        if time.monotonic() - self._last >= self._every:
            self.save()

    def _stop(self, number: int) -> NoReturn:
        self.save()
        # Wait for every process: torchrun kills the rest as soon as one exits, and the leader may still be saving.
        self._world.wait_for_all()
        raise _stopped(signal.Signals(number).name, self._directory)


@contextmanager
def told_as_stop(directory: RunDirectory) -> Iterator[None]:
    """Turn a signal outside of the training into a `StoppedError`: the last checkpoint holds what was learnt."""
    try:
        yield
    except Interrupted as error:
        raise _stopped(error.name, directory) from error


def _stopped(name: str, directory: RunDirectory) -> StoppedError:
    saved = f"everything is saved in {directory.path}" if directory.has_checkpoints else "nothing was trained yet"
    return StoppedError(f"stopped by {name}; {saved}", remedy="run the same command again to go on from here")
