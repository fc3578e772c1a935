"""What was trained, ready for use: the pair of a run directory, or a predictor by its name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import attrs
from attrs import evolve

from jointtask.api.component import Component, Context
from jointtask.api.errors import ConfigError
from jointtask.api.progress import Progress
from jointtask.em.predict import Predictor, make_predictor
from jointtask.registry.registry import Registry, load_registry
from jointtask.runfile.load import load_trained
from jointtask.runfile.schema import RunFile, RunTable
from jointtask.running.assemble import assemble_pair, make_context
from jointtask.running.directory import RunDirectory
from jointtask.running.weights import load_pair
from jointtask.tools.progress import SilentProgress

__all__ = ["find_predictor", "load_predictor", "named_predictor", "trained"]

Device = Literal["auto", "cpu", "cuda", "mps"]


def load_predictor(
    directory: str | Path,
    *,
    device: Device | None = None,
    plugins: Sequence[str] = (),
    progress: Progress | None = None,
) -> Predictor:
    """Load what a run trained.

    Parameters
    ----------
    directory : path
        A run directory, finished or with a checkpoint.
    device : "auto", "cpu", "cuda" or "mps", optional
        The device of the networks; by default that of the run file.
    plugins : sequence of str
        Plugins beside the installed ones, as ``--plugin`` takes them.
    progress : Progress, optional
        Receiver of a warning if the run is not finished; silent by default.

    Returns
    -------
    Predictor

    Raises
    ------
    UserError
        If it is no run directory, holds no trained weights yet, or needs a plugin that is not there.
    """
    run, registry = RunDirectory(Path(directory)), load_registry(plugins)
    run.require()
    runfile = load_trained(run.config, registry)
    context = make_context(runfile.run, progress or SilentProgress(), device)
    return trained(run, runfile, registry, context)


def named_predictor(
    name: str,
    *,
    device: Device = "auto",
    plugins: Sequence[str] = (),
    progress: Progress | None = None,
) -> Callable[[Any], Any]:
    """Build a predictor that a plugin gives.

    Parameters
    ----------
    name : str
        Name of the predictor, as in `evaluate.predictors`.
    device : "auto", "cpu", "cuda" or "mps"
        Device of the predictor's networks, if it has any.
    plugins : sequence of str
        Plugins beside the installed ones, as ``--plugin`` takes them.
    progress : Progress, optional
        Receiver of the messages while it is built; silent by default.

    Returns
    -------
    callable
        ``predict(example) -> prediction``.

    Raises
    ------
    UserError
        If there is no such predictor, or it cannot be built.
    """
    component = find_predictor(name, load_registry(plugins))
    context = make_context(RunTable("named-predictor", device=device), progress or SilentProgress())
    predict: Callable[[Any], Any] = component.build(component.settings(), context)
    return predict


def trained(directory: RunDirectory, runfile: RunFile, registry: Registry, context: Context) -> Predictor:
    """Build the pair of a run directory with its trained weights; pretrained files are not needed again."""
    weights = directory.read_model()
    if not directory.model.exists():
        context.progress.say(f"warning: {directory.path} is not finished; the weights of its last checkpoint are used")
    pair, _ = assemble_pair(without_pretraining(runfile), registry, context)
    remedy = "use the plugin version named in versions.json, or train again"
    load_pair(pair, weights, directory.path, remedy)
    return make_predictor(pair, runfile)


def without_pretraining(runfile: RunFile) -> RunFile:
    """Return the file with the tasks' settings that only training reads at their defaults.

    A settings class marks such a setting with ``metadata={"training_only": True}``: the file of pretrained weights, for
    instance, which the trained weights replace.
    """

    def bare(table: Any) -> Any:
        fields = [field for field in attrs.fields(type(table.settings)) if field.metadata.get("training_only")]
        return evolve(table, settings=evolve(table.settings, **{field.alias: field.default for field in fields}))

    return evolve(runfile, upstream=bare(runfile.upstream), downstream=bare(runfile.downstream))


def find_predictor(name: str, registry: Registry) -> Component:
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
