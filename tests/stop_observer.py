"""An observer that sends a signal to its own process, at a step or at the end of a run."""

from __future__ import annotations

import os

from attrs import frozen

from jointtask import hookimpl
from jointtask.api import Component, Observer, RunRecord, StepRecord, setting


@frozen
class Stop:
    """Settings of the observer `stop`."""

    number: int = setting(15, "number of the signal")
    steps: int = setting(0, "steps of all runs of this process until it is sent; 0: at the end of a run")


SEEN = [0]
"""Steps since the test began."""


class Stopper(Observer):
    def __init__(self, settings: Stop) -> None:
        self.settings = settings

    def step_finished(self, record: StepRecord) -> None:
        SEEN[0] += 1
        if SEEN[0] == self.settings.steps:
            os.kill(os.getpid(), self.settings.number)

    def run_finished(self, record: RunRecord) -> None:
        if not self.settings.steps:
            os.kill(os.getpid(), self.settings.number)


@hookimpl
def jointtask_observers() -> list[Component]:
    return [Component("stop", Stop, lambda settings, context: Stopper(settings), "sends a signal to its own process")]
