"""Logs a run to MLflow."""

from __future__ import annotations

import math
import re
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mlflow.entities import Metric, Param
from mlflow.tracking import MlflowClient

from jointtask.api import Context, Observer, Panel, RoundRecord, RunRecord, StepRecord, numbers_of
from jointtask.tools import write_atomic
from jointtask_mlflow_observer.plugin import MlflowSettings

__all__ = ["MlflowObserver", "build"]

_ID = "mlflow-run-id.txt"
_BATCH = 100
"""Parameters that MLflow takes in one call."""


def build(settings: MlflowSettings, context: Context) -> MlflowObserver:
    """Make the observer."""
    return MlflowObserver(settings)


class MlflowObserver(Observer):
    """Logs the resolved run file as parameters, numbers by step and by round as metrics, files as artifacts.

    The id of the run stands in the run directory, so that a run that is continued goes on in the same run of MLflow.

    Parameters
    ----------
    settings : MlflowSettings
        Tracking server, name of the experiment, and steps between two entries.
    """

    def __init__(self, settings: MlflowSettings) -> None:
        self._settings = settings
        self._step = 0

    def run_started(self, record: RunRecord, step: int) -> None:
        """Create the run of MLflow, or go on in it."""
        self._step = step
        self._client = MlflowClient(self._settings.tracking_uri or None)
        id_file = Path(record.directory) / _ID
        if step > 0 and id_file.exists():
            self._id = id_file.read_text().strip()
            self._client.update_run(self._id, status="RUNNING")
            return
        experiment = self._client.get_experiment_by_name(self._settings.experiment)
        number = experiment.experiment_id if experiment else self._client.create_experiment(self._settings.experiment)
        self._id = self._client.create_run(number, run_name=record.name).info.run_id
        write_atomic(id_file, f"{self._id}\n")
        params = [Param(name, str(value)[:6000]) for name, value in _flat(record.config)]
        for start in range(0, len(params), _BATCH):
            self._client.log_batch(self._id, params=params[start : start + _BATCH])
        for name, version in record.versions.items():
            self._client.set_tag(self._id, f"version.{name}", version)

    def step_finished(self, record: StepRecord) -> None:
        """Log losses, rates and gradient norms."""
        self._step = record.step
        if record.step % self._settings.every == 0:
            self._log(record)

    def round_finished(self, record: RoundRecord) -> None:
        """Log the objective, the diagnostics of the E-step and the validation scores, at the step that ended it."""
        self._log(record)

    def panels_drawn(self, panels: Sequence[Panel]) -> None:
        """Log the panels as images."""
        with tempfile.TemporaryDirectory() as folder:
            for number, panel in enumerate(panels):
                file = Path(folder) / f"{number}.png"
                file.write_bytes(panel.png)
                self._client.log_artifact(self._id, str(file), "panels")

    def run_finished(self, record: RunRecord) -> None:
        """Log the scores and the report, and end the run."""
        self._log(record)
        for name in ("report.html", "config.toml"):
            file = Path(record.directory) / name
            if file.exists():
                self._client.log_artifact(self._id, str(file))
        self._client.set_terminated(self._id, "FINISHED")

    def run_failed(self, record: RunRecord, error: BaseException) -> None:
        """End the run as failed, or as stopped by the user."""
        self._client.set_tag(self._id, "error", f"{type(error).__name__}: {error}"[:5000])
        self._client.set_terminated(self._id, "KILLED" if isinstance(error, KeyboardInterrupt) else "FAILED")

    def _log(self, record: StepRecord | RoundRecord | RunRecord) -> None:
        now = int(time.time() * 1000)
        numbers = {name: value for name, value in numbers_of(record).items() if math.isfinite(value)}
        metrics = [Metric(_name(name), value, now, self._step) for name, value in numbers.items()]
        self._client.log_batch(self._id, metrics=metrics)


def _name(text: str) -> str:
    """Return a name with what MLflow allows: letters, digits, and a few marks."""
    return re.sub(r"[^\w\-. :/]", "_", text, flags=re.ASCII)


def _flat(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield _name(f"{prefix}{key}"), value
