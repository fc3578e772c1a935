"""Angles in degrees: a ring, written from -180 to 180."""

from __future__ import annotations

import math

import torch
from torch import Tensor

__all__ = ["CIRCLE", "direction", "von_mises_energy", "wrap"]

CIRCLE = 360.0
"""Degrees of a full turn: the period of the ring."""


def wrap(angle: Tensor) -> Tensor:
    """Write angles from -180 to 180 degrees; those that are come back as they are, to the last bit."""
    return angle - CIRCLE * torch.round(angle / CIRCLE)


def direction(angle: Tensor) -> Tensor:
    """Return the unit vectors (cos, sin), (..., 2), of angles (...) in degrees."""
    radians = torch.deg2rad(angle)
    return torch.stack([torch.cos(radians), torch.sin(radians)], dim=-1)


def von_mises_energy(vector: Tensor, angle: Tensor) -> Tensor:
    """Return the negative log density of angles under von Mises distributions.

    With its natural parameter ``v = kappa (cos mu, sin mu)``, the density of an angle with unit vector u is
    ``exp(v . u) / (2 pi I0(|v|))``: the length of v is how sure the prediction is (Mardia and Jupp, "Directional
    Statistics", 2000, section 3.5.4).

    Parameters
    ----------
    vector : Tensor, (B, 2)
        Natural parameters; of length 0 for the uniform distribution.
    angle : Tensor, (B,)
        Angle in degrees; 180 and -180 are the same.

    Returns
    -------
    Tensor, (B,)
        In nats, per radian.
    """
    length = torch.linalg.vector_norm(vector, dim=-1)
    bessel = torch.special.i0e(length)  # exp(-k) I0(k), which does not overflow
    energy: Tensor = torch.log(bessel) + length + math.log(2 * math.pi) - (vector * direction(angle)).sum(dim=-1)
    return energy
