"""Metrics, the predictor beside them, and the pictures of the report."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
import torch
from jointtask_event_detection.change_points import NAME
from jointtask_event_detection.dataset import HeartbeatDataset
from jointtask_event_detection.detection import Detection
from jointtask_event_detection.metrics import f1, interval_iou, overlap, sample_f1
from jointtask_event_detection.panels import draw
from jointtask_event_detection.predictors import movement
from jointtask_event_detection.recording import LENGTH, Recording
from jointtask_event_detection.settings import Heartbeats
from PIL import Image

from jointtask.api import NoSettings, PanelData, PanelExample

NOTHING: Any = None


def flags(*inside: int) -> np.ndarray:
    found = np.zeros(8, dtype=bool)
    found[list(inside)] = True
    return found


def test_f1_of_known_labellings() -> None:
    assert f1(flags(1, 2, 3), flags(1, 2, 3)) == 1
    assert f1(flags(1, 2), flags(2, 3, 4)) == pytest.approx(2 / 5)
    assert f1(flags(), flags(2)) == 0
    assert f1(flags(), flags()) == 1


def test_iou_of_known_intervals() -> None:
    assert overlap([10, 20], [10, 20]) == 1
    assert overlap([10, 20], [15, 30]) == pytest.approx(5 / 20)
    assert overlap([10, 20], [20, 30]) == 0
    assert overlap([5, 5], [5, 5]) == 0


def test_the_metrics_score_against_the_labels_and_not_the_marks() -> None:
    label = np.zeros(LENGTH, dtype=np.uint8)
    label[100:150] = label[170:200] = 1
    recording = Recording("a", np.zeros(LENGTH, dtype=np.float32), label, np.array([0, 50], dtype=np.float32))
    found = Detection((label * 0.9).astype(np.float32), np.array([100, 150], dtype=np.float32))
    assert sample_f1(NoSettings(), NOTHING).score(found, recording) == 1
    assert interval_iou(NoSettings(), NOTHING).score(found, recording) == pytest.approx(0.5)


def test_movement_finds_most_of_a_clear_run() -> None:
    data = HeartbeatDataset(Heartbeats(split="test", examples=40, noise=0.05, drift=0.1, distractors=0))
    predict = movement(NoSettings(), NOTHING)
    found = [overlap(predict(data.example(i)).interval, data.example(i).interval) for i in range(40)]
    assert np.mean(found) > 0.5  # the whole recording for an interval would give about 0.3


def panel_example(*, adjusted: bool = True) -> PanelExample:
    data = HeartbeatDataset(Heartbeats(split="train", examples=1))
    seen = data.example(0)
    marked = torch.from_numpy(seen.marked)
    return PanelExample(
        example=seen,
        batch={**data.batch([0]), NAME: torch.tensor([[100.0, 200.0, torch.inf]])},
        predicted=marked + 5,
        base=marked if adjusted else None,
        estimate=marked + 12 if adjusted else None,
        prediction=Detection(seen.label.astype(np.float32), seen.marked),
        scores={"sample-f1": "0.5", "interval-iou": "0.25"},
    )


def test_panels_show_training_examples_and_the_worst_ones() -> None:
    shown = [panel_example(), panel_example(adjusted=False)]
    panels = draw(PanelData(shown, shown[:1], "sample-f1"))
    assert [panel.title for panel in panels] == ["Training examples", "Worst cases by sample-f1"]
    sizes = [Image.open(io.BytesIO(panel.png)).size for panel in panels]
    assert sizes[0][0] == sizes[1][0]
    assert sizes[0][1] > sizes[1][1]
    assert "change points" in panels[0].caption
    assert draw(PanelData([], [], "sample-f1")) == []
