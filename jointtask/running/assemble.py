"""From a run file to built objects, in the order in which they depend on each other."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import torch
from attrs import evolve

from jointtask.api.component import Context, SamplerComponent
from jointtask.api.dataset import Dataset
from jointtask.api.errors import ConfigError, DataError
from jointtask.api.metric import Metric
from jointtask.api.progress import Progress
from jointtask.api.proposal import ProposalTerm
from jointtask.api.randomness import derive
from jointtask.em.assembly import Assembly, chosen
from jointtask.em.estep import EStep
from jointtask.em.kept import followed, follows
from jointtask.em.observers import Observers
from jointtask.em.optimizer import Plan, TaskOptimizer, make_optimizer
from jointtask.em.pair import Pair
from jointtask.em.processes import ALONE, World
from jointtask.registry.contract_metric import distinct_summaries
from jointtask.registry.registry import Registry
from jointtask.runfile.schema import RunFile, RunTable, Table
from jointtask.running.beside import build_beside
from jointtask.running.device import precision_on, require_precision, resolve_device
from jointtask.running.overlap import overlaps
from jointtask.running.preflight import require_conforming
from jointtask.running.try_metrics import try_metrics
from jointtask.tools.cache import cache_folder

__all__ = [
    "assemble",
    "assemble_optimizers",
    "assemble_pair",
    "make_context",
    "read_data",
    "score_metrics",
]


def make_context(table: RunTable, progress: Progress, device: str | None = None, world: World = ALONE) -> Context:
    """Take the device, the threads and the cache folder."""
    if table.threads:
        torch.set_num_threads(table.threads)
    return Context(
        device=world.own_device(resolve_device(device or table.device)),  # type: ignore[arg-type]  # checked on the way in
        workers=table.workers or os.cpu_count() or 1,
        cache=cache_folder(),
        progress=progress,
    )


def assemble(
    runfile: RunFile, registry: Registry, progress: Progress, world: World = ALONE, *, tried: bool = False
) -> Assembly:
    """Build everything; data first, so that a fault in it comes before any model is built.

    Parameters
    ----------
    runfile : RunFile
        The run file.
    registry : Registry
        The components that it can name.
    progress : Progress
        Receiver of messages.
    world : World
        The processes that share the run.
    tried : bool
        Whether the same components were tried on two examples before, in another run of a comparison: they are not
        tried again.

    Raises
    ------
    UserError
        If a component cannot be built from its settings.
    """
    context = make_context(runfile.run, progress, world=world)
    require_precision(runfile.run.precision, context.device)

    def data(split: str, table: Table | None) -> Dataset | None:
        return None if table is None else read_data(split, table, registry, context)

    tables = runfile.data
    train = read_data("train", tables.train, registry, context)
    validation, test = data("validation", tables.validation), data("test", tables.test)
    for overlap in overlaps({"train": train, "validation": validation, "test": test}):
        progress.say(f"warning: {overlap}")
    pair, context = assemble_pair(runfile, registry, evolve(context, train=train))
    name = f"the data set '{tables.train.name}' of {registry.source('dataset', tables.train.name)}"
    pair = evolve(pair, names={**pair.names, "data": name})
    if not tried:
        require_conforming(runfile, registry, pair, train)
    component = registry.find("sampler", runfile.sampler.name)
    assert isinstance(component, SamplerComponent)  # the registry refuses any other record of this kind
    terms: dict[str, ProposalTerm] = {
        table.name: _build(registry, "proposal", table, context)
        for table in runfile.proposal
        if component.proposal == "all" or table.name in component.proposal
    }
    estep = EStep(
        sampler=_build(registry, "sampler", runfile.sampler, context),
        terms=terms,
        estimate=runfile.sampler.estimate,
        draws=runfile.em.draws if runfile.sampler.estimate == "weighted" else 1,
        seed=runfile.run.seed,
        oracle_ids=frozenset(chosen(train.ids, _oracle_examples(runfile))),
        temperatures=runfile.em.temperatures,
    )
    assembly = Assembly(
        runfile=runfile,
        registry=registry,
        context=context,
        train=train,
        validation=validation,
        test=test,
        pair=pair,
        estep=estep,
        metrics=score_metrics([*runfile.evaluate.metrics, *runfile.evaluate.each_round], registry, context),
        predictors=build_beside(runfile, registry, context),
        observers=_observers(runfile.observer if world.leader else (), registry, context),
        world=world,
    )
    if follows(assembly):
        followed(assembly)  # a name that no metric has is refused before anything is trained
    if not tried:
        try_metrics(assembly)
    return assembly


def _oracle_examples(runfile: RunFile) -> int:
    """Return how many examples are enumerated: none for the sampler `none`, which looks for nothing."""
    return 0 if runfile.sampler.name == "none" else runfile.em.oracle_examples


def read_data(split: str, table: Table, registry: Registry, context: Context) -> Dataset:
    """Read the data set of the table ``[data.SPLIT]``.

    Raises
    ------
    DataError
        If it cannot be used, naming the table.
    """
    try:
        built: Dataset = _build(registry, "dataset", table, context)
    except DataError as error:
        error.message = f"[data.{split}] {error.message}"
        raise
    return built


def assemble_pair(runfile: RunFile, registry: Registry, context: Context) -> tuple[Pair, Context]:
    """Build the downstream task, the bridge and the upstream task, with weights drawn from the seed alone."""

    def task(role: str, table: Any, built: Context) -> Any:
        torch.manual_seed(derive(runfile.run.seed, "weights", role))
        module = _build(registry, "task", table, built)
        layout = torch.channels_last if runfile.run.channels_last else torch.contiguous_format
        return module.to(device=built.device, memory_format=layout).eval()

    downstream = task("downstream", runfile.downstream, context)
    context = evolve(context, downstream=downstream)
    bridge = _build(registry, "bridge", runfile.bridge, context)
    context = evolve(context, bridge=bridge, grid=bridge.grid)
    pair = Pair(
        upstream=task("upstream", runfile.upstream, context),
        downstream=downstream,
        bridge=bridge,
        device=context.device,
        upstream_weight=runfile.upstream.weight,
        downstream_weight=runfile.downstream.weight,
        precision=precision_on(runfile.run.precision, context.device),
        downstream_batch=runfile.em.downstream_batch,
        names={
            "data": "the data set",  # a trained pair may be used where its training data is not
        }
        | {
            role: f"the {title} '{table.name}' of {registry.source(kind, table.name)}"
            for role, kind, title, table in (
                ("upstream", "task", "upstream task", runfile.upstream),
                ("downstream", "task", "downstream task", runfile.downstream),
                ("bridge", "bridge", "bridge", runfile.bridge),
            )
        },
    )
    return pair, context


def score_metrics(names: Sequence[str], registry: Registry, context: Context) -> dict[str, Metric]:
    """Build metrics by name, each once."""
    metrics = {}
    for name in names:
        component = registry.find("metric", name)
        metrics[name] = component.build(component.settings(), context)
    distinct_summaries(
        {f"the metric '{name}' of {registry.source('metric', name)}": each for name, each in metrics.items()}
    )
    return metrics


def assemble_optimizers(assembly: Assembly) -> dict[str, TaskOptimizer]:
    """Make the optimizer of each network, by role, for all epochs of the run.

    Raises
    ------
    ConfigError
        If every parameter of both networks is frozen.
    """
    runfile, pair, em = assembly.runfile, assembly.pair, assembly.runfile.em
    steps = -(-len(assembly.train) // em.batch_size)
    epochs = em.warmup_epochs + em.epochs_per_round * assembly.parts.steps(em.rounds, em.batch_size) / steps
    optimizers = {}
    for role, task in (("upstream", runfile.upstream), ("downstream", runfile.downstream)):
        table = task.optimizer
        plan = Plan(
            algorithm=_build(assembly.registry, "optimizer", table, assembly.context),
            schedule=_build(assembly.registry, "schedule", table.schedule, assembly.context),
            epochs=epochs,
            steps_per_epoch=steps,
        )
        optimizers[role] = make_optimizer(role, pair.modules[role], table, plan, pair.names[role])
    if not pair.learning:
        raise ConfigError(
            "nothing would learn: every parameter of both networks is frozen",
            remedy="give at least one group of parameters a rate above 0 in optimizer.rate or optimizer.rates",
        )
    return optimizers


def _observers(tables: Sequence[Table], registry: Registry, context: Context) -> Observers:
    """Build the observers, each under a name of its own: one component may stand in several tables."""
    built = {}
    for number, table in enumerate(tables):
        name = f"the observer '{table.name}' of {registry.source('observer', table.name)} (observer.{number})"
        built[name] = _build(registry, "observer", table, context)
    return Observers(built, context.progress.say)


def _build(registry: Registry, kind: str, table: Table, context: Context) -> Any:
    return registry.find(kind, table.name).build(table.settings, context)
