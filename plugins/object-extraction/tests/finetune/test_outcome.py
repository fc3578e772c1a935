"""What is said of a gain."""

from __future__ import annotations

import math

import numpy as np
import pytest
from jointtask_object_extraction.finetune.outcome import gain_lines, gain_of

from jointtask.api import OWN, RunRecord, ScoreRecord


def record(before: dict[str, float], after: dict[str, float]) -> RunRecord:
    scores = [
        ScoreRecord(name, "validation", len(values), {}, {"iou": values})
        for name, values in (("shipped", before), (OWN, after))
    ]
    return RunRecord("x", "runs/x", {}, {}, {}, {}, scores=scores)


def numbers(mean: float, count: int = 40, seed: int = 0) -> dict[str, float]:
    values = mean + 0.02 * np.random.default_rng(seed).standard_normal(count)
    return {f"image-{index}": float(value) for index, value in enumerate(values)}


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [(0.80, 0.85, "+5.0"), (0.85, 0.80, "the shipped model is better"), (0.8, 0.8, "may be chance")],
)
def test_a_gain_is_told_with_its_interval(before: float, after: float, said: str) -> None:
    gain = gain_of(record(numbers(before), numbers(after, seed=0 if before != after else 1)))
    assert gain is not None
    text = "\n".join(gain_lines(gain))
    assert said in text
    assert "paired, 95 %" in text


@pytest.mark.parametrize(
    ("before", "after", "examples"),
    [
        ({"a": 0.5, "b": math.nan}, {"a": 0.6, "b": 0.7}, 1),
        ({"a": 0.5, "b": 0.5}, {"a": 0.6}, 1),
        ({"a": 0.5}, {"b": 0.6}, None),
        ({}, {}, None),
        ({"a": math.nan}, {"a": 0.6}, None),
    ],
)
def test_images_without_two_scores_do_not_count(
    before: dict[str, float], after: dict[str, float], examples: int | None
) -> None:
    gain = gain_of(record(before, after))
    assert (gain and gain.examples) == examples
    if gain is not None:
        assert "may be chance" in "\n".join(gain_lines(gain))
