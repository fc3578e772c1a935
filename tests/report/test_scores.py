from __future__ import annotations

import math

import attrs
import numpy as np
import pytest
from demo_run import demo_record

from jointtask.api.record import RunRecord
from jointtask.report.scores import interval, score_tables


@pytest.fixture(scope="module")
def record() -> RunRecord:
    return demo_record()


def test_best_of_each_column_is_marked(record: RunRecord) -> None:
    table = score_tables(record)[0]
    assert [row.name for row in table.rows] == ["this run", "otsu", "colour-contrast"]
    assert [cell.best for cell in table.rows[0].cells] == [True] * 4  # MAE: its lowest is best
    assert not any(cell.best for row in table.rows[1:] for cell in row.cells)


def test_one_row_has_no_best(record: RunRecord) -> None:
    table = score_tables(attrs.evolve(record, scores=record.scores[:1]))[0]
    assert not any(cell.best for cell in table.rows[0].cells)


def test_intervals_stand_beside_means_only(record: RunRecord) -> None:
    table = score_tables(record)[0]
    shown = {column.name: cell.interval for column, cell in zip(table.columns, table.rows[0].cells, strict=True)}
    assert shown["max F"] == ""  # it is no mean of scores per example
    low, high = (float(bound) for bound in shown["J"].split(" to "))
    mean = 100 * record.scores[0].values["J"]
    spread = 100 * np.std(list(record.scores[0].per_example["J"].values())) / math.sqrt(40)
    assert low < mean < high
    # The normal interval of the same mean, within a third of its own width.
    assert high - low == pytest.approx(2 * 1.96 * spread, rel=1 / 3)


def test_interval_is_fixed_and_needs_two_scores() -> None:
    scores = np.random.default_rng(1).normal(size=50).tolist()
    assert interval(scores) == interval(scores)
    assert interval([*scores, math.nan]) == interval(scores)
    assert interval([0.5]) is None
    assert interval([math.nan, 0.5]) is None
    assert interval([0.5] * 9) == (0.5, 0.5)


def test_interval_covers_the_mean() -> None:
    # 200 intervals of 40 draws each: 95 % nominal, about 93 % for this sample size. Fewer than 170 covering has
    # probability under 1e-4 at 0.92 (binomial), and the seed is fixed.
    random = np.random.default_rng(0)
    bounds = [interval(random.random(40).tolist()) for _ in range(200)]
    assert sum(b is not None and b[0] <= 0.5 <= b[1] for b in bounds) >= 170
