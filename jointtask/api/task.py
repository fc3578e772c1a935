"""What a task network is to the engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from torch import Tensor
from torch.nn import Parameter

__all__ = ["Batch", "DownstreamTask", "Prediction", "SurrogateTask", "Task", "UpstreamTask"]

Batch = Mapping[str, Tensor]
"""The tensors of B examples by name, B first."""

Prediction = Any
"""A tensor or a NamedTuple of tensors, B first."""


class Task(Protocol):
    """A task network: a `torch.nn.Module` that predicts, and scores a prediction.

    The engine calls it through ``module(inputs)``; it is in evaluation mode except in the M-step, which minimises its
    energy, or its `training_loss` if it is a `SurrogateTask`.
    """

    def __call__(self, inputs: Any) -> Prediction:
        """Predict for B examples (`torch.nn.Module.forward`)."""
        ...

    def energy(self, prediction: Prediction, target: Any) -> Tensor:
        """Return the negative log likelihood of each example, (B,): summed over outputs, never averaged."""
        ...

    def parameter_groups(self) -> Mapping[str, Sequence[Parameter]]:
        """Return every parameter, by the name of the group that can be given a learning rate of its own."""
        ...


class UpstreamTask(Task, Protocol):
    """The task that predicts the reference from the batch."""

    def reference(self, prediction: Prediction) -> Tensor:
        """Return the point prediction of the reference, (B, D), in the frame's units."""
        ...


class DownstreamTask(Task, Protocol):
    """The task that is solved inside a reference, on what the bridge's `condition` gives."""


@runtime_checkable
class SurrogateTask(Protocol):
    """A task that learns from something else than its energy; the E-step and the objective keep the energy."""

    def training_loss(self, prediction: Prediction, target: Any) -> Tensor:
        """Return what the M-step minimises, for each example, (B,): on the energy's scale, and never averaged."""
        ...
