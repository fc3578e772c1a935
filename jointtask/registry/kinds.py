"""The kinds of component: the hook that gives each, what its items are, and which keys of its table are the core's."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import frozen

from jointtask.api.component import Command, Component, PanelComponent, SamplerComponent

__all__ = ["COMMAND", "KINDS", "TRIAL", "Kind"]


@frozen
class Kind:
    """One kind of component.

    Attributes
    ----------
    hook : str
        The hook that gives it.
    record : type
        Class of the hook's items.
    title : str
        The kind in words.
    core : tuple of str or None
        The keys of its run-file table that belong to the core; None for a kind that is named without a table, so that
        its settings all need defaults.
    """

    hook: str
    record: type
    title: str
    core: tuple[str, ...] | None = None


OPTIMIZER_KEYS = ("name", "rate", "rates", "bias_rate", "weight_decay", "schedule", "warmup_steps", "clip")
"""The keys of the core in the table of an optimizer."""

KINDS: Mapping[str, Kind] = {
    "task": Kind("jointtask_tasks", Component, "task network", ("name", "weight", "optimizer")),
    "bridge": Kind("jointtask_bridges", Component, "bridge", ("name",)),
    "sampler": Kind("jointtask_samplers", SamplerComponent, "sampler", ("name", "estimate")),
    "proposal": Kind("jointtask_proposal_terms", Component, "proposal term", ("name",)),
    "dataset": Kind("jointtask_datasets", Component, "data set", ("name",)),
    "metric": Kind("jointtask_metrics", Component, "metric"),
    "panel": Kind("jointtask_panels", PanelComponent, "panel"),
    "predictor": Kind("jointtask_predictors", Component, "predictor"),
    "optimizer": Kind("jointtask_optimizers", Component, "optimizer", OPTIMIZER_KEYS),
    "schedule": Kind("jointtask_schedules", Component, "schedule", ("name",)),
    "observer": Kind("jointtask_observers", Component, "observer", ("name",)),
}
"""Every kind of component, by the name that `Registry.find` and ``jointtask components`` take."""

COMMAND = Kind("jointtask_commands", Command, "command")
"""Commands, which no run file names."""

TRIAL = "jointtask.testing.trial"
"""The module with the small pair of tasks, whose components are called trial-..."""
