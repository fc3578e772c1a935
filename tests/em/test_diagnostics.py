"""Diagnostics of samplers, against sequences whose values are known."""

from __future__ import annotations

import pytest
import torch

from jointtask.api.grid import LatentGrid
from jointtask.api.sampler import Draws
from jointtask.em.diagnostics import effective_draws, histograms, oracle, visited


def chain(energy: torch.Tensor) -> Draws:
    return Draws(torch.zeros(energy.shape, dtype=torch.int64), energy, torch.zeros_like(energy), energy > -99)


def test_independent_draws_count_fully_and_a_stuck_chain_as_one() -> None:
    generator = torch.Generator().manual_seed(0)
    free = torch.randn(50, 2000, dtype=torch.float64, generator=generator)
    assert float(effective_draws(chain(free)).mean()) == pytest.approx(2000, rel=0.1)
    assert effective_draws(chain(torch.full((3, 20), 4.0, dtype=torch.float64))).tolist() == [1, 1, 1]


def test_an_autoregressive_chain_has_its_known_effective_number() -> None:
    """Of an AR(1) chain with coefficient a, n (1 - a) / (1 + a) draws are effective: here to 10 %."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(50, 5000, dtype=torch.float64, generator=generator)
    values = torch.zeros_like(noise)
    for step in range(1, 5000):
        values[:, step] = 0.8 * values[:, step - 1] + noise[:, step]
    assert float(effective_draws(chain(values)).mean()) == pytest.approx(5000 * 0.2 / 1.8, rel=0.1)


def test_weighted_draws_have_kishs_effective_number() -> None:
    weight = torch.tensor([[0.5, 0.5, 0.0], [1 / 3, 1 / 3, 1 / 3]], dtype=torch.float64)
    draws = Draws(torch.zeros(2, 3, dtype=torch.int64), torch.zeros(2, 3).double(), weight.log())
    assert torch.allclose(effective_draws(draws), torch.tensor([2.0, 3.0]).double())


def test_the_oracle_gives_regret_and_mass() -> None:
    energy = torch.tensor([[1.0, 0.0, torch.inf]], dtype=torch.float64)
    seen = visited(torch.tensor([[0, 0]]), 3)
    regret, mass = oracle(energy, torch.tensor([1.0], dtype=torch.float64), seen)
    assert regret.tolist() == [1.0]
    assert float(mass) == pytest.approx(1 / (1 + torch.e))


def test_histograms_count_every_level() -> None:
    grid = LatentGrid.product([[-1, 0, 1], [0, 2]])
    counts = histograms(torch.tensor([[0], [5], [5]]), grid)
    assert counts == [{"-1": 1, "0": 0, "1": 2}, {"0": 1, "2": 2}]
