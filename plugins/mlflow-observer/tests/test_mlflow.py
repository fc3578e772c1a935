"""Against MLflow's own client and a local store."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from jointtask.api import RunRecord
from jointtask.testing import check_observer
from jointtask.testing.trial import RUN_FILE

pytest.importorskip("mlflow", reason="the library that this observes with: install jointtask-mlflow-observer")

from mlflow.entities import Run
from mlflow.tracking import MlflowClient

PLUGIN = "jointtask_mlflow_observer.plugin"


@pytest.fixture
def uri(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")  # a database would need more than mlflow-skinny
    return (tmp_path / "mlruns").as_uri()


def stored(client: MlflowClient) -> dict[str, Run]:
    """Return the runs of the experiment by name."""
    experiment = client.get_experiment_by_name("tried")
    return {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}


def steps(client: MlflowClient, run: Run, name: str) -> list[int]:
    return [metric.step for metric in client.get_metric_history(run.info.run_id, name)]


def test_what_an_observer_sees_is_in_the_store(uri: str, tmp_path: Path) -> None:
    record = check_observer(
        "mlflow", tmp_path / "runs", plugins=[PLUGIN], settings={"tracking_uri": uri, "experiment": "tried"}
    )
    client = MlflowClient(uri)
    runs = stored(client)
    assert {name: run.info.status for name, run in runs.items()} == {"trial": "FINISHED", "failing": "FAILED"}
    assert "not finite" in runs["failing"].data.tags["error"]
    run = runs["trial"]
    assert run.data.params["em.batch_size"] == "4"
    assert run.data.params["sampler.name"] == "metropolis-hastings"
    assert run.data.tags["version.jointtask"] == record.versions["jointtask"]
    for name in ("loss", "rate", "gradient norm"):
        for role in ("upstream", "downstream"):
            assert steps(client, run, f"{name}/{role}") == [1, 2, 3, 4, 5, 6, 7, 8]
    last = record.rounds[-1]
    for name, value in (
        ("objective/total", last.estimate.total),
        ("E-step/acceptance", last.sampler.acceptance),
        ("E-step/mass", last.sampler.oracle.mass),
        ("validation/accuracy", last.validation["accuracy"]),
        ("test/this run/accuracy", record.scores[0].values["accuracy"]),
    ):
        assert run.data.metrics[name] == pytest.approx(value)
    artifacts = {file.path for file in client.list_artifacts(run.info.run_id)}
    assert {"report.html", "config.toml", "panels"} <= artifacts
    assert [file.path for file in client.list_artifacts(run.info.run_id, "panels")] == ["panels/0.png"]


def test_every_second_step(uri: str, jointtask_run: Callable[..., RunRecord]) -> None:
    observer = [f"observer.0.{pair}" for pair in ("name=mlflow", f"tracking_uri={uri}", "experiment=tried", "every=2")]
    jointtask_run(RUN_FILE, *observer, "em.batch_size=4", plugins=(PLUGIN, "jointtask.testing.trial"))
    client = MlflowClient(uri)
    assert steps(client, stored(client)["trial"], "loss/upstream") == [2, 4, 6]
