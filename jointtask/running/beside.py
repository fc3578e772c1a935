"""The predictors that are scored beside a run: those that its file names, and the trivial ones of its bridge."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from attrs import evolve

from jointtask.api.component import Context, TrivialComponent
from jointtask.api.errors import UserError
from jointtask.runfile.schema import RunFile
from jointtask.running.some import at_most

if TYPE_CHECKING:
    from jointtask.registry.registry import Registry

__all__ = ["build_beside", "names_beside"]

LEARNT_FROM = 10_000
"""Training examples that a trivial predictor learns from at most: it is built at each start, and means need no more."""


def names_beside(runfile: RunFile, registry: Registry) -> list[str]:
    """Return the names of the predictors beside a run: those that its file names, then the trivial ones."""
    return list(dict.fromkeys([*runfile.evaluate.predictors, *_trivial(runfile, registry)]))


def build_beside(runfile: RunFile, registry: Registry, context: Context) -> Mapping[str, Any]:
    """Build the predictors beside a run, by name.

    Parameters
    ----------
    runfile, registry : RunFile, Registry
        The run file, and the components that it can name.
    context : Context
        The context of the run. A trivial predictor that cannot be built, as for lack of an annotation, is left out,
        with a line that says so: the run file does not name it. It learns from `LEARNT_FROM` training examples at most.

    Raises
    ------
    UserError
        If a predictor that the file names cannot be built.
    """
    built = {}
    for name in names_beside(runfile, registry):
        component = registry.find("predictor", name)
        known = context
        if isinstance(component, TrivialComponent) and context.train is not None:
            known = evolve(context, train=at_most(context.train, LEARNT_FROM))
        try:
            built[name] = component.build(component.settings(), known)
        except UserError as error:
            if name in runfile.evaluate.predictors:
                raise
            context.progress.say(f"no scores of '{name}' beside this run (evaluate.trivial): {error.message}")
    return built


def _trivial(runfile: RunFile, registry: Registry) -> list[str]:
    """Return the trivial predictors of the run's bridge; none where nothing is scored at the end."""
    scored = runfile.evaluate.metrics and (runfile.data.validation or runfile.data.test)
    if not (runfile.evaluate.trivial and scored):
        return []
    return [
        component.name
        for component in registry.components("predictor")
        if isinstance(component, TrivialComponent) and runfile.bridge.name in component.bridges
    ]
