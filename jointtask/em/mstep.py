"""The M-step: train both networks on the estimated references (Eq. 6 with R fixed)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Any, NamedTuple

import torch
from attrs import frozen
from torch import Tensor

from jointtask.api.bridge import Augmented
from jointtask.api.errors import PluginError
from jointtask.api.randomness import Streams, derive
from jointtask.em.batches import ExampleBatch
from jointtask.em.batchnorm import single_values_allowed
from jointtask.em.finite import DATA, ENERGY, require_finite
from jointtask.em.optimizer import TaskOptimizer
from jointtask.em.pair import Pair
from jointtask.em.presence import presence
from jointtask.em.processes import ALONE, World
from jointtask.em.scaling import LossScale
from jointtask.registry.unchanged import Unchanged

__all__ = ["MStep", "Step", "epoch_order", "train_batch"]


@frozen(eq=False)
class MStep:
    """How both networks are trained.

    Attributes
    ----------
    optimizers : mapping of str to TaskOptimizer
        The optimizer of each network, by role.
    seed : int
        The run's seed: with the epoch and the ids, what augmentation and dropout depend on.
    world : World
        The processes that train together.
    microbatch : int
        Largest number of examples in one forward and backward pass; 0 is the whole batch. The gradients of all passes
        are added up before the step.
    scale : LossScale or None
        The scale of the loss, in float16.
    """

    optimizers: Mapping[str, TaskOptimizer]
    seed: int = 0
    world: World = ALONE
    microbatch: int = 0
    scale: LossScale | None = None


class Step(NamedTuple):
    """The outcome of one step, by role.

    Attributes
    ----------
    losses : dict of str to float
        What was minimised - the weighted energies, or what a task has in their place (`SurrogateTask`) - summed over
        the whole batch; not of a network whose parameters are all frozen, which is not run.
    gradient_norms : dict of str to float
        Norm of the gradient over this process's examples, before clipping; in float16, not of one that overflowed.
    """

    losses: dict[str, float]
    gradient_norms: dict[str, float]


def epoch_order(seed: int, epoch: int, examples: int) -> Tensor:
    """Return the order of the examples in an epoch, (n,): a function of seed and epoch alone."""
    generator = torch.Generator().manual_seed(derive(seed, "order", epoch))
    return torch.randperm(examples, generator=generator)


def train_batch(pair: Pair, mstep: MStep, epoch: int, batch: ExampleBatch, reference: Tensor) -> Step:
    """Take one step of both optimizers.

    Parameters
    ----------
    pair : Pair
        The networks, in training mode.
    mstep : MStep
        The optimizers, the seed and the processes.
    epoch : int
        Number of the epoch in the run, from 0.
    batch : ExampleBatch
        The examples of this process.
    reference : Tensor, (B, J, D)
        The references to train on; an example's loss is its mean over them.

    Returns
    -------
    Step

    Raises
    ------
    NonFiniteError
        If a loss or a gradient is not finite; no weight is changed then. In float16, a network whose gradient
        overflowed keeps its weights, and the scale of the loss is halved.
    """
    for optimizer in mstep.optimizers.values():
        optimizer.zero_grad()
    sums: dict[str, float] = {}
    for part, rows in batch.split(mstep.microbatch or len(batch.ids)):
        single = single_values_allowed(pair.modules.values()) if len(part.ids) == 1 else nullcontext()
        with single:
            losses = _losses(pair, mstep, epoch, part, reference[rows])
        total: Any = part.share * sum(value.mean() for value in losses.values())
        (total if mstep.scale is None else mstep.scale.scaled(total)).backward()
        for role, value in losses.items():
            sums[role] = sums.get(role, 0.0) + (float(value.detach().sum()) if batch.share else 0.0)
    norms = _gradient_norms(pair, batch.ids, mstep.scale)
    mstep.world.add_gradients(pair.modules.values())
    if mstep.scale is None:
        for optimizer in mstep.optimizers.values():
            optimizer.step()
    else:
        mstep.scale.step(mstep.optimizers.values())
    return Step(mstep.world.total(sums), norms)


def _losses(pair: Pair, mstep: MStep, epoch: int, batch: ExampleBatch, reference: Tensor) -> dict[str, Tensor]:
    """Return the losses of the networks that learn, (B,) each, by role; 0 where an example lacks the annotation."""
    ids = batch.ids
    # Dropout draws from torch's global generator: seeded by the batch, a resumed run draws the same.
    torch.manual_seed(derive(mstep.seed, "dropout", epoch, *ids))
    inputs = Unchanged({**batch.tensors, "the reference": reference})
    augmented = pair.bridge.augment(batch.tensors, reference, Streams(mstep.seed, epoch, ids, "augment"))
    inputs.require(f"{pair.names['bridge']}: augment")
    if not isinstance(augmented, Augmented):
        raise PluginError(
            f"{pair.names['bridge']}: augment gave a {type(augmented).__name__}; expected an Augmented",
            remedy="see jointtask.api.bridge.Bridge for the contract",
        )
    inputs = Unchanged({**augmented.batch, "the reference": augmented.reference, "the jittered": augmented.conditioned})
    learning = pair.learning
    losses: dict[str, Tensor] = {}
    given = [(pair.names["data"], DATA, batch.tensors), (pair.names["bridge"], "augment", augmented)]
    made: dict[str, list[tuple[str, str, Any]]] = {}
    if "upstream" in learning:
        prediction = pair.predict_upstream(augmented.batch)
        losses["upstream"] = pair.upstream_loss(prediction, augmented.reference).mean(dim=1)
        made["upstream"] = [*given, (pair.names["upstream"], "its forward pass", prediction)]
        inputs.require(f"{pair.names['upstream']}: its forward pass or loss")
    if "downstream" in learning:
        condition = pair.bridge.condition(augmented.batch, augmented.conditioned)
        inputs.require(f"{pair.names['bridge']}: condition")
        prediction = pair.predict_downstream(condition.input)
        loss = pair.downstream_loss(prediction, condition.target)
        losses["downstream"] = loss.reshape(reference.shape[:2]).mean(dim=1)
        posed = (pair.names["bridge"], "condition", condition)
        made["downstream"] = [*given, posed, (pair.names["downstream"], "its forward pass", prediction)]
    has = presence(pair.bridge, batch.tensors)
    for role, present in (("upstream", has.upstream), ("downstream", has.downstream)):
        if role in losses and present is not None:
            losses[role] = torch.where(present, losses[role], 0.0)
    for role, value in losses.items():
        made[role].append((pair.names[role], ENERGY, value.detach()))
        require_finite(value.detach(), ids, f"the {role} loss in training", made[role])
    return losses


def _gradient_norms(pair: Pair, ids: Sequence[str], scale: LossScale | None) -> dict[str, float]:
    """Return the norm of each network's gradient, by role; raise if one is not finite, or with a scale leave it out."""
    norms = {}
    for role, module in pair.modules.items():
        parts = [parameter.grad.norm() for parameter in module.parameters() if parameter.grad is not None]
        if parts:
            norm = torch.stack(parts).norm() / (1.0 if scale is None else scale.value)
            if scale is not None and not bool(torch.isfinite(norm)):
                continue
            require_finite(norm.expand(len(ids)), ids, f"the gradient of {pair.names[role]}")
            norms[role] = float(norm)
    return norms
