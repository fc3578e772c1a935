"""No adjustment: the paper's *sim*, the two networks trained apart."""

from __future__ import annotations

import torch

from jointtask.api.randomness import Streams
from jointtask.api.sampler import Draws, Target

__all__ = ["sample"]


def sample(target: Target, random: Streams) -> Draws:
    """Stay at no adjustment.

    Parameters
    ----------
    target : Target
        B examples over N states.
    random : Streams
        Not used.

    Returns
    -------
    Draws
        The start of each example, alone.
    """
    index = target.start[:, None]
    energy = target.energy(index)
    return Draws(index=index, energy=energy, log_weight=torch.zeros_like(energy), accepted=None)
