"""What every task network and every bridge must hold."""

from __future__ import annotations

from typing import Any

import torch

from jointtask.bridge import Bridge
from jointtask.task import Batch
from jointtask.tree import leaves, select_rows

__all__ = ["check_bridge", "check_task"]


def check_task(task: Any, inputs: Any, target: Any) -> None:
    """Hold a task network to `jointtask.task.Task`.

    Parameters
    ----------
    task : torch.nn.Module
        In any mode; left in evaluation mode.
    inputs : Any
        What it is called with, for at least two examples.
    target : Any
        What its energy is taken against, for the same.

    Raises
    ------
    AssertionError
        If the energy is not one finite number an example, an example's energy depends on the others, a parameter is
        in no group, or a parameter that requires gradients gets none.
    """
    task.eval()
    task.zero_grad()
    energy = task.energy(task(inputs), target)
    assert energy.dim() == 1, f"energy has the shape {tuple(energy.shape)}; expected one number an example, (B,)"
    rows = len(energy)
    assert rows >= 2, "give at least two examples"
    assert energy.dtype in (torch.float32, torch.float64), f"energy is {energy.dtype}; expected float32 or float64"
    assert bool(torch.isfinite(energy).all()), "energy is not finite"
    half = slice(0, rows // 2)
    alone = task.energy(task(select_rows(inputs, half)), select_rows(target, half))
    assert torch.allclose(alone, energy[half], rtol=1e-4, atol=1e-4), "an example's energy depends on the others"
    grouped = {id(parameter) for group in task.parameter_groups().values() for parameter in group}
    lost = [name for name, parameter in task.named_parameters() if id(parameter) not in grouped]
    assert not lost, f"in no parameter group: {', '.join(lost)}"
    energy.sum().backward()
    dead = [name for name, p in task.named_parameters() if p.requires_grad and p.grad is None]
    assert not dead, f"no gradient reaches: {', '.join(dead)}"
    task.zero_grad()


def check_bridge(bridge: Bridge, batch: Batch, downstream: Any) -> None:
    """Hold a bridge to `jointtask.bridge.Bridge`.

    Parameters
    ----------
    bridge : Bridge
        To be checked.
    batch : Batch
        At least two annotated examples.
    downstream : torch.nn.Module
        A downstream task that it can be used with, in evaluation mode.

    Raises
    ------
    AssertionError
        If a shape is wrong, a row depends on the others, rows are not ordered example by example, the base is not
        usable, a probability leaves [0, 1], or the batch is changed.
    """
    missing = [key for key in (*bridge.keys, *bridge.annotation) if key not in batch]
    assert not missing, f"the batch has no {', '.join(missing)}"
    before = {name: tensor.clone() for name, tensor in batch.items()}
    size, dimensions = len(batch[bridge.keys[0]]), bridge.grid.dimensions
    assert len(bridge.coordinates) == dimensions, "coordinates does not name each coordinate of the grid"
    base = bridge.base(batch)
    assert base.shape == (size, dimensions), f"base has the shape {tuple(base.shape)}; expected {(size, dimensions)}"
    assert bool(bridge.usable(base).all()), "a base reference is not usable"
    states = bridge.grid.states[:3].to(base)
    reference = bridge.reference(base, states)
    assert reference.shape == (size, len(states), dimensions), "reference does not give (B, K, D)"
    start = bridge.reference(base, bridge.grid.states[bridge.grid.start][None].to(base))[:, 0]
    assert torch.equal(start, base), "no adjustment does not leave the centre as it is"
    wild = base + 1000 * torch.randn(base.shape, generator=torch.Generator().manual_seed(0)).to(base)
    assert bool(bridge.usable(bridge.admit(wild)).all()), "admit gives an unusable reference"
    reference = bridge.admit(reference)
    both = bridge.condition(batch, reference)
    _equal_rows(both.input, bridge.condition(select_rows(batch, slice(1, 2)), reference[1:2]).input, len(states))
    assert both.target is not None, "condition gives no target for an annotated batch"
    bare = {name: tensor for name, tensor in batch.items() if name not in bridge.annotation}
    assert bridge.condition(bare, reference).target is None, "condition gives a target without an annotation"
    with torch.inference_mode():
        restored = bridge.restore(downstream(both.input), reference)
    assert restored.shape[:2] == (size, len(states)), "restore does not give (B, K, ...)"
    assert bool(((restored >= 0) & (restored <= 1)).all()), "restore leaves [0, 1]"
    assert all(torch.equal(before[name], batch[name]) for name in before), "the batch was changed"


def _equal_rows(both: Any, second: Any, count: int) -> None:
    """Compare the rows of the second example, posed with the others and alone."""
    rows = select_rows(both, slice(count, 2 * count))
    for a, b in zip(leaves(rows), leaves(second), strict=True):
        assert torch.allclose(a, b, atol=1e-5), "row b * K + k of condition is not example b under reference k"
