"""Random streams hang on seed, round, purpose and example id alone."""

from __future__ import annotations

import pytest
import torch

from jointtask.api.errors import ConfigError
from jointtask.api.grid import LatentGrid
from jointtask.api.randomness import Streams, derive, invert


def test_a_row_does_not_hang_on_the_others() -> None:
    ids = [f"{i}" for i in range(50)]
    whole = Streams(1, 2, ids, "x")
    one = [Streams(1, 2, [name], "x") for name in ids]
    for draw in ("uniform", "normal"):
        assert torch.equal(getattr(whole, draw)(7), torch.cat([getattr(stream, draw)(7) for stream in one]))


def test_seed_round_purpose_and_id_each_matter() -> None:
    base = Streams(1, 2, ["a"], "x").uniform(4)
    others = [
        Streams(2, 2, ["a"], "x"),
        Streams(1, 3, ["a"], "x"),
        Streams(1, 2, ["b"], "x"),
        Streams(1, 2, ["a"], "y"),
    ]
    assert not any(torch.equal(base, other.uniform(4)) for other in others)


def test_parts_do_not_run_into_each_other() -> None:
    assert len({derive("a", "bc"), derive("ab", "c"), derive("abc"), derive(1, 2), derive(12), derive("1", "2")}) == 6


def test_inversion_gives_each_state_its_share_of_the_line() -> None:
    log_weight = torch.tensor([[0.1, 0.0, 0.6, 0.3]], dtype=torch.float64).log()
    points = torch.tensor([[0.0, 0.0999, 0.1001, 0.6999, 0.7001, 1 - 2**-53]], dtype=torch.float64)
    assert invert(log_weight, points).tolist() == [[0, 0, 2, 2, 3, 3]]


def test_a_state_without_probability_is_never_drawn() -> None:
    log_weight = torch.full((1, 5), -torch.inf, dtype=torch.float64)
    log_weight[0, 3] = -800.0
    points = torch.tensor([[0.0, 0.5, 1 - 2**-53]], dtype=torch.float64)
    assert invert(log_weight, points).tolist() == [[3, 3, 3]]


def test_inversion_is_the_same_bits_in_any_batch() -> None:
    generator = torch.Generator().manual_seed(0)
    log_weight = torch.randn(200, 625, dtype=torch.float64, generator=generator) * 5
    points = torch.rand(200, 20, dtype=torch.float64, generator=generator)
    whole = invert(log_weight, points)
    assert torch.equal(torch.cat([invert(log_weight[i : i + 1], points[i : i + 1]) for i in range(200)]), whole)


def test_the_papers_grid() -> None:
    grid = LatentGrid.product([[-10, -5, 0, 5, 10]] * 4)
    assert len(grid) == 625
    assert grid.shape == (5, 5, 5, 5)
    assert grid.states[grid.start].tolist() == [0, 0, 0, 0]
    assert grid.states[1].tolist() == [-10, -10, -10, -5]


def test_a_grid_without_zero_or_with_a_level_twice_is_refused() -> None:
    with pytest.raises(ConfigError, match="coordinate 1 have no 0"):
        LatentGrid.product([[0, 1], [1, 2]])
    with pytest.raises(ConfigError, match="twice"):
        LatentGrid.product([[0, 1, 1]])
