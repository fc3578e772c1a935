"""From a run file to built objects, in the order in which they depend on each other."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from attrs import evolve, frozen

from jointtask.component import Context, SamplerComponent
from jointtask.config import RunFile, RunTable, Table
from jointtask.conform import require_conforming
from jointtask.data import Dataset
from jointtask.device import resolve_device
from jointtask.errors import ConfigError, DataError
from jointtask.estep import EStep
from jointtask.load import load_trained
from jointtask.locate import cache_folder
from jointtask.metric import Metric
from jointtask.optimizer import TaskOptimizer, make_optimizer
from jointtask.overlap import overlaps
from jointtask.pair import Pair
from jointtask.predict import Predictor, make_predictor
from jointtask.progress import Progress
from jointtask.proposal import ProposalTerm
from jointtask.randomness import derive
from jointtask.rundir import RunDirectory
from jointtask.start import fill
from jointtask.world import ALONE, World

if TYPE_CHECKING:
    from jointtask.registry import Registry

__all__ = [
    "Assembly",
    "assemble",
    "assemble_optimizers",
    "assemble_pair",
    "assemble_predictor",
    "chosen",
    "find_predictor",
    "make_context",
    "read_data",
    "score_metrics",
    "trained",
]


@frozen(eq=False)
class Assembly:
    """Everything that a run file names, built.

    Attributes
    ----------
    runfile : RunFile
        What was asked for.
    registry : Registry
        Where the components came from.
    context : Context
        With what they were built.
    train, validation, test : Dataset
        The data; validation and test may be None.
    pair : Pair
        The networks and their bridge.
    how : EStep
        The sampler and the proposal terms that it uses.
    metrics : mapping of str to Metric
        By component name, the leading one first.
    predictors : mapping of str to callable
        ``predict(example)``, by component name.
    world : World
        The processes that share the work.
    """

    runfile: RunFile
    registry: Registry
    context: Context
    train: Dataset
    validation: Dataset | None
    test: Dataset | None
    pair: Pair
    how: EStep
    metrics: Mapping[str, Metric]
    predictors: Mapping[str, Any]
    world: World = ALONE

    @property
    def data(self) -> dict[str, Dataset]:
        """The data sets that the run file names, by table."""
        sets = {"train": self.train, "validation": self.validation, "test": self.test}
        return {name: data for name, data in sets.items() if data is not None}


def make_context(table: RunTable, progress: Progress, device: str | None = None, world: World = ALONE) -> Context:
    """Take the device, the threads and the cache folder."""
    if table.threads:
        torch.set_num_threads(table.threads)
    return Context(
        device=world.place(resolve_device(device or table.device)),  # type: ignore[arg-type]  # checked on the way in
        workers=table.workers or os.cpu_count() or 1,
        cache=cache_folder(),
        progress=progress,
    )


def assemble(runfile: RunFile, registry: Registry, progress: Progress, world: World = ALONE) -> Assembly:
    """Build everything; data first, so that a fault in it comes before any model is built.

    Raises
    ------
    UserError
        If a component cannot be built from its settings.
    """
    context = make_context(runfile.run, progress, world=world)

    def data(split: str, table: Table | None) -> Dataset | None:
        return None if table is None else read_data(split, table, registry, context)

    tables = runfile.data
    train = read_data("train", tables.train, registry, context)
    validation, test = data("validation", tables.validation), data("test", tables.test)
    for overlap in overlaps({"train": train, "validation": validation, "test": test}):
        progress.say(f"warning: {overlap}")
    pair, context = assemble_pair(runfile, registry, evolve(context, train=train))
    require_conforming(runfile, registry, pair, train)
    component = registry.find("sampler", runfile.sampler.name)
    assert isinstance(component, SamplerComponent)  # the registry refuses any other record of this kind
    terms: dict[str, ProposalTerm] = {
        table.name: registry.find("proposal", table.name).build(table.settings, context)
        for table in runfile.proposal
        if component.proposal == "all" or table.name in component.proposal
    }
    how = EStep(
        sampler=component.build(runfile.sampler.settings, context),
        name=f"the sampler '{component.name}' of {registry.source('sampler', component.name)}",
        terms=terms,
        estimate=runfile.sampler.estimate,
        draws=runfile.em.draws if runfile.sampler.estimate == "weighted" else 1,
        seed=runfile.run.seed,
        oracle_ids=frozenset(chosen(train.ids, runfile.em.oracle_examples)),
        temperatures=runfile.em.temperatures,
    )
    return Assembly(
        runfile=runfile,
        registry=registry,
        context=context,
        train=train,
        validation=validation,
        test=test,
        pair=pair,
        how=how,
        metrics=score_metrics([*runfile.evaluate.metrics, *runfile.evaluate.each_round], registry, context),
        predictors={name: _build_default(registry, "predictor", name, context) for name in runfile.evaluate.predictors},
        world=world,
    )


def read_data(split: str, table: Table, registry: Registry, context: Context) -> Dataset:
    """Read the data set of the table ``[data.SPLIT]``.

    Raises
    ------
    DataError
        If it cannot be used, naming the table.
    """
    try:
        built: Dataset = registry.find("dataset", table.name).build(table.settings, context)
    except DataError as error:
        error.message = f"[data.{split}] {error.message}"
        raise
    return built


def assemble_pair(runfile: RunFile, registry: Registry, context: Context) -> tuple[Pair, Context]:
    """Build the downstream task, the bridge and the upstream task, with weights that hang on the seed alone."""

    def task(role: str, table: Any, known: Context) -> Any:
        torch.manual_seed(derive(runfile.run.seed, "weights", role))
        module = registry.find("task", table.name).build(table.settings, known)
        layout = torch.channels_last if runfile.run.channels_last else torch.contiguous_format
        return module.to(device=known.device, memory_format=layout).eval()

    downstream = task("downstream", runfile.downstream, context)
    context = evolve(context, downstream=downstream)
    bridge = registry.find("bridge", runfile.bridge.name).build(runfile.bridge.settings, context)
    context = evolve(context, bridge=bridge, grid=bridge.grid)
    pair = Pair(
        upstream=task("upstream", runfile.upstream, context),
        downstream=downstream,
        bridge=bridge,
        device=context.device,
        upstream_weight=runfile.upstream.weight,
        downstream_weight=runfile.downstream.weight,
        precision=torch.bfloat16 if runfile.run.precision == "bfloat16" else torch.float32,
        downstream_batch=runfile.em.downstream_batch,
    )
    return pair, context


def assemble_predictor(
    directory: RunDirectory, registry: Registry, device: str | None, progress: Progress
) -> Predictor:
    """Build what a run directory trained, on its own device or another."""
    directory.require()
    runfile = load_trained(directory.config, registry)
    return trained(directory, runfile, registry, make_context(runfile.run, progress, device))


def trained(directory: RunDirectory, runfile: RunFile, registry: Registry, context: Context) -> Predictor:
    """Build the pair of a run directory with its trained weights; pretrained files are not needed again."""
    weights = directory.read_model()
    if not directory.model.exists():
        context.progress.say(f"warning: {directory.path} is not finished; what its last checkpoint holds is used")
    pair, _ = assemble_pair(without_pretraining(runfile), registry, context)
    remedy = "use the plugin version named in versions.json, or train again"
    fill(pair, weights, directory.path, remedy)
    return make_predictor(pair, runfile)


def without_pretraining(runfile: RunFile) -> RunFile:
    """Drop the pretrained files from the tasks' settings: weights that were trained replace them."""

    def bare(table: Any) -> Any:
        settings = table.settings
        if hasattr(settings, "weights"):
            settings = evolve(settings, weights="", **({"sha256": ""} if hasattr(settings, "sha256") else {}))
        return evolve(table, settings=settings)

    return evolve(runfile, upstream=bare(runfile.upstream), downstream=bare(runfile.downstream))


def score_metrics(names: Sequence[str], registry: Registry, context: Context) -> dict[str, Metric]:
    """Build metrics by name, each once."""
    return {name: _build_default(registry, "metric", name, context) for name in names}


def find_predictor(name: str, registry: Registry) -> Any:
    """Return a predictor's component, where a run directory could have stood.

    Raises
    ------
    ConfigError
        If it is neither.
    """
    try:
        return registry.find("predictor", name)
    except ConfigError as error:
        raise ConfigError(
            f"{name} is neither a run directory nor a predictor", cause=error.message, remedy=error.remedy
        ) from error


def assemble_optimizers(pair: Pair, runfile: RunFile, epochs: int, steps: int) -> dict[str, TaskOptimizer]:
    """Make the optimizer of each network, by role, for a run of `epochs` epochs of `steps` steps.

    Raises
    ------
    ConfigError
        If every parameter of both networks is frozen.
    """
    tables = {"upstream": runfile.upstream, "downstream": runfile.downstream}
    optimizers = {
        role: make_optimizer(module, tables[role].optimizer, epochs, steps) for role, module in pair.modules.items()
    }
    if not pair.learning:
        raise ConfigError(
            "nothing would learn: every parameter of both networks is frozen",
            remedy="give at least one group of parameters a rate above 0 in optimizer.rate or optimizer.rates",
        )
    return optimizers


def chosen(ids: Sequence[str], count: int) -> list[str]:
    """Choose examples by a hash of their ids: the same in every run over the same data."""
    return sorted(ids, key=lambda name: derive("chosen", name))[:count]


def _build_default(registry: Registry, kind: str, name: str, context: Context) -> Any:
    component = registry.find(kind, name)
    return component.build(component.settings(), context)
