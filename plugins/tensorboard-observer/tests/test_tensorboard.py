"""Against TensorBoard's own reader of event files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jointtask import run_file

pytest.importorskip("tensorboard", reason="the library that this observes with: install jointtask-tensorboard-observer")

PLUGINS = ("jointtask_tensorboard_observer.plugin", "jointtask.testing.trial", "panels.py")
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
name = "tensorboard"
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


def read(folder: Path) -> Any:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder))
    events.Reload()
    return events


@pytest.fixture
def watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
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


def test_steps_rounds_scores_and_panels_are_in_the_event_files(watched: Callable[..., Any]) -> None:
    record = watched()
    events = read(Path(record.directory) / "tensorboard")
    scalars = {tag: {event.step: event.value for event in events.Scalars(tag)} for tag in events.Tags()["scalars"]}
    for name in ("loss", "rate", "gradient norm"):
        for role in ("upstream", "downstream"):
            assert list(scalars[f"{name}/{role}"]) == [1, 2, 3, 4, 5, 6]
    for number, entry in enumerate(record.rounds[1:], 2):
        for tag, value in (
            ("objective/total", entry.estimate.total),
            ("E-step/acceptance", entry.sampler.acceptance),
            ("E-step/regret", entry.sampler.oracle.regret),
            ("validation/accuracy", entry.validation["accuracy"]),
        ):
            assert scalars[tag][2 * number] == pytest.approx(value, rel=1e-6)
    (score,) = record.scores
    assert scalars["validation/this run/accuracy"][6] == pytest.approx(score.values["accuracy"], rel=1e-6)
    (image,) = events.Images("panel/Blank")
    assert (image.width, image.height) == (100, 50)


def test_a_run_that_goes_on_goes_on_in_its_folder(watched: Callable[..., Any], tmp_path: Path) -> None:
    folder = tmp_path / "events"
    watched(observer__0__directory=str(folder))
    watched(observer__0__directory=str(folder), em__rounds=3, observer__0__every=2)
    assert [event.step for event in read(folder).Scalars("loss/upstream")] == [1, 2, 3, 4, 5, 6, 8]
