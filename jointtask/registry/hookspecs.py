"""Every hook of jointtask. All are collected from all plugins; the run file picks by name, so load order is nothing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from jointtask.api.component import Command, Component, PanelComponent, SamplerComponent
    from jointtask.api.record import RoundRecord, RunRecord

hookspec = pluggy.HookspecMarker("jointtask")


@hookspec
def jointtask_tasks() -> Iterable[Component]:
    """Give task networks, for `[upstream]` and `[downstream]`; `build` returns a `jointtask.api.task.Task`."""
    raise NotImplementedError


@hookspec
def jointtask_bridges() -> Iterable[Component]:
    """Give bridges, for `[bridge]`; `build` returns a `jointtask.api.bridge.Bridge`."""
    raise NotImplementedError


@hookspec
def jointtask_samplers() -> Iterable[SamplerComponent]:
    """Give samplers, for `[sampler]`; `build` returns a function `sample(target, random) -> Draws`."""
    raise NotImplementedError


@hookspec
def jointtask_proposal_terms() -> Iterable[Component]:
    """Give proposal terms, for `[[proposal]]`; `build` returns a `jointtask.api.proposal.ProposalTerm`."""
    raise NotImplementedError


@hookspec
def jointtask_datasets() -> Iterable[Component]:
    """Give data sets, for `[data.train]` and its like; `build` returns a `jointtask.api.dataset.Dataset`."""
    raise NotImplementedError


@hookspec
def jointtask_metrics() -> Iterable[Component]:
    """Give metrics, for `evaluate.metrics`; `build` returns a `jointtask.api.metric.Metric`."""
    raise NotImplementedError


@hookspec
def jointtask_panels() -> Iterable[PanelComponent]:
    """Give example panels of a pair; `build` returns a function `draw(PanelData) -> list of Panel`."""
    raise NotImplementedError


@hookspec
def jointtask_predictors() -> Iterable[Component]:
    """Give predictors, for `evaluate.predictors`; `build` returns a function `predict(example) -> prediction`."""
    raise NotImplementedError


@hookspec
def jointtask_optimizers() -> Iterable[Component]:
    """Give optimizers, for `optimizer`; `build` returns a function `make(groups) -> torch.optim.Optimizer`."""
    raise NotImplementedError


@hookspec
def jointtask_schedules() -> Iterable[Component]:
    """Give schedules of the learning rate; `build` returns a function `factor(step, steps, steps_per_epoch)`."""
    raise NotImplementedError


@hookspec
def jointtask_observers() -> Iterable[Component]:
    """Give observers, for `[[observer]]`; `build` returns a `jointtask.api.observer.Observer`."""
    raise NotImplementedError


@hookspec
def jointtask_commands() -> Iterable[Command]:
    """Give commands added to `jointtask`."""
    raise NotImplementedError


@hookspec
def jointtask_run_started(record: RunRecord) -> None:
    """Observe the start (or the resumption) of a run."""


@hookspec
def jointtask_round_finished(record: RoundRecord) -> None:
    """Observe the end of a round."""


@hookspec
def jointtask_run_finished(record: RunRecord) -> None:
    """Observe the end of a run."""


@hookspec
def jointtask_run_failed(record: RunRecord, error: BaseException) -> None:
    """Observe the failure of a run."""
