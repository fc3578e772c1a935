"""The M-step: train both networks on the estimated references (Eq. 6 with R fixed)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from jointtask.api.randomness import Streams, derive
from jointtask.api.task import Batch
from jointtask.em.finite import require_finite
from jointtask.em.optimizer import TaskOptimizer
from jointtask.em.pair import Pair
from jointtask.em.processes import ALONE, World

__all__ = ["epoch_order", "train_batch"]


def epoch_order(seed: int, epoch: int, examples: int) -> Tensor:
    """Return the order of the examples in an epoch, (n,): a function of seed and epoch alone."""
    generator = torch.Generator().manual_seed(derive(seed, "order", epoch))
    return torch.randperm(examples, generator=generator)


def train_batch(
    pair: Pair,
    optimizers: Mapping[str, TaskOptimizer],
    ids: Sequence[str],
    batch: Batch,
    reference: Tensor,
    *,
    seed: int,
    epoch: int,
    share: float = 1.0,
    world: World = ALONE,
) -> dict[str, float]:
    """Take one step of both optimizers.

    Parameters
    ----------
    pair : Pair
        The networks, in training mode.
    optimizers : mapping of str to TaskOptimizer
        By role.
    ids : sequence of B str
        The examples.
    batch : Batch
        The same, on the pair's device.
    reference : Tensor, (B, J, D)
        The references to train on; an example's loss is its mean over them.
    seed, epoch : int
        With the ids, what the augmentation and the dropout depend on.
    share : float
        What these examples are of the batch that all processes train on together, in [0, 1].
    world : World
        The processes.

    Returns
    -------
    dict of str to float
        What was minimised - the weighted energies, or what a task has in their place (`SurrogateTask`) - "upstream" and
        "downstream", summed over the whole batch. A network whose parameters are all frozen is not run, and not named.

    Raises
    ------
    NonFiniteError
        Before any weight is changed, if a loss or a gradient is not finite.
    """
    # Dropout draws from torch's global generator: seeded by what the batch is, a resumed run draws the same.
    torch.manual_seed(derive(seed, "dropout", epoch, *ids))
    seen = pair.bridge.augment(batch, reference, Streams(seed, epoch, ids, "augment"))
    learning = pair.learning
    losses: dict[str, Tensor] = {}
    if "upstream" in learning:
        losses["upstream"] = pair.upstream_loss(pair.predict_upstream(seen.batch), seen.reference).mean(dim=1)
    if "downstream" in learning:
        condition = pair.bridge.condition(seen.batch, seen.conditioned)
        loss = pair.downstream_loss(pair.predict_downstream(condition.input), condition.target)
        losses["downstream"] = loss.reshape(reference.shape[:2]).mean(dim=1)
    for role, value in losses.items():
        require_finite(value.detach(), ids, f"the {role} loss in training")
    for optimizer in optimizers.values():
        optimizer.zero_grad()
    total: Any = share * sum(value.mean() for value in losses.values())
    total.backward()
    for role, module in pair.modules.items():
        norms = [parameter.grad.norm() for parameter in module.parameters() if parameter.grad is not None]
        if norms:
            require_finite(torch.stack(norms).norm().expand(len(ids)), ids, f"the gradient of the {role} network")
    world.add_gradients(pair.modules.values())
    for optimizer in optimizers.values():
        optimizer.step()
    return world.total({role: float(value.detach().sum()) if share else 0.0 for role, value in losses.items()})
