"""What every task network must hold."""

from __future__ import annotations

import copy
from collections import Counter
from typing import Any

import torch
from torch import Tensor, nn

from jointtask.api.task import SurrogateTask, Task
from jointtask.api.tree import leaves, select_rows
from jointtask.testing.energies import check_energy
from jointtask.testing.expect import attributes, same_rows, unchanged

__all__ = ["check_task"]


def check_task(task: Any, inputs: Any, target: Any) -> None:
    """Hold a task network to `jointtask.api.task.Task`.

    If it has `reference`, also to `UpstreamTask` there; if it has `training_loss`, to `SurrogateTask`.

    Parameters
    ----------
    task : torch.nn.Module
        Task to be checked, in any mode; it is left in evaluation mode.
    inputs : Any
        Input of the task for B examples, at least two: the batch, or what the bridge's `condition` gives.
    target : Any
        Target of the energy for the same examples: references (B, D), or what `condition` gives.

    Raises
    ------
    AssertionError
        If the energy or the loss is not one finite number an example, an example's energy depends on the others, the
        energy is averaged over outputs or has the wrong sign (see `check_energy`), two calls differ, inputs are
        changed, a parameter is in no group or in two, a parameter that requires gradients gets none from what the
        M-step minimises, training mode raises an error or gives no finite number an example, or `reference` is not one
        finite row (D,) an example.
    """
    module: Any = task  # to mypy, every attribute of a module is a tensor
    assert isinstance(module, nn.Module), f"expected a torch.nn.Module, got {type(task).__name__}"
    attributes(task, "the task", Task)
    task.eval()
    task.zero_grad()
    rows = len(leaves(target)[0])
    assert rows >= 2, f"give at least two examples, got {rows}"
    with unchanged("what the task was given", (inputs, target)):
        prediction = task(inputs)
        energy = task.energy(prediction, target)
        learned = task.training_loss(prediction, target) if isinstance(task, SurrogateTask) else energy
    _each("energy", energy, rows)
    if learned is not energy:
        _each("training_loss", learned, rows)
    again = task.energy(task(inputs), target)
    assert torch.equal(energy, again), "two calls in evaluation mode gave different energies; expected the same"
    half = slice(0, rows // 2)
    alone = task.energy(task(select_rows(inputs, half)), select_rows(target, half))
    same_rows(energy, half, alone, "an example's energy depends on the others in the batch; expected its own alone")
    if hasattr(task, "reference"):
        _reference(task.reference(prediction), target)
    check_energy(task, prediction, target)
    _groups(task)
    assert learned.requires_grad or not any(p.requires_grad for p in task.parameters()), (
        "the energy, or the loss in its place, is cut off from the parameters; expected to be able to go back through"
        " it (no detach, no no_grad)"
    )
    if learned.requires_grad:
        learned.sum().backward()
    dead = [name for name, p in task.named_parameters() if p.requires_grad and p.grad is None]
    assert not dead, f"no gradient reaches: {', '.join(dead)}; expected each parameter to bear on what is minimised"
    task.zero_grad()
    _training(task, inputs, target)


def _training(task: Any, inputs: Any, target: Any) -> None:
    """Take the forward and backward pass of the M-step, on a copy: statistics of batches stay as they are."""
    learner = copy.deepcopy(task).train()
    try:
        prediction = learner(inputs)
        loss = (learner.training_loss if isinstance(task, SurrogateTask) else learner.energy)(prediction, target)
    except Exception as error:
        raise AssertionError(
            f"in training mode, the task raised {type(error).__name__}: {error}; expected the same passes as in"
            " evaluation mode"
        ) from error
    _each("what training mode minimises", loss, len(leaves(target)[0]))


def _each(what: str, value: Any, rows: int) -> None:
    assert isinstance(value, Tensor), f"{what} gave a {type(value).__name__}; expected a tensor (B,)"
    assert value.shape == (rows,), (
        f"{what} has the shape {tuple(value.shape)}; expected one number an example, {(rows,)}:"
        " summed over outputs, never averaged over examples"
    )
    assert value.dtype in (torch.float32, torch.float64), f"{what} is {value.dtype}; expected float32 or float64"
    bad = (~torch.isfinite(value)).nonzero()[:, 0].tolist()
    assert not bad, f"{what} is not finite for the examples {bad}; expected finite numbers"


def _reference(reference: Any, target: Any) -> None:
    expected = tuple(target.shape)
    assert isinstance(reference, Tensor), f"reference gave a {type(reference).__name__}; expected a tensor (B, D)"
    assert reference.shape == expected, f"reference has the shape {tuple(reference.shape)}; expected (B, D), {expected}"
    assert bool(torch.isfinite(reference).all()), "reference is not finite"


def _groups(task: Any) -> None:
    names = {id(parameter): name for name, parameter in task.named_parameters()}
    grouped = Counter(id(parameter) for group in task.parameter_groups().values() for parameter in group)
    lost = [name for key, name in names.items() if key not in grouped]
    assert not lost, f"in no parameter group: {', '.join(lost)}; expected each parameter in one, or it never learns"
    twice = [names.get(key, "a parameter that is not the task's") for key, count in grouped.items() if count > 1]
    assert not twice, f"in more than one parameter group: {', '.join(twice)}; expected each parameter in one"
    foreign = len(grouped.keys() - names.keys())
    assert not foreign, f"{foreign} parameters in the groups are not the task's own; expected those of parameters()"
