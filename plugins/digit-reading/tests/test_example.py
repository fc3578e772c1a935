"""The run file of the examples, small."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from jointtask.api import RunRecord

EXAMPLE = Path(__file__).parents[3] / "examples" / "digit_reading.toml"


def test_the_example_runs_from_data_to_report(jointtask_run: Callable[..., RunRecord]) -> None:
    small = [f"data.{split}.examples=24" for split in ("train", "validation", "test")]
    short = ["em.warmup_epochs=1", "em.rounds=2", "em.epochs_per_round=1", "em.oracle_examples=2"]
    record = jointtask_run(EXAMPLE, *small, *short)
    assert record.finished
    assert record.period == [360.0]
    assert [score.predictor for score in record.scores] == ["this run", "mean-digits", "commonest-digit"]
    assert set(record.scores[0].values) == {"accuracy", "angle error", "median angle error"}
    assert sum(record.rounds[-1].adjustment[0].values()) == 24
    page = Path(record.directory, "report.html").read_text()
    assert "Training examples" in page
    assert "Worst cases by accuracy" in page
