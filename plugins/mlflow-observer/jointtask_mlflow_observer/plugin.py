"""The observer `mlflow`."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen

from jointtask import hookimpl
from jointtask.api import Component, deferred, setting

__all__ = ["MlflowSettings"]


@frozen
class MlflowSettings:
    """Settings of the observer `mlflow`."""

    tracking_uri: str = setting("", "tracking server, database or folder; empty: MLFLOW_TRACKING_URI, or MLflow's own")
    experiment: str = setting("jointtask", "name of the experiment", min_length=1)
    every: int = setting(1, "steps between two entries of losses, rates and gradient norms", ge=1, le=1_000_000_000)


@hookimpl
def jointtask_observers() -> Sequence[Component]:
    """Give the observer."""
    build = deferred("jointtask_mlflow_observer.observer:build")
    return [Component("mlflow", MlflowSettings, build, "a run of MLflow, in a local store or on a tracking server")]
