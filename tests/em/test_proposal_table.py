"""The proposal tabulated over the grid, and its Gaussian term."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from attrs import evolve
from torch import Tensor

from jointtask.api.grid import LatentGrid
from jointtask.api.proposal import History
from jointtask.em.proposal_table import log_proposal
from jointtask.em.proposals.gaussian import GaussianTerm
from jointtask.em.proposals.upstream import UpstreamTerm, flatten

GRID = LatentGrid.product([[-10, -5, 0, 5, 10]] * 2)


def history(count: int, mean: Tensor, covariance: Tensor) -> History:
    return History(torch.full((len(mean),), count), mean.double(), covariance.double())


def test_it_is_normalised_over_the_usable_states() -> None:
    reference = 50 + GRID.states.expand(3, -1, -1).float()
    usable = torch.ones(3, 25, dtype=torch.bool)
    usable[1, :10] = False
    known = history(0, torch.full((3, 2), 50.0), torch.zeros(3, 2, 2))
    log_q = log_proposal({"gaussian": GaussianTerm(GRID, 50.0, 25.0)}, {}, reference, usable, known)
    assert log_q.dtype == torch.float64
    assert torch.allclose(log_q.exp().sum(dim=1), torch.ones(3, dtype=torch.float64), atol=1e-14)
    assert bool((log_q[1, :10] == -math.inf).all())


def test_the_gaussian_term_is_the_normal_density() -> None:
    mean = torch.tensor([[52.0, 47.0], [50.0, 50.0]])
    covariance = torch.tensor([[[9.0, 2.0], [2.0, 4.0]], [[0.0, 0.0], [0.0, 0.0]]])
    reference = 50 + GRID.states.expand(2, -1, -1).float()
    got = GaussianTerm(GRID, 50.0, 25.0).log_weight({}, reference, history(3, mean, covariance))
    normal = torch.distributions.MultivariateNormal(mean.double(), covariance.double() + 25 * torch.eye(2).double())
    exact = normal.log_prob(reference.double().transpose(0, 1)).T
    assert torch.allclose(got - got[:, :1], exact - exact[:, :1], atol=1e-10)


def test_without_a_history_it_is_centred_with_the_cold_variance() -> None:
    mean = torch.full((1, 2), 50.0)
    got = GaussianTerm(GRID, 50.0, 25.0).log_weight(
        {}, 50 + GRID.states[None].float(), history(0, mean, torch.zeros(1, 2, 2))
    )
    assert torch.allclose(got[0], -GRID.states.square().sum(dim=1) / 100)


@pytest.mark.parametrize("size", [1, 7])
@pytest.mark.parametrize("dimensions", [2, 4])
def test_rows_are_the_same_bits_in_any_batch(dimensions: int, size: int) -> None:
    generator = torch.Generator().manual_seed(0)
    grid = LatentGrid.product([[-10, 0, 10]] * dimensions)
    mean = 50 + 5 * torch.randn(64, dimensions, generator=generator)
    factor = torch.randn(64, dimensions, dimensions, generator=generator)
    reference = 50 + torch.randn(64, 1, dimensions, generator=generator) + grid.states.float()
    usable = torch.ones(reference.shape[:2], dtype=torch.bool)
    known = history(4, mean, factor @ factor.mT)
    terms: Any = {"gaussian": GaussianTerm(grid, 50.0, 25.0)}
    whole = log_proposal(terms, {}, reference, usable, known)
    for rows in torch.arange(64).split(size):
        some = History(known.count[rows], known.mean[rows], known.covariance[rows])
        assert torch.equal(log_proposal(terms, {}, reference[rows], usable[rows], some), whole[rows])


def test_on_a_ring_the_short_way_counts() -> None:
    ring = LatentGrid.product([[-170.0, 0.0, 170.0]], period=[360.0])
    mean = torch.tensor([[175.0]])
    got = GaussianTerm(ring, 50.0, 25.0).log_weight(
        {}, torch.tensor([[[-170.0], [0.0], [170.0]]]), history(1, mean, torch.zeros(1, 1, 1))
    )
    assert torch.allclose(got[0], torch.tensor([-0.5 * 225 / 25, -0.5 * 175**2 / 25, -0.5]).double())


def test_the_upstream_term_is_the_upstream_posterior() -> None:
    generator = torch.Generator().manual_seed(0)
    upstream = 30 * torch.rand(3, 25, generator=generator)
    usable = torch.ones(3, 25, dtype=torch.bool)
    usable[2, :10] = False
    reference = 50 + GRID.states.expand(3, -1, -1).float()
    known = history(0, torch.full((3, 2), 50.0), torch.zeros(3, 2, 2))
    log_q = log_proposal({"upstream": UpstreamTerm(1.0)}, {}, reference, usable, evolve(known, upstream=upstream))
    exact = torch.log_softmax(-upstream.double().masked_fill(~usable, math.inf), dim=1)
    assert torch.allclose(log_q, exact, atol=1e-12)


def test_it_is_flattened_until_it_spreads_over_enough_states_and_no_further() -> None:
    logs = -(10.0 ** np.arange(-3, 4))[:, None] * np.random.default_rng(0).random((7, 25))
    flat = flatten(logs, 8)
    share = np.exp(flat) / np.exp(flat).sum(axis=1, keepdims=True)
    states = np.exp(-(share * np.log(share.clip(1e-300))).sum(axis=1))
    below = logs - logs.max(axis=1, keepdims=True)
    factor = flat.min(axis=1) / below.min(axis=1)
    assert np.allclose(flat, factor[:, None] * below)
    assert ((factor > 0) & (factor <= 1)).all()
    assert (states >= 8 - 1e-6).all()
    assert np.allclose(states[factor < 1], 8, atol=1e-6)
    assert (factor == 1).any()
    assert (factor < 1).any()
    assert np.array_equal(np.concatenate([flatten(row[None], 8) for row in logs]), flat)


def test_it_spreads_over_no_more_states_than_there_are() -> None:
    logs = -100 * np.random.default_rng(0).random((3, 25))
    assert np.allclose(np.exp(flatten(logs, 1000)), 1, atol=1e-3)
    assert np.array_equal(flatten(logs, 1), logs - logs.max(axis=1, keepdims=True))


def test_the_upstream_term_and_the_gaussian_term_add_up() -> None:
    upstream = GRID.states.square().sum(dim=1).float()[None] / 10
    reference = 50 + GRID.states[None].float()
    usable = torch.ones(1, 25, dtype=torch.bool)
    known = history(0, torch.full((1, 2), 50.0), torch.zeros(1, 2, 2))
    terms: Any = {"upstream": UpstreamTerm(1.0), "gaussian": GaussianTerm(GRID, 50.0, 25.0)}
    log_q = log_proposal(terms, {}, reference, usable, evolve(known, upstream=upstream))
    square = GRID.states.square().sum(dim=1)
    assert torch.allclose(log_q[0], torch.log_softmax(-square / 10 - square / 100, dim=0), atol=1e-6)
