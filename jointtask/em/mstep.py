"""The M-step: train both networks on the estimated references (Eq. 6 with R fixed)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from attrs import frozen
from torch import Tensor

from jointtask.api.randomness import Streams, derive
from jointtask.em.batches import ExampleBatch
from jointtask.em.finite import require_finite
from jointtask.em.optimizer import TaskOptimizer
from jointtask.em.pair import Pair
from jointtask.em.processes import ALONE, World

__all__ = ["MStep", "epoch_order", "train_batch"]


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
    """

    optimizers: Mapping[str, TaskOptimizer]
    seed: int = 0
    world: World = ALONE


def epoch_order(seed: int, epoch: int, examples: int) -> Tensor:
    """Return the order of the examples in an epoch, (n,): a function of seed and epoch alone."""
    generator = torch.Generator().manual_seed(derive(seed, "order", epoch))
    return torch.randperm(examples, generator=generator)


def train_batch(pair: Pair, mstep: MStep, epoch: int, batch: ExampleBatch, reference: Tensor) -> dict[str, float]:
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
    dict of str to float
        What was minimised - the weighted energies, or what a task has in their place (`SurrogateTask`) - "upstream" and
        "downstream", summed over the whole batch. A network whose parameters are all frozen is not run, and not named.

    Raises
    ------
    NonFiniteError
        If a loss or a gradient is not finite; no weight is changed then.
    """
    ids = batch.ids
    # Dropout draws from torch's global generator: seeded by the batch, a resumed run draws the same.
    torch.manual_seed(derive(mstep.seed, "dropout", epoch, *ids))
    augmented = pair.bridge.augment(batch.tensors, reference, Streams(mstep.seed, epoch, ids, "augment"))
    learning = pair.learning
    losses: dict[str, Tensor] = {}
    if "upstream" in learning:
        losses["upstream"] = pair.upstream_loss(pair.predict_upstream(augmented.batch), augmented.reference).mean(dim=1)
    if "downstream" in learning:
        condition = pair.bridge.condition(augmented.batch, augmented.conditioned)
        loss = pair.downstream_loss(pair.predict_downstream(condition.input), condition.target)
        losses["downstream"] = loss.reshape(reference.shape[:2]).mean(dim=1)
    for role, value in losses.items():
        require_finite(value.detach(), ids, f"the {role} loss in training")
    for optimizer in mstep.optimizers.values():
        optimizer.zero_grad()
    total: Any = batch.share * sum(value.mean() for value in losses.values())
    total.backward()
    for role, module in pair.modules.items():
        norms = [parameter.grad.norm() for parameter in module.parameters() if parameter.grad is not None]
        if norms:
            require_finite(torch.stack(norms).norm().expand(len(ids)), ids, f"the gradient of the {role} network")
    mstep.world.add_gradients(pair.modules.values())
    for optimizer in mstep.optimizers.values():
        optimizer.step()
    sums = {role: float(value.detach().sum()) if batch.share else 0.0 for role, value in losses.items()}
    return mstep.world.total(sums)
