"""The observer `tensorboard`."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen

from jointtask import hookimpl
from jointtask.api import Component, deferred, setting

__all__ = ["TensorboardSettings"]


@frozen
class TensorboardSettings:
    """Settings of the observer `tensorboard`."""

    directory: str = setting("", "folder of the event files; empty: `tensorboard` in the run directory", path=True)
    every: int = setting(1, "steps between two entries of losses, rates and gradient norms", ge=1, le=1_000_000_000)


@hookimpl
def jointtask_observers() -> Sequence[Component]:
    """Give the observer."""
    build = deferred("jointtask_tensorboard_observer.observer:build")
    return [Component("tensorboard", TensorboardSettings, build, "event files for TensorBoard")]
