"""Grids of adjustments, what is kept of them, and coordinates that are rings."""

from __future__ import annotations

import math

import pytest
import torch

from jointtask.api.errors import ConfigError
from jointtask.api.grid import LatentGrid
from jointtask.em.latents import Latents

RING = LatentGrid.product([[-90.0, 0.0, 90.0, 180.0], [-1.0, 0.0, 1.0]], period=[360.0, None])


def test_differences_go_the_short_way_round_a_ring_and_straight_elsewhere() -> None:
    a, b = torch.tensor([[170.0, 300.0], [-170.0, 0.0]]), torch.tensor([[-170.0, 0.0], [190.0, 5.0]])
    assert RING.difference(a, b).tolist() == [[-20.0, 300.0], [0.0, -5.0]]


def test_levels_a_period_apart_are_one_level() -> None:
    with pytest.raises(ConfigError, match="name a value twice, on a ring of 360"):
        LatentGrid.product([[-180.0, 0.0, 180.0]], period=[360.0])
    assert len(LatentGrid.product([[-180.0, 0.0, 180.0]])) == 3


@pytest.mark.parametrize(
    ("levels", "message"),
    [
        ([[0.0, 1e308]], "beyond 1e\\+09"),
        ([[0.0], [-2e9, 0.0]], "coordinate 1 is none, or beyond"),
        ([[0.0, math.nan]], "coordinate 0 is none"),
        ([[0.0, -math.inf]], "coordinate 0 is none"),
        ([list(range(100))] * 4, "100,000,000 adjustments is too large"),
        ([list(range(10_000_001))], "10,000,001 adjustments is too large"),
        ([[0.0, 1.0]] * 64, "is too large"),
    ],
)
def test_a_grid_that_nobody_can_hold_is_refused(levels: list[list[float]], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        LatentGrid.product(levels)
    assert len(str(caught.value)) < 1000


def test_the_history_of_optima_on_both_sides_of_a_seam_is_narrow() -> None:
    latents, index = Latents.empty(1, 1, 2), torch.tensor([0])
    for angle, length in ((170.0, 10.0), (-170.0, 12.0), (175.0, 14.0)):
        optimum = torch.tensor([[angle, length]])
        latents.record(index, optimum[:, None], optimum, RING)
    history = latents.history(index, torch.zeros(1, 2))
    expected = torch.tensor([[170.0, 190.0, 175.0], [10.0, 12.0, 14.0]], dtype=torch.float64)
    away = RING.difference(history.mean, expected.mean(dim=1)[None])
    torch.testing.assert_close(away, torch.zeros_like(away))
    torch.testing.assert_close(history.covariance[0], torch.cov(expected, correction=0))
