"""The samplers against exact enumeration, on the paper's grid and on small ones."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

from jointtask.api.grid import LatentGrid
from jointtask.api.proposal import History
from jointtask.api.randomness import Streams
from jointtask.api.sampler import Draws, Sampler, Target
from jointtask.em.proposal_table import log_proposal
from jointtask.em.proposals.upstream import UpstreamTerm
from jointtask.em.samplers import exhaustive, gibbs, metropolis_hastings, none
from jointtask.em.target import Tempered
from jointtask.testing import TabulatedTarget, check_sampler, posterior, total_variation

PAPER = LatentGrid.product([[-10, -5, 0, 5, 10]] * 4)

EXACT = {
    "metropolis-hastings": partial(metropolis_hastings.sample, moves=100),
    "gibbs": partial(gibbs.sample, sweeps=15),
    "exhaustive": exhaustive.sample,
}


def paper_targets() -> dict[str, tuple[Tensor, Tensor]]:
    """Energies and log proposals (625,) with the Gaussian term at its cold start and a lopsided data-driven term."""
    s = PAPER.states
    border = 0.26 + 0.25 * torch.sin(0.9 * s[:, 0] + 0.5 * s[:, 1] - 0.7 * s[:, 2] + 0.3 * s[:, 3])
    log_q = -s.square().sum(dim=1) / (2 * 50) + torch.log(border.clamp(min=0) + 1e-3)
    skewed = (s @ torch.tensor([0.08, -0.05, 0.12, 0.02], dtype=torch.float64)) + 0.002 * s.square().sum(dim=1)
    edges = -0.006 * s.square().sum(dim=1)
    one, two = (s - 6).square().sum(dim=1), (s + 6).square().sum(dim=1)
    bimodal = torch.minimum(one, two + 8) / 60
    return {"skewed": (skewed, log_q), "edge-heavy": (edges, log_q), "bimodal": (bimodal, log_q)}


def long_run(sample: Sampler, energy: Tensor, log_q: Tensor, chains: int, repetitions: int) -> tuple[Tensor, float]:
    """Return the share of each state, and the effective number of draws behind it.

    The effective number compares the variance of one draw's energy with that of the chains' means.
    """
    counts = torch.zeros(len(PAPER), dtype=torch.float64)
    effective = 0.0
    for repetition in range(repetitions):
        target = TabulatedTarget(PAPER, energy.expand(chains, -1), log_q.expand(chains, -1))
        draws = sample(target, Streams(repetition, 1, [str(row) for row in range(chains)], "long"))
        counts += torch.bincount(draws.index.reshape(-1), minlength=len(PAPER))
        effective += chains * float(draws.energy.var() / draws.energy.mean(dim=1).var())
    return counts / counts.sum(), effective


@pytest.mark.parametrize("name", EXACT)
def test_exact_samplers_pass_the_conformance_check(name: str) -> None:
    seen = check_sampler(EXACT[name])
    assert all(seen[key] <= 0.05 for key in seen if "total variation" in key)


def test_no_adjustment_stays_at_the_start() -> None:
    check_sampler(none.sample, exact=False)
    energy, log_q = paper_targets()["skewed"]
    draws = none.sample(TabulatedTarget(PAPER, energy.expand(3, -1), log_q.expand(3, -1)), Streams(0, 1, "abc", "x"))
    assert draws.index.tolist() == [[312]] * 3


@pytest.mark.slow
@pytest.mark.parametrize(("target", "temperature"), [("skewed", 1), ("edge-heavy", 1), ("bimodal", 1), ("bimodal", 2)])
@pytest.mark.parametrize("name", ["metropolis-hastings", "gibbs"])
def test_long_chains_follow_the_enumerated_posterior(name: str, target: str, temperature: float) -> None:
    """Total variation at most 0.02, over at least 250,000 effective draws.

    A right sampler is expected at most ``sum(sqrt(p (1 - p) / n)) / 2`` away, and goes beyond that by t with a
    probability below ``exp(-2 n t^2)`` for n independent draws (McDiarmid's inequality); the effective number stands
    for n. The test asserts that this false-alarm rate is below 1e-6; with its fixed seeds, a failure is a change.
    """
    energy, log_q = paper_targets()[target]
    sample: Sampler = {
        "metropolis-hastings": partial(metropolis_hastings.sample, moves=4000),
        "gibbs": partial(gibbs.sample, sweeps=400),
    }[name]

    def tempered(target: Target, random: Streams) -> Draws:
        return sample(Tempered(target, temperature), random)

    share, effective = long_run(tempered, energy, log_q, chains=1000, repetitions=3 if name == "gibbs" else 10)
    exact = posterior(energy[None] / temperature)[0]
    variation = total_variation(share, exact)
    expected = 0.5 * float((exact * (1 - exact) / effective).sqrt().sum())
    false_alarm = math.exp(-2 * effective * (0.02 - expected) ** 2)
    what = f"{name}, {target}, temperature {temperature}"
    print(f"{what}: variation {variation:.4f}, {effective:,.0f} effective draws, {expected:.4f} expected")
    assert effective >= 250_000
    assert expected < 0.02
    assert false_alarm < 1e-6
    assert variation <= 0.02


@pytest.mark.slow
@pytest.mark.parametrize("spread", [1, 200])
@pytest.mark.parametrize("target", ["skewed", "edge-heavy", "bimodal"])
def test_a_chain_with_the_upstream_proposal_follows_the_enumerated_posterior(target: str, spread: float) -> None:
    """The bound, and the false-alarm rate below 1e-6, of the test above; the upstream energy is a half of the whole."""
    energy, _ = paper_targets()[target]
    upstream = 0.5 * energy + 0.2 * torch.sin(PAPER.states @ torch.tensor([0.4, 0.7, -0.3, 0.2], dtype=torch.float64))
    known = History(
        torch.zeros(1, dtype=torch.int64), torch.zeros(1, 4).double(), torch.zeros(1, 4, 4).double(), upstream[None]
    )
    usable = torch.ones(1, len(PAPER), dtype=torch.bool)
    terms: Any = {"upstream": UpstreamTerm(spread)}
    log_q = log_proposal(terms, {}, PAPER.states[None], usable, known)[0]
    sample = partial(metropolis_hastings.sample, moves=4000)
    share, effective = long_run(sample, energy, log_q, chains=1000, repetitions=3)
    exact = posterior(energy[None])[0]
    variation = total_variation(share, exact)
    expected = 0.5 * float((exact * (1 - exact) / effective).sqrt().sum())
    false_alarm = math.exp(-2 * effective * (0.02 - expected) ** 2)
    print(f"{target}: variation {variation:.4f}, {effective:,.0f} effective draws, {expected:.4f} expected")
    assert effective >= 250_000
    assert expected < 0.02
    assert false_alarm < 1e-6
    assert variation <= 0.02


def test_enumeration_gives_the_posterior_itself() -> None:
    energy, log_q = paper_targets()["bimodal"]
    draws = exhaustive.sample(TabulatedTarget(PAPER, energy[None], log_q[None]), Streams(0, 1, ["a"], "x"))
    assert torch.allclose(torch.softmax(draws.log_weight, dim=1), posterior(energy[None]), atol=1e-12)


def test_a_sweep_of_gibbs_costs_17_evaluations_on_the_papers_grid() -> None:
    energy, log_q = paper_targets()["skewed"]
    target = TabulatedTarget(PAPER, energy.expand(64, -1), log_q.expand(64, -1))
    gibbs.sample(target, Streams(0, 1, [str(i) for i in range(64)], "x"), sweeps=1)
    assert target.evaluated.sum(dim=1).tolist() == [17] * 64


def test_metropolis_hastings_takes_the_start_and_at_most_k_states() -> None:
    energy, log_q = paper_targets()["skewed"]
    target = TabulatedTarget(PAPER, energy.expand(64, -1), log_q.expand(64, -1))
    draws = metropolis_hastings.sample(target, Streams(0, 1, [str(i) for i in range(64)], "x"), moves=20)
    assert int(target.evaluated.sum(dim=1).max()) <= 21
    assert bool(target.evaluated[:, PAPER.start].all())
    assert draws.accepted is not None
    stayed = ~draws.accepted[:, 1:]
    assert torch.equal(draws.index[:, 1:][stayed], draws.index[:, :-1][stayed])


@pytest.mark.parametrize("name", EXACT)
def test_draws_hang_on_seed_round_and_id_alone(name: str) -> None:
    energy, log_q = paper_targets()["bimodal"]
    ids = [f"photo {i}" for i in range(40)]

    def draw(rows: list[int], seed: int = 3, round: int = 2) -> Tensor:
        table = torch.stack([energy * (1 + 0.01 * row) for row in rows])
        proposal = torch.stack([log_q * (1 + 0.01 * row) for row in rows])
        target = TabulatedTarget(PAPER, table, proposal)
        return EXACT[name](target, Streams(seed, round, [ids[row] for row in rows], "sample")).index

    whole = draw(list(range(40)))
    shuffled = torch.randperm(40, generator=torch.Generator().manual_seed(0)).tolist()
    assert torch.equal(draw(shuffled), whole[shuffled])
    assert torch.equal(torch.cat([draw([row]) for row in range(40)]), whole)
    if name != "exhaustive":
        assert not torch.equal(draw(list(range(40)), round=3), whole)
        assert not torch.equal(draw(list(range(40)), seed=4), whole)
