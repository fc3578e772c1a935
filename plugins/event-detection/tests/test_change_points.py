from __future__ import annotations

import numpy as np
import pytest
import torch
from jointtask_event_detection.change_points import NAME, ChangePointTerm, find_change_points

from jointtask.api import History

RANDOM = np.random.default_rng(0)
NOISE = RANDOM.standard_normal(400)
HISTORY = History(torch.zeros(2, dtype=torch.int64), torch.zeros(2, 2), torch.zeros(2, 2, 2))


def test_changes_of_the_mean_are_found_where_they_are() -> None:
    level = np.repeat([0.0, 3.0, -1.0, 0.5], [100, 60, 140, 100])
    assert find_change_points(level + 0.1 * NOISE, 3, 8) == pytest.approx([100, 160, 300], abs=1)


def test_changes_of_the_variance_are_found_where_they_are() -> None:
    scale = np.repeat([0.1, 1.0, 0.1], [150, 100, 150])
    assert find_change_points(scale * NOISE, 2, 8) == pytest.approx([150, 250], abs=4)


def test_without_noise_a_step_is_found_exactly_and_nothing_else_matters() -> None:
    found = find_change_points(np.repeat([0.0, 1.0], [37, 63]), 5, 4)
    assert found.tolist() == [37]


def test_a_constant_series_has_none_and_a_short_one_neither() -> None:
    assert find_change_points(np.ones(100), 5, 8).tolist() == []
    assert find_change_points(NOISE[:15], 5, 8).tolist() == []


def test_segments_are_no_shorter_than_asked_for() -> None:
    found = find_change_points(NOISE, 12, 20)
    assert len(found) <= 12
    assert np.diff(np.concatenate([[0], found, [400]])).min() >= 20


def test_the_term_prepares_change_points_of_a_fixed_number() -> None:
    values = torch.from_numpy(np.repeat([0.0, 1.0], [37, 63])).float()
    prepared = ChangePointTerm(points=4, shortest=4, scale=5.0).prepare({"values": values})
    assert prepared.dtype == np.float32
    assert prepared.tolist() == [37.0, np.inf, np.inf, np.inf]


def test_references_between_change_points_weigh_most() -> None:
    term = ChangePointTerm(points=3, shortest=4, scale=5.0)
    batch = {NAME: torch.tensor([[50.0, 120.0, torch.inf], [torch.inf] * 3])}
    reference = torch.tensor([[50.0, 120.0], [55.0, 120.0], [200.0, 120.0], [300.0, 400.0]]).expand(2, -1, -1)
    weight = term.log_weight(batch, reference, HISTORY)
    assert weight.dtype == torch.float64
    near, one, floor = np.log(1.05), np.log(np.exp(-0.5) + 0.05), np.log(0.05)
    expected = [2 * near, near + one, near + floor, 2 * floor]
    torch.testing.assert_close(weight[0], torch.tensor(expected, dtype=torch.float64))
    assert weight[1].tolist() == pytest.approx([2 * floor] * 4)  # a recording without change points


def test_rows_have_the_same_bits_in_any_batch() -> None:
    term = ChangePointTerm(points=3, shortest=4, scale=5.0)
    point, reference = torch.rand(16, 3) * 500, torch.rand(16, 9, 2) * 500
    whole = term.log_weight({NAME: point}, reference, HISTORY)
    for row in range(16):
        alone = term.log_weight({NAME: point[row : row + 1]}, reference[row : row + 1], HISTORY)
        assert torch.equal(alone[0], whole[row])
