"""Against MLflow's own client and a local store."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jointtask import run_file

pytest.importorskip("mlflow", reason="the library that this observes with: install jointtask-mlflow-observer")

PLUGINS = ("jointtask_mlflow_observer.plugin", "jointtask.testing.trial", "panels.py")
RUN_FILE = """
[run]
name = "watched"
device = "cpu"
[data.train]
name = "trial-sequences"
examples = 8
[data.validation]
name = "trial-sequences"
examples = 4
[upstream]
name = "trial-find"
[downstream]
name = "trial-mark"
[bridge]
name = "trial-interval"
levels = [-2, 0, 2]
[sampler]
name = "metropolis-hastings"
[[observer]]
name = "mlflow"
[em]
warmup_epochs = 1
rounds = 2
batch_size = 4
oracle_examples = 2
[evaluate]
metrics = ["trial-accuracy"]
"""
PANELS = """
from io import BytesIO
from matplotlib.figure import Figure
from jointtask import hookimpl
from jointtask.api import NoSettings, Panel, PanelComponent

def draw(data):
    stream = BytesIO()
    Figure(figsize=(2, 1)).savefig(stream, format="png", dpi=50)
    return [Panel("Blank", "Nothing.", stream.getvalue())]

@hookimpl
def jointtask_panels():
    return [PanelComponent("blank", NoSettings, lambda settings, context: draw, "blank", bridge="trial-interval")]
"""


def stored(uri: str) -> tuple[Any, Any]:
    from mlflow.tracking import MlflowClient

    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name("tried")
    (run,) = client.search_runs([experiment.experiment_id])
    return client, run


@pytest.fixture
def watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")  # a database would need more than mlflow-skinny
    monkeypatch.setenv("JOINTTASK_CACHE", str(tmp_path / "cache"))
    (tmp_path / "run.toml").write_text(RUN_FILE)
    (tmp_path / "panels.py").write_text(PANELS)
    plugins = [str(tmp_path / name) if name.endswith(".py") else name for name in PLUGINS]

    def run(**overrides: Any) -> Any:
        here = {"run.output": str(tmp_path / "runs"), "run.threads": 1}
        dotted = {name.replace("__", "."): value for name, value in overrides.items()}
        lines = [f"{name}={value}" for name, value in {**here, **dotted}.items()]
        return run_file(tmp_path / "run.toml", overrides=lines, plugins=plugins)

    return run


def test_parameters_metrics_report_and_panels_are_in_the_store(watched: Callable[..., Any], tmp_path: Path) -> None:
    uri = (tmp_path / "mlruns").as_uri()
    record = watched(observer__0__tracking_uri=uri, observer__0__experiment="tried")
    client, run = stored(uri)
    assert run.info.status == "FINISHED"
    assert run.info.run_name == "watched"
    assert run.data.params["em.rounds"] == "2"
    assert run.data.params["sampler.name"] == "metropolis-hastings"
    assert run.data.tags["version.jointtask"] == record.versions["jointtask"]
    for name in ("loss", "rate", "gradient norm"):
        for role in ("upstream", "downstream"):
            history = client.get_metric_history(run.info.run_id, f"{name}/{role}")
            assert [metric.step for metric in history] == [1, 2, 3, 4, 5, 6]
    last = record.rounds[-1]
    for name, value in (
        ("objective/total", last.estimate.total),
        ("E-step/acceptance", last.sampler.acceptance),
        ("E-step/mass", last.sampler.oracle.mass),
        ("validation/accuracy", last.validation["accuracy"]),
        ("validation/this run/accuracy", record.scores[0].values["accuracy"]),
    ):
        assert run.data.metrics[name] == pytest.approx(value)
    artifacts = {file.path for file in client.list_artifacts(run.info.run_id)}
    assert {"report.html", "config.toml", "panels"} <= artifacts
    assert [file.path for file in client.list_artifacts(run.info.run_id, "panels")] == ["panels/0.png"]


def test_a_run_that_goes_on_is_one_run_of_mlflow(watched: Callable[..., Any], tmp_path: Path) -> None:
    uri = (tmp_path / "mlruns").as_uri()
    watched(observer__0__tracking_uri=uri, observer__0__experiment="tried")
    watched(observer__0__tracking_uri=uri, observer__0__experiment="tried", em__rounds=3, observer__0__every=2)
    client, run = stored(uri)
    steps = [metric.step for metric in client.get_metric_history(run.info.run_id, "loss/upstream")]
    assert steps == [1, 2, 3, 4, 5, 6, 8]


def test_a_failure_is_a_failed_run(watched: Callable[..., Any], tmp_path: Path) -> None:
    uri = (tmp_path / "mlruns").as_uri()
    with pytest.raises(Exception, match="not finite"):
        watched(
            observer__0__tracking_uri=uri,
            observer__0__experiment="tried",
            upstream__optimizer__name="sgd",
            upstream__optimizer__rate=1e30,
        )
    _, run = stored(uri)
    assert run.info.status == "FAILED"
    assert "not finite" in run.data.tags["error"]
