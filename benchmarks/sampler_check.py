"""How often `check_sampler` refuses right samplers, and passes one whose energies are 5 % too small.

``python benchmarks/sampler_check.py --seeds 200`` writes a table in Markdown; some 20 minutes on one core.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor

from jointtask.api import Draws, Sampler, Streams, Target
from jointtask.em.samplers import exhaustive, gibbs, metropolis_hastings
from jointtask.testing import check_sampler


class Scaled:
    """A target at a part of its energy."""

    def __init__(self, target: Target, part: float) -> None:
        self.grid, self.start, self.log_proposal = target.grid, target.start, target.log_proposal
        self._energy, self._part = target.energy, part

    def energy(self, index: Tensor) -> Tensor:
        """Return the part of the energies."""
        return self._part * self._energy(index)


def scaled(target: Target, random: Streams, *, part: float) -> Draws:
    """Draw by Metropolis-Hastings from the posterior at a part of its energy, and return the energies as they are."""
    draws = metropolis_hastings.sample(Scaled(target, part), random, moves=100)
    return Draws(draws.index, target.energy(draws.index), draws.log_weight, draws.accepted)


SAMPLERS: Mapping[str, Sampler] = {
    "metropolis-hastings, 100 moves": partial(metropolis_hastings.sample, moves=100),
    "gibbs, 15 sweeps": partial(gibbs.sample, sweeps=15),
    "exhaustive": exhaustive.sample,
    "metropolis-hastings at 0.95 of the energy": partial(scaled, part=0.95),
}


def refused(sample: Callable[..., Any], seeds: int) -> int:
    """Return how many seeds a sampler is refused with."""
    count = 0
    for seed in range(seeds):
        try:
            check_sampler(sample, seed=seed)
        except AssertionError:
            count += 1
    return count


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=200)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print("| sampler | refused |\n|---|---|")
    for name, sample in SAMPLERS.items():
        print(f"| {name} | {refused(sample, arguments.seeds)} of {arguments.seeds} |", flush=True)
