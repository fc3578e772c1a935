"""What can be seen of an energy as a function: whether it adds outputs up, and falls as predictions improve."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["check_energy"]


def check_energy(task: Any, prediction: Any, target: Any) -> None:
    """Hold the energy of a task to be a negative log likelihood, summed over outputs.

    Nothing is said of an energy whose prediction and target are not tensors of one shape, or log odds of classes and
    their numbers.

    Parameters
    ----------
    task : torch.nn.Module
        The task.
    prediction : Any
        What its forward pass gave for B examples.
    target : Any
        What they are compared with.

    Raises
    ------
    AssertionError
        If the energy of two examples side by side is the mean of theirs; if it is negative and rises as predictions
        come nearer to their targets; or if it is higher at the reference that the task predicts than at those around.
    """
    if isinstance(prediction, Tensor) and isinstance(target, Tensor):
        prediction = prediction.detach()
        _summed(task, prediction, target)
        _falling(task, prediction, target)
    if hasattr(task, "reference"):
        _lowest_at_its_own(task, prediction, target)


@torch.no_grad()
def _summed(task: Any, prediction: Tensor, target: Tensor) -> None:
    if prediction.shape == target.shape:
        pairs = [(axis, axis) for axis in range(1, target.ndim)]
    elif prediction.shape[:1] + prediction.shape[2:] == target.shape:  # classes come second
        pairs = [(axis + 1, axis) for axis in range(1, target.ndim)]
    else:
        return
    one = task.energy(prediction, target)
    other = one.flip(0)
    if torch.allclose(one, other, rtol=1e-3):  # their mean would look like one of them
        return
    for of_prediction, of_target in pairs:
        side = (
            torch.cat([prediction, prediction.flip(0)], of_prediction),
            torch.cat([target, target.flip(0)], of_target),
        )
        try:
            both = task.energy(*side)
        except Exception:  # it is made for one number of outputs
            continue
        averaged = both.shape == one.shape and torch.allclose(both, (one + other) / 2, rtol=1e-4)
        assert not averaged, (
            "the energy of two examples side by side is the mean of their energies: it is averaged over outputs;"
            " expected a sum, whose scale is a setting"
        )


def _falling(task: Any, prediction: Tensor, target: Tensor) -> None:
    wanted = _like(prediction, target)
    if wanted is None:
        return
    same = prediction.mean(dim=0, keepdim=True).expand_as(prediction).clone().requires_grad_()
    energy = task.energy(same, target)
    if not energy.requires_grad:
        return
    (gradient,) = torch.autograd.grad(energy.sum(), same)
    towards = wanted - wanted.mean(dim=0)  # of all families of likelihoods in use, the energy falls this way
    slope = float((gradient * towards).sum())
    rising = slope > 1e-3 * float(gradient.norm() * towards.norm()) and float(energy.detach().sum()) < 0
    assert not rising, (
        "the energy is negative, and rises as predictions come nearer to their targets; expected the negative log"
        " likelihood, which falls: its sign is wrong"
    )


def _like(prediction: Tensor, target: Tensor) -> Tensor | None:
    """Return the target in the shape of the prediction; None if it has no such shape."""
    if prediction.shape == target.shape:
        return target.to(prediction)
    classes = prediction.shape[1] if prediction.ndim > 1 else 0
    if prediction.shape[:1] + prediction.shape[2:] != target.shape or target.dtype != torch.int64:
        return None
    if int(target.min()) < 0 or int(target.max()) >= classes:
        return None
    return F.one_hot(target, classes).movedim(-1, 1).to(prediction)


@torch.no_grad()
def _lowest_at_its_own(task: Any, prediction: Any, target: Tensor) -> None:
    own = task.reference(prediction)
    step = (target.abs().amax(dim=0) + 1.0).to(own)
    here = task.energy(prediction, own)
    around = [task.energy(prediction, own + side * scale * step) for scale in (0.01, 1.0, 100.0) for side in (-1, 1)]
    assert not all(bool((energy < here).all()) for energy in around), (
        "the energy is higher at the reference that the task predicts than at all others that were tried; expected it"
        " to be lowest there: its sign is wrong"
    )
