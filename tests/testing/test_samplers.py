"""The check of samplers: right ones pass, and each kind of mistake is caught with a message that says what is wrong."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

from jointtask.api import Draws, Streams, Target
from jointtask.em.samplers import exhaustive, gibbs, metropolis_hastings
from jointtask.testing import check_sampler

RIGHT = {
    "metropolis-hastings": partial(metropolis_hastings.sample, moves=100),
    "gibbs": partial(gibbs.sample, sweeps=15),
    "exhaustive": exhaustive.sample,
}


@pytest.mark.parametrize("name", RIGHT)
def test_right_samplers_pass_whatever_the_random_numbers(name: str) -> None:
    """A right sampler fails with a probability below 5e-5, see `check_sampler`; tests/em tries seed 0."""
    check_sampler(RIGHT[name], seed=1)


Ratio = Callable[[Tensor, Tensor], Tensor]


def chain(target: Target, random: Streams, *, ratio: Ratio, moves: int = 100) -> Draws:
    """Metropolis-Hastings over the log ratio ``log(pi / q)`` that `ratio` makes of energies and log q."""
    proposed = random.categorical(target.log_proposal, moves)
    uniform = torch.log(random.uniform(moves))
    asked = torch.cat([target.start[:, None], proposed], dim=1)
    energy = target.energy(asked)
    log_ratio = ratio(energy, target.log_proposal.gather(1, asked))
    current = torch.zeros(len(asked), 1, dtype=torch.int64)
    path, accepted = [], []
    for k in range(moves):
        taken = uniform[:, k, None] < log_ratio[:, k + 1, None] - log_ratio.gather(1, current)
        current = torch.where(taken, k + 1, current)
        path.append(current)
        accepted.append(taken)
    visited = torch.cat(path, dim=1)
    weight = torch.zeros(visited.shape, dtype=torch.float64)
    return Draws(asked.gather(1, visited), energy.gather(1, visited), weight, torch.cat(accepted, dim=1))


right = partial(chain, ratio=lambda energy, log_q: -energy - log_q)


def altered(change: Callable[[Draws], Draws]) -> Callable[[Target, Streams], Draws]:
    return lambda target, random: change(right(target, random))


def gibbs_over(coordinates: Callable[[int], Sequence[int]]) -> Callable[[Target, Streams], Draws]:
    """Gibbs sampling that visits some of the coordinates alone."""

    def sample(target: Target, random: Streams) -> Draws:
        shape = target.grid.shape
        state, states = target.start, []
        for _ in range(15):
            for d in coordinates(len(shape)):
                line = state[:, None] + strides(shape)[d] * (
                    torch.arange(shape[d]) - (state // strides(shape)[d] % shape[d])[:, None]
                )
                state = line.gather(1, random.categorical(-target.energy(line), 1))[:, 0]
                states.append(state)
        index = torch.stack(states, dim=1)
        before = torch.cat([target.start[:, None], index[:, :-1]], dim=1)
        weight = torch.zeros(index.shape, dtype=torch.float64)
        return Draws(index, target.energy(index), weight, index != before)

    return sample


def strides(shape: Sequence[int]) -> Tensor:
    return torch.tensor([math.prod(shape[d + 1 :]) for d in range(len(shape))])


def not_round_the_ring(target: Target, random: Streams) -> Draws:
    """Takes a state at the far end of a ring for an unusable one."""
    ring = torch.isfinite(target.grid.period)
    last = torch.zeros(len(target.grid), dtype=torch.bool)
    if bool(ring.any()):
        last = (target.grid.states == target.grid.states.amin(dim=0))[:, ring].any(dim=1)
    index = torch.arange(len(target.grid))[~last].expand(len(target.start), -1)
    energy = target.energy(index)
    return Draws(index, energy, -energy)


def centred(target: Target, random: Streams) -> Draws:
    """Takes the mean energy of the batch away, in which the digits of small energies get lost."""
    return chain(target, random, ratio=lambda energy, q: -(energy - energy[torch.isfinite(energy)].mean()) - q)


def negating(target: Target, random: Streams) -> Draws:
    index = random.categorical(target.log_proposal, 100)
    energy = target.energy(index)
    weight = energy.neg_() - target.log_proposal.gather(1, index)
    return Draws(index, -energy, weight)


def uniform_importance(target: Target, random: Streams) -> Draws:
    index = (random.uniform(200) * len(target.grid)).long()
    energy = target.energy(index)
    return Draws(index, energy, -energy)


@pytest.mark.parametrize(
    ("sample", "message"),
    [
        (gibbs_over(lambda count: range(min(2, count))), "three coordinates: total variation"),
        (gibbs_over(lambda count: range(min(3, count))), "four coordinates: total variation"),
        (gibbs_over(lambda count: range(count)[-1:]), "skewed: total variation"),
        (not_round_the_ring, "ring: total variation"),
        (partial(chain, ratio=lambda energy, q: -0.9 * energy - q), "mean energy"),
        (partial(chain, ratio=lambda energy, q: -1.1 * energy - q), "mean energy"),
        (partial(chain, ratio=lambda energy, q: -0.95 * energy - q), "posteriors.* a posterior that is flatter"),
        (partial(chain, ratio=lambda energy, q: -1.06 * energy - q), "mean energy"),
        (partial(chain, ratio=lambda energy, q: -energy - 2 * q), "total variation"),
        (partial(right, moves=4), "the chain is too short"),
        (altered(lambda d: Draws(d.index, d.energy, -d.energy, d.accepted)), "log weights other than zero"),
        (altered(lambda d: Draws(d.index, d.energy, d.log_weight, ~d.accepted)), "changes at a move that was not"),  # type: ignore[operator]
        (altered(lambda d: Draws(d.index, d.energy, d.log_weight, d.index > -1)), "accepted moves leave the state"),
        (altered(lambda d: Draws(d.index, d.energy, d.log_weight, d.accepted.double())), "expected torch.bool"),  # type: ignore[union-attr]
        (altered(lambda d: Draws(d.index, d.energy.float(), d.log_weight, d.accepted)), "expected torch.float64"),
        (centred, "depend on the energies of the others"),
        (negating, "what target.energy gave was changed in place"),
        (uniform_importance, "bimodal: an unusable state was drawn"),
        (lambda target, random: target.no_such_part, "the sampler raised AttributeError"),
    ],
)
def test_each_kind_of_mistake_is_caught(sample: Any, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_sampler(sample)


def test_evaluations_are_counted() -> None:
    seen = check_sampler(exhaustive.sample)
    assert seen["skewed: evaluated"] == 1
    assert seen["skewed: total variation"] < 1e-9
    short = check_sampler(partial(metropolis_hastings.sample, moves=2), exact=False)
    assert short["skewed: evaluated"] <= 3 / 15


def one_state(target: Any, state: Tensor) -> Draws:
    return Draws(state, target.energy(state), torch.zeros(state.shape, dtype=torch.float64))


def unseeded(target: Any, random: Any) -> Draws:
    return one_state(target, torch.randint(0, 14, (len(random), 3)))


def reckless(target: Any, random: Any) -> Draws:
    return one_state(target, torch.full((len(random), 1), 14))


def spoiling(target: Any, random: Any) -> Draws:
    target.log_proposal.mul_(2)
    return exhaustive.sample(target, random)


def moving(target: Any, random: Any) -> Draws:
    target.start.add_(1)
    return exhaustive.sample(target, random)


def inventing(target: Any, random: Any) -> Draws:
    draws = exhaustive.sample(target, random)
    return Draws(draws.index, draws.energy + 1, draws.log_weight)


def unweighted(target: Any, random: Any) -> Draws:
    draws = exhaustive.sample(target, random)
    usable = torch.isfinite(draws.energy)
    return Draws(draws.index, draws.energy, torch.zeros_like(draws.energy).masked_fill(~usable, -torch.inf))


def off_the_grid(target: Any, random: Any) -> Draws:
    draws = one_state(target, target.start[:, None])
    return Draws(draws.index + 1000, draws.energy, draws.log_weight)


def undefined(target: Any, random: Any) -> Draws:
    draws = one_state(target, target.start[:, None])
    return Draws(draws.index, draws.energy * torch.nan, draws.log_weight)


def narrow(target: Any, random: Any) -> Draws:
    draws = exhaustive.sample(target, random)
    return Draws(draws.index, draws.energy[:, :3], draws.log_weight)


@pytest.mark.parametrize(
    ("sample", "message"),
    [
        (unseeded, "skewed: the same streams gave different draws; expected all random numbers to come from 'random'"),
        (reckless, "bimodal: an unusable state was drawn"),
        (spoiling, "skewed: the target's log_proposal was changed in place"),
        (moving, "skewed: the target's start was changed in place"),
        (inventing, r"energies returned are not those of the states; expected target.energy\(index\)"),
        (unweighted, r"skewed: total variation 0\.\d+ from the exact posterior, at most 0.05 expected"),
        (off_the_grid, "returned a state off the grid; expected 0 to 14"),
        (undefined, "returned NaN"),
        (narrow, r"'energy' of shape \(8, 3\); expected \(8, 15\)"),
        (lambda target, random: target.start, "returned Tensor, not Draws"),
    ],
)
def test_a_wrong_sampler_is_caught(sample: Any, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_sampler(sample)


def clamped_walk(target: Target, random: Streams) -> Draws:
    """A random walk clamped to the grid, taken for symmetric: the mistake that the paper's wording invites."""
    state = target.start
    levels = target.grid.shape
    noise, uniform = random.normal(200 * len(levels)), random.uniform(200)
    energy = target.energy(state[:, None])[:, 0]
    states, energies, accepted = [], [], []
    for move in range(200):
        coordinates = torch.stack(torch.unravel_index(state, levels), dim=1)
        step = noise[:, move * len(levels) : (move + 1) * len(levels)].round().long()
        moved = torch.minimum((coordinates + 2 * step).clamp(min=0), torch.tensor(levels) - 1)
        proposed = (moved * strides(levels)).sum(dim=1)
        other = target.energy(proposed[:, None])[:, 0]
        take = torch.log(uniform[:, move]) < energy - other
        state, energy = torch.where(take, proposed, state), torch.where(take, other, energy)
        states.append(state)
        energies.append(energy)
        accepted.append(take)
    index = torch.stack(states, dim=1)
    return Draws(
        index, torch.stack(energies, dim=1), torch.zeros(index.shape, dtype=torch.float64), torch.stack(accepted, dim=1)
    )


def test_a_clamped_random_walk_is_caught() -> None:
    with pytest.raises(AssertionError, match="total variation"):
        check_sampler(clamped_walk)


def test_a_sampler_that_shares_random_numbers_between_examples_is_caught() -> None:
    def shared(target: Target, random: Streams) -> Draws:
        index = random.uniform(1).mul(len(random)).long().cumsum(dim=0) % len(target.grid)
        return Draws(index, target.energy(index), torch.zeros(index.shape, dtype=torch.float64))

    with pytest.raises(AssertionError, match="depend on the other examples"):
        check_sampler(shared)
