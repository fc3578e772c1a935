"""Every state of the grid: the oracle that the other samplers are judged by."""

from __future__ import annotations

import torch

from jointtask.api.randomness import Streams
from jointtask.api.sampler import Draws, Target

__all__ = ["sample"]


def sample(target: Target, random: Streams) -> Draws:
    """Enumerate the grid.

    Parameters
    ----------
    target : Target
        B examples over N states.
    random : Streams
        Not used.

    Returns
    -------
    Draws
        All N states of each example, weighted by their posterior: log weights are minus the energies.
    """
    index = torch.arange(len(target.grid)).expand(len(target.start), -1)
    energy = target.energy(index)
    return Draws(index=index, energy=energy, log_weight=-energy, accepted=None)
