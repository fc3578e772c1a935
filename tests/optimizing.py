"""Optimizers as a run file's table gives them."""

from __future__ import annotations

from typing import Any, cast

from torch import nn

from jointtask.api.component import Context
from jointtask.em.optimizer import Plan, TaskOptimizer, make_optimizer
from jointtask.registry.registry import load_registry
from jointtask.runfile.read import structure
from jointtask.runfile.schema import OptimizerTable, RunFile

REGISTRY = load_registry(["toy"])
NO_CONTEXT = cast(Context, None)


def table(**keys: Any) -> OptimizerTable:
    """Read the table `optimizer = { ... }` of a run file."""
    tables = {
        "run": {"name": "optimizing"},
        "data": {"train": {"name": "toy-bumps"}},
        "upstream": {"name": "toy-locate", "optimizer": keys},
        "downstream": {"name": "toy-label"},
        "bridge": {"name": "toy-interval"},
        "sampler": {"name": "none"},
    }
    return structure(tables, REGISTRY, "run.toml", RunFile).upstream.optimizer


def optimizer(task: nn.Module, epochs: int = 1, steps_per_epoch: int = 1, **keys: Any) -> TaskOptimizer:
    """Make the optimizer that a table asks for."""
    read = table(**keys)
    plan = Plan(
        algorithm=REGISTRY.find("optimizer", read.name).build(read.settings, NO_CONTEXT),
        schedule=REGISTRY.find("schedule", read.schedule.name).build(read.schedule.settings, NO_CONTEXT),
        epochs=epochs,
        steps_per_epoch=steps_per_epoch,
    )
    return make_optimizer("upstream", task, read, plan)
