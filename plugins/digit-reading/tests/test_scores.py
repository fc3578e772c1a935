"""Metrics, the predictor beside them, and the pictures of the report."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from jointtask_digit_reading.dataset import RotatedDigitsDataset
from jointtask_digit_reading.metrics import accuracy, angle_difference, angle_error
from jointtask_digit_reading.panels import draw
from jointtask_digit_reading.predictors import mean_digits
from jointtask_digit_reading.reading import Reading
from jointtask_digit_reading.scene import Scene
from jointtask_digit_reading.settings import RotatedDigits
from PIL import Image

from jointtask.api import ConfigError, Context, NoSettings, PanelData, PanelExample
from jointtask.tools import SilentProgress

NOTHING: Any = None


def reading(digit: int, angle: float) -> Reading:
    probability = np.full(10, 0.05, dtype=np.float32)
    probability[digit] = 0.55
    return Reading(probability, angle)


def scene(digit: int, angle: float) -> Scene:
    return Scene("a-scene", np.zeros((40, 40), dtype=np.uint8), digit, angle, angle)


def test_accuracy_is_the_share_of_digits_read_right() -> None:
    metric = accuracy(NoSettings(), NOTHING)
    scores = np.array([metric.score(reading(read, 0), scene(4, 0)) for read in (4, 4, 9, 4)])
    assert metric.summaries["accuracy"].reduce(scores) == 0.75


@pytest.mark.parametrize(("a", "b", "difference"), [(10, 5, 5), (179, -179, -2), (-170, 170, 20), (90, -60, 150)])
def test_angles_differ_the_short_way_round(a: float, b: float, difference: float) -> None:
    assert angle_difference(a, b) == pytest.approx(difference)
    metric = angle_error(NoSettings(), NOTHING)
    assert metric.score(reading(0, a), scene(0, b)) == pytest.approx(abs(difference))


def test_the_angle_error_is_given_as_mean_and_median() -> None:
    summaries = angle_error(NoSettings(), NOTHING).summaries
    scores = np.array([1.0, 2.0, 3.0, 178.0])
    assert {name: summary.reduce(scores) for name, summary in summaries.items()} == {
        "angle error": 46.0,
        "median angle error": 2.5,
    }


def make_context(train: Any) -> Context:
    return Context(device=torch.device("cpu"), workers=1, cache=Path("unused"), progress=SilentProgress(), train=train)


def test_mean_digits_read_most_clean_scenes() -> None:
    clean: dict[str, Any] = {"clutter": 0, "noise": 0.02}
    train = RotatedDigitsDataset(RotatedDigits(split="train", examples=300, **clean))
    predict = mean_digits(NoSettings(), make_context(train))
    test = RotatedDigitsDataset(RotatedDigits(split="validation", examples=60, **clean))
    found = [(predict(test.example(index)), test.example(index)) for index in range(60)]
    assert np.mean([read.digit == seen.digit for read, seen in found]) > 0.6  # guessing reads 0.1
    assert np.median([abs(angle_difference(read.angle, seen.angle)) for read, seen in found]) < 12  # guessing: 90


def test_mean_digits_need_training_data() -> None:
    with pytest.raises(ConfigError, match="no training data"):
        mean_digits(NoSettings(), make_context(None))


def panel_example(*, adjusted: bool = True) -> PanelExample:
    data = RotatedDigitsDataset(RotatedDigits(split="train", examples=1))
    seen = data.example(0)
    return PanelExample(
        example=seen,
        batch=data.batch([0]),
        predicted=torch.tensor([seen.angle]),
        base=torch.tensor([seen.annotated]) if adjusted else None,
        estimate=torch.tensor([seen.annotated + 15]) if adjusted else None,
        prediction=reading(seen.digit, seen.angle),
        scores={"digit-accuracy": "100.00", "angle-error": "3.2500"},
    )


def test_panels_show_training_examples_and_the_worst_ones() -> None:
    shown = [panel_example(), panel_example(adjusted=False)]
    panels = draw(PanelData(shown, shown[:1], "digit-accuracy"))
    assert [panel.title for panel in panels] == ["Training examples", "Worst cases by digit-accuracy"]
    sizes = [Image.open(io.BytesIO(panel.png)).size for panel in panels]
    assert sizes[0][0] > sizes[1][0]  # no adjustment is known of test examples
    assert sizes[0][1] > sizes[1][1]
    assert draw(PanelData([], [], "digit-accuracy")) == []
    assert draw(PanelData(shown, [], "x"))[0].png == draw(PanelData(shown, [], "x"))[0].png
