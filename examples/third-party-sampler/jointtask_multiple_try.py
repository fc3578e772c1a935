"""Multiple-try Metropolis for jointtask."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from attrs import field, frozen, validators

from jointtask import hookimpl
from jointtask.api import Context, Draws, Sampler, SamplerComponent, Streams, Target, invert

__all__ = ["MultipleTry", "sample"]


@frozen
class MultipleTry:
    """Settings of the sampler `multiple-try`."""

    moves: int = field(default=5, validator=validators.ge(1), metadata={"help": "moves of the chain, K"})
    tries: int = field(default=4, validator=validators.ge(1), metadata={"help": "states drawn for each move"})


def sample(target: Target, random: Streams, *, moves: int, tries: int) -> Draws:
    """Run one chain for each example, from no adjustment, choosing among several states at each move.

    A move draws `tries` states from the proposal q, which does not depend on the current one, and picks y among them
    with a probability proportional to ``w = pi / q``. With W their summed weights and x the current state, y is
    accepted with probability ``min(1, W / (W - w(y) + w(x)))`` (Liu, Liang and Wong, JASA 2000; in the form for
    independent proposals of Martino, Digital Signal Processing 2018, which needs no second set of states). One try is
    Metropolis-Hastings. All states are drawn first and evaluated as one request.

    Parameters
    ----------
    target : Target
        The posterior of B examples over N states.
    random : Streams
        One stream an example.
    moves : int
        K.
    tries : int
        States drawn for each move.

    Returns
    -------
    Draws
        The states after each move, with zero log weights.
    """
    proposed = random.categorical(target.log_proposal, moves * tries)
    uniform = random.uniform(2 * moves)
    candidates = torch.cat([target.start[:, None], proposed], dim=1)
    energies = target.energy(candidates)
    log_weight = -energies - target.log_proposal.gather(1, candidates)
    current = torch.zeros(len(candidates), 1, dtype=torch.int64)
    path, accepted = [], []
    for k in range(moves):
        first = 1 + k * tries
        tried = log_weight[:, first : first + tries]
        choice = invert(tried, uniform[:, 2 * k, None])
        others = torch.logsumexp(tried.scatter(1, choice, -torch.inf), dim=1, keepdim=True)
        log_ratio = torch.logsumexp(tried, dim=1, keepdim=True) - torch.logaddexp(others, log_weight.gather(1, current))
        taken = torch.log(uniform[:, 2 * k + 1, None]) < log_ratio
        current = torch.where(taken, first + choice, current)
        path.append(current)
        accepted.append(taken)
    visited = torch.cat(path, dim=1)
    return Draws(
        index=candidates.gather(1, visited),
        energy=energies.gather(1, visited),
        log_weight=torch.zeros(visited.shape, dtype=torch.float64),
        accepted=torch.cat(accepted, dim=1),
    )


def build(settings: MultipleTry, context: Context) -> Sampler:
    """Bind the settings."""
    return partial(sample, moves=settings.moves, tries=settings.tries)


@hookimpl
def jointtask_samplers() -> Sequence[SamplerComponent]:
    """Give the sampler; its draws follow the posterior, and it proposes with all terms."""
    summary = "multiple-try Metropolis: the best of several states, mostly"
    return [SamplerComponent("multiple-try", MultipleTry, build, summary, exact=True, proposal="all")]
