"""Tries a run file out: builds everything and takes one batch through it."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import attrs
import torch

from jointtask.api.component import SamplerComponent
from jointtask.api.progress import Progress
from jointtask.em.assembly import Assembly
from jointtask.em.batches import Examples
from jointtask.em.estep import sample_batch
from jointtask.em.latents import Latents
from jointtask.em.mstep import train_batch
from jointtask.em.predict import make_predictor
from jointtask.registry.attribution import blaming
from jointtask.runfile.schema import Optimizer, RunFile
from jointtask.running.assemble import assemble, assemble_optimizers
from jointtask.running.device import device_name
from jointtask.running.weights import start_from

if TYPE_CHECKING:
    from jointtask.registry.registry import Registry

__all__ = ["check", "unread_settings"]

SAMPLED = 8
"""Examples whose E-step is timed: enough to fill a batch of references, few enough for a large network on a CPU."""


def check(runfile: RunFile, registry: Registry, progress: Progress) -> Sequence[str]:
    """Build what a run file names, take one batch through every step, and leave nothing behind but caches.

    Parameters
    ----------
    runfile : RunFile
        What to try.
    registry : Registry
        Where its components are found.
    progress : Progress
        Where it reports.

    Returns
    -------
    sequence of str
        Lines for the user: data, networks, time and memory to expect, settings that nothing reads.

    Raises
    ------
    UserError
        Whatever a run would raise.
    """
    with blaming(registry.plugins):
        work = assemble(runfile, registry, progress)
        start_from(work.pair, runfile.run.start)
        return [*_found(work), *_expected(work), *(f"not read: {line}" for line in unread_settings(runfile, registry))]


def _found(work: Assembly) -> Iterator[str]:
    yield f"device: {device_name(work.context.device)}"
    for name, data in work.data.items():
        yield f"{name}: {len(data)} examples"
        yield from (f"  {note}" for note in data.notes)
    for role, module in work.pair.modules.items():
        parameters = list(module.parameters())
        total = sum(parameter.numel() for parameter in parameters)
        yield f"{role}: {total:,} parameters, {total * 4 / 2**20:.1f} MiB as float32"


def _expected(work: Assembly) -> Iterator[str]:
    """Time one batch of each step, after one that warms up, and scale it to the run."""
    em, total = work.runfile.em, len(work.train)
    few = range(min(SAMPLED, em.estep_batch, total))
    step = range(min(em.batch_size, total))
    some = _Head(work.train, max(len(few), len(step)))
    examples = Examples(some, work.how.terms, work.runfile, work.context)
    batch = examples.batch(few, prepared=True)
    ids = examples.ids(few)
    grid = work.pair.bridge.grid
    base = work.pair.bridge.base(batch)
    history = Latents.empty(len(few), 1, grid.dimensions).history(torch.arange(len(few)), base)
    how = attrs.evolve(work.how, oracle_ids=frozenset())  # the oracle is a few examples a run, not one in each batch
    per_estep = _seconds(lambda: sample_batch(work.pair, how, 1, ids, batch, history, base)) / len(few)
    per_mstep = _seconds(lambda: _learn(work, examples, step)) / len(step)
    predictor = make_predictor(work.pair, work.runfile)
    shown = [some.example(0)]
    per_example = _seconds(lambda: predictor.predict(some.batch([0]), shown))
    yield f"E-step: {per_estep * 1e3:.1f} ms an example, {_minutes(per_estep * total)} a round"
    yield f"M-step: {per_mstep * 1e3:.1f} ms an example, {_minutes(per_mstep * total)} an epoch"
    yield f"prediction: {per_example * 1e3:.1f} ms an example"
    epochs = em.warmup_epochs + em.rounds * em.epochs_per_round
    yield f"training, in all: about {_minutes(total * (em.rounds * per_estep + epochs * per_mstep))}"
    latents = total * (4 * work.how.draws * grid.dimensions + 8 * (1 + grid.dimensions + grid.dimensions**2))
    yield f"latents: {latents / 2**20:.2f} MiB in memory; frames stay on disk"
    if work.context.device.type == "cuda":
        yield f"device memory, at most: {torch.cuda.max_memory_allocated() / 2**20:.0f} MiB"


def _learn(work: Assembly, examples: Examples, rows: Sequence[int]) -> None:
    """Take one training step of copies of the networks."""
    upstream, downstream = copy.deepcopy(work.pair.upstream), copy.deepcopy(work.pair.downstream)
    pair = attrs.evolve(work.pair, upstream=upstream, downstream=downstream)
    optimizers = assemble_optimizers(pair, work.runfile, 1, 1)
    batch = examples.batch(rows)
    pair.train(True)
    train_batch(pair, optimizers, examples.ids(rows), batch, pair.bridge.base(batch)[:, None], seed=0, epoch=0)


class _Head:
    """The first examples of a data set."""

    def __init__(self, dataset: Any, count: int) -> None:
        self.ids, self.digests = dataset.ids[:count], dataset.digests[:count]
        self.fingerprint, self.notes = dataset.fingerprint, dataset.notes
        self.batch, self.example = dataset.batch, dataset.example

    def __len__(self) -> int:
        return len(self.ids)


def _seconds(work: Callable[[], object]) -> float:
    work()
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _minutes(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 120 else f"{seconds / 60:.1f} min"


def unread_settings(runfile: RunFile, registry: Registry) -> list[str]:
    """Return the settings that have a value of their own and that nothing reads, one line each."""
    lines = []
    sampler = registry.find("sampler", runfile.sampler.name)
    assert isinstance(sampler, SamplerComponent)  # the registry refuses any other record of this kind
    for position, table in enumerate(runfile.proposal):
        if sampler.proposal != "all" and table.name not in sampler.proposal:
            lines.append(f"proposal.{position} ('{table.name}'): the sampler '{sampler.name}' does not use it")
    for role, task in (("upstream", runfile.upstream), ("downstream", runfile.downstream)):
        lines += [f"{role}.optimizer.{key}: {why}" for key, why in _unread_by_optimizer(task.optimizer)]
    if runfile.evaluate.each_round and runfile.data.validation is None:
        lines.append("evaluate.each_round: there is no [data.validation]")
    return lines


def _unread_by_optimizer(optimizer: Optimizer) -> Iterator[tuple[str, str]]:
    default = Optimizer()
    if optimizer.name == "adamw" and optimizer.momentum != default.momentum:
        yield "momentum", "adamw has none"
    if optimizer.schedule != "step":
        for key in ("step_epochs", "step_factor"):
            if getattr(optimizer, key) != getattr(default, key):
                yield key, f"the schedule is '{optimizer.schedule}'"
