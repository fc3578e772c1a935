"""Metropolis-Hastings with the paper's independence proposal (Eq. 7-8)."""

from __future__ import annotations

import torch

from jointtask.api.randomness import Streams
from jointtask.api.sampler import Draws, Target

__all__ = ["sample"]


def sample(target: Target, random: Streams, *, moves: int) -> Draws:
    """Run one chain of `moves` moves for each example, from no adjustment.

    A move from a to b is accepted with probability ``min(1, pi(b) q(a) / (pi(a) q(b)))``. The proposal does not depend
    on the current state, so all proposals are drawn first, evaluated as one request, and then accepted or rejected in
    sequence: the same chain, without one forward pass after another (Wang et al., NIPS 2014, Eq. 7-8).

    Parameters
    ----------
    target : Target
        B examples over N states.
    random : Streams
        One stream an example.
    moves : int
        K.

    Returns
    -------
    Draws
        The states after each move, with zero log weights.
    """
    proposed = random.categorical(target.log_proposal, moves)
    log_uniform = torch.log(random.uniform(moves))
    # Under an independence proposal a move compares log(pi / q) of the two states, and nothing else.
    state = target.start
    candidates = torch.cat([state[:, None], proposed], dim=1)
    energies = target.energy(candidates)
    log_ratio = -energies - target.log_proposal.gather(1, candidates)
    current = torch.zeros_like(state)
    rows = torch.arange(len(state))
    path = torch.empty_like(proposed)
    accepted = torch.empty(proposed.shape, dtype=torch.bool)
    for k in range(moves):
        accepted[:, k] = log_uniform[:, k] < log_ratio[:, k + 1] - log_ratio[rows, current]
        current = torch.where(accepted[:, k], k + 1, current)
        path[:, k] = current
    return Draws(
        index=candidates.gather(1, path),
        energy=energies.gather(1, path),
        log_weight=torch.zeros(proposed.shape, dtype=torch.float64),
        accepted=accepted,
    )
