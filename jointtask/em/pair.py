"""The two task networks with the bridge between them: forward passes, energies and losses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

import torch
from attrs import field, frozen
from torch import Tensor, nn

from jointtask.api.bridge import Bridge
from jointtask.api.task import Batch, Prediction, SurrogateTask
from jointtask.api.tree import repeat_rows, to_float32
from jointtask.em.batchnorm import hold_frozen_statistics

__all__ = ["Pair"]


@frozen(eq=False)
class Pair:
    """Two tasks tied by a bridge, on one device.

    Attributes
    ----------
    upstream, downstream : torch.nn.Module
        An `UpstreamTask` and a `DownstreamTask`.
    bridge : Bridge
        The bridge between them.
    device : torch.device
        The device of both networks.
    upstream_weight, downstream_weight : float
        Factors on the energies.
    precision : torch.dtype
        Data type of the forward passes; energies are float32.
    downstream_batch : int
        References evaluated in one downstream forward pass outside of training.
    names : mapping of str to str
        Names of "upstream", "downstream", "bridge" and "data" in errors, with the plugins that they come from.
    """

    upstream: Any
    downstream: Any
    bridge: Bridge
    device: torch.device
    upstream_weight: float = 1.0
    downstream_weight: float = 1.0
    precision: torch.dtype = torch.float32
    downstream_batch: int = 256
    names: Mapping[str, str] = field(
        factory=lambda: {
            "upstream": "the upstream task",
            "downstream": "the downstream task",
            "bridge": "the bridge",
            "data": "the data set",
        }
    )

    @property
    def modules(self) -> dict[str, nn.Module]:
        """The two networks by role."""
        return {"upstream": self.upstream, "downstream": self.downstream}

    @property
    def learning(self) -> dict[str, nn.Module]:
        """The networks with at least one parameter that is not frozen, by role."""
        return {
            role: module
            for role, module in self.modules.items()
            if any(parameter.requires_grad for parameter in module.parameters())
        }

    def train(self, mode: bool) -> None:
        """Put both networks into training or evaluation mode; frozen batch normalisation stays in evaluation mode."""
        for module in self.modules.values():
            if module.training is not mode:  # walking through all layers takes as long as a small network's pass
                module.train(mode)
                if mode:
                    hold_frozen_statistics(module)

    def predict_upstream(self, batch: Batch) -> Prediction:
        """Run the upstream network; predictions are float32 whatever the precision."""
        with self._autocast():
            prediction = self.upstream(batch)
        return to_float32(prediction)

    def predict_downstream(self, inputs: Any) -> Prediction:
        """Run the downstream network; predictions are float32 whatever the precision."""
        with self._autocast():
            prediction = self.downstream(inputs)
        return to_float32(prediction)

    def upstream_energy(self, prediction: Prediction, reference: Tensor) -> Tensor:
        """Return the weighted upstream energy of references (B, K, D): (B, K)."""
        return self.upstream_weight * _each(self.upstream.energy, prediction, reference)

    def downstream_energy(self, prediction: Prediction, target: Any) -> Tensor:
        """Return the weighted downstream energy of each row."""
        energy: Tensor = self.downstream_weight * self.downstream.energy(prediction, target)
        return energy

    def upstream_loss(self, prediction: Prediction, reference: Tensor) -> Tensor:
        """Return the weighted loss of the upstream task in the M-step, for references (B, K, D): (B, K)."""
        return self.upstream_weight * _each(_loss(self.upstream), prediction, reference)

    def downstream_loss(self, prediction: Prediction, target: Any) -> Tensor:
        """Return the weighted loss of the downstream task in the M-step, for each row."""
        return self.downstream_weight * _loss(self.downstream)(prediction, target)

    def _autocast(self) -> AbstractContextManager[Any]:
        lower = self.precision != torch.float32
        return torch.autocast(self.device.type, dtype=self.precision if lower else torch.bfloat16, enabled=lower)


def _loss(task: Any) -> Callable[[Prediction, Any], Tensor]:
    loss: Callable[[Prediction, Any], Tensor] = task.training_loss if isinstance(task, SurrogateTask) else task.energy
    return loss


def _each(score: Callable[[Prediction, Any], Tensor], prediction: Prediction, reference: Tensor) -> Tensor:
    examples, count, dimensions = reference.shape
    return score(repeat_rows(prediction, count), reference.reshape(-1, dimensions)).reshape(examples, count)
