"""What an optimizer and a schedule of its rates are."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    import torch

__all__ = ["OptimizerFactory", "Schedule"]

OptimizerFactory: TypeAlias = "Callable[[list[dict[str, Any]]], torch.optim.Optimizer]"
"""Makes an optimizer of parameter groups, as torch has them: each has "params", "lr" and "weight_decay".

The engine sets each group's "lr" before each step, and clips gradients itself. Tensors and numbers that the optimizer
keeps for a parameter, and numbers that it changes in a group, are saved with a checkpoint; nothing else is.
"""


class Schedule(Protocol):
    """The factor on all learning rates of a task, step by step."""

    def __call__(self, step: int, steps: int, steps_per_epoch: int) -> float:
        """Return the factor, at least 0, at one step: a function of the arguments alone, so a resumed run is exact.

        Parameters
        ----------
        step : int
            Number of the step, from 0; it may exceed `steps` where a finished run is extended.
        steps : int
            Number of steps of the whole run, warm-up included.
        steps_per_epoch : int
            Number of steps of one epoch, at least 1.
        """
        ...
