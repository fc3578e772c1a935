"""Takes the first steps of the warm-up on copies of the networks: what fails there would fail in the run."""

from __future__ import annotations

import copy
import statistics
import time

import attrs

from jointtask.api.errors import PluginError
from jointtask.em.assembly import Assembly
from jointtask.em.batches import Examples
from jointtask.em.estep import require_usable
from jointtask.em.finite import NonFiniteError
from jointtask.em.mstep import MStep, epoch_order, train_batch
from jointtask.em.scaling import loss_scale
from jointtask.running.assemble import assemble_optimizers

__all__ = ["try_training"]

SECONDS = 2.0
STEPS = 100


def try_training(assembly: Assembly) -> float:
    """Train copies of both networks as the warm-up does, for 100 steps, or until two seconds have gone.

    Parameters
    ----------
    assembly : Assembly
        The run; nothing in it is changed.

    Returns
    -------
    float
        Median time of a step after the first, in seconds an example.

    Raises
    ------
    PluginError
        If a loss or a gradient is not finite; it names the part that gave the first such number.
    """
    em, seed, total = assembly.runfile.em, assembly.runfile.run.seed, len(assembly.train)
    upstream, downstream = (copy.deepcopy(module) for module in (assembly.pair.upstream, assembly.pair.downstream))
    pair = attrs.evolve(assembly.pair, upstream=upstream, downstream=downstream)
    steps = -(-total // em.batch_size)
    optimizers = assemble_optimizers(attrs.evolve(assembly, pair=pair))
    mstep = MStep(optimizers, seed, microbatch=em.microbatch, scale=loss_scale(pair))
    examples = Examples(assembly.train, {}, assembly.runfile, assembly.context, pair.names["data"])
    pair.train(True)
    taken: list[float] = []
    begun = time.perf_counter()
    for step in range(STEPS):
        epoch, place = divmod(step, steps)
        if place == 0:
            order = epoch_order(seed, epoch, total)
        rows = order[place * em.batch_size : (place + 1) * em.batch_size]
        start = time.perf_counter()
        batch = examples.batch(rows.tolist())
        base = pair.bridge.base(batch.tensors)
        require_usable(pair, "base", base, batch.ids, batch.tensors)
        try:
            train_batch(pair, mstep, epoch, batch, base[:, None])
        except NonFiniteError as error:
            message = f"after {step} training steps, {error.message}"
            raise PluginError(message, cause=error.cause, remedy=error.remedy) from error
        now = time.perf_counter()
        taken.append((now - start) / len(rows))
        if now - begun > SECONDS and step:
            break
    return statistics.median(taken[1:])
