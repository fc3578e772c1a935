"""The scale of the loss in float16, whose small gradients would be 0 without it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from jointtask.api.errors import RunError
from jointtask.em.optimizer import TaskOptimizer
from jointtask.em.pair import Pair

__all__ = ["LossScale", "loss_scale"]

LEAST = 1.0
"""Scale below which no step is possible: a gradient that overflows there is not the scale's fault."""


class LossScale:
    """A factor on the loss that halves when a gradient overflows, and doubles after 2,000 steps without.

    Parameters
    ----------
    device : torch.device
        Device of the networks.

    Notes
    -----
    Micikevicius et al., "Mixed precision training", ICLR 2018, as `torch.amp.GradScaler` does it.
    """

    def __init__(self, device: torch.device) -> None:
        self._scaler = torch.amp.GradScaler(device.type)

    @property
    def value(self) -> float:
        """The factor."""
        return self._scaler.get_scale()

    def scaled(self, loss: Tensor) -> Tensor:
        """Return the loss times the factor."""
        return self._scaler.scale(loss)

    def step(self, optimizers: Iterable[TaskOptimizer]) -> None:
        """Take a step of each optimizer whose gradients are finite, and adapt the factor.

        Raises
        ------
        RunError
            If gradients are not finite whatever the factor.
        """
        for optimizer in optimizers:
            optimizer.step(self._scaler)
        self._scaler.update()
        if self.value < LEAST:
            raise RunError(
                "gradients in float16 are not finite, whatever the scale of the loss",
                cause="a learning rate that is too high, or a network whose values leave the range of float16",
                remedy="lower optimizer.rate, or set run.precision to 'bfloat16' or 'float32'",
            )

    def state(self) -> dict[str, Any]:
        """Return the factor and the number of steps since it changed, as plain numbers."""
        return self._scaler.state_dict()

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from where `state` was called."""
        self._scaler.load_state_dict(dict(state))


def loss_scale(pair: Pair) -> LossScale | None:
    """Return the scale of the loss of a pair in float16; None in another precision."""
    return LossScale(pair.device) if pair.precision == torch.float16 else None
