"""Against TensorBoard's own reader of event files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jointtask.api import RunRecord
from jointtask.testing import check_observer
from jointtask.testing.trial import RUN_FILE

pytest.importorskip("tensorboard", reason="the library that this observes with: install jointtask-tensorboard-observer")

PLUGIN = "jointtask_tensorboard_observer.plugin"


def read(folder: Path) -> Any:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder))
    events.Reload()
    return events


def test_what_an_observer_sees_is_in_the_event_files(tmp_path: Path) -> None:
    record = check_observer("tensorboard", tmp_path, plugins=[PLUGIN])
    events = read(Path(record.directory) / "tensorboard")
    scalars = {tag: {event.step: event.value for event in events.Scalars(tag)} for tag in events.Tags()["scalars"]}
    for name in ("loss", "rate", "gradient norm"):
        for role in ("upstream", "downstream"):
            assert list(scalars[f"{name}/{role}"]) == [1, 2, 3, 4, 5, 6, 7, 8]
    for number, entry in enumerate(record.rounds[1:], 2):
        for tag, value in (
            ("objective/total", entry.estimate.total),
            ("E-step/acceptance", entry.sampler.acceptance),
            ("E-step/regret", entry.sampler.oracle.regret),
            ("validation/accuracy", entry.validation["accuracy"]),
        ):
            assert scalars[tag][2 * number] == pytest.approx(value, rel=1e-6)
    score = record.scores[0]
    assert scalars["test/this run/accuracy"][8] == pytest.approx(score.values["accuracy"], rel=1e-6)
    image, *_ = events.Images("panel/Blank")
    assert (image.width, image.height) == (100, 50)


def test_a_folder_of_its_own_and_every_second_step(tmp_path: Path, jointtask_run: Callable[..., RunRecord]) -> None:
    folder = tmp_path / "events"
    observer = [f"observer.0.{pair}" for pair in ("name=tensorboard", f"directory={folder}", "every=2")]
    jointtask_run(RUN_FILE, *observer, "em.batch_size=4", plugins=(PLUGIN, "jointtask.testing.trial"))
    assert [event.step for event in read(folder).Scalars("loss/upstream")] == [2, 4, 6]
