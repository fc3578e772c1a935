"""The tabulated posteriors that `check_sampler` asks a sampler to follow."""

from __future__ import annotations

import math

import torch
from attrs import frozen
from torch import Tensor

from jointtask.api.grid import LatentGrid

__all__ = ["Posterior", "posteriors"]


@frozen(eq=False)
class Posterior:
    """One posterior over the N states of a grid.

    Attributes
    ----------
    grid : LatentGrid
        The states.
    energy : Tensor, (N,), float64
        Minus the unnormalised log posterior; +inf on a state that is not usable.
    log_proposal : Tensor, (N,), float64
        Unnormalised log q.
    """

    grid: LatentGrid
    energy: Tensor
    log_proposal: Tensor


def posteriors() -> dict[str, Posterior]:
    """Return seven small posteriors, of 9 to 16 states, that show where a sampler is wrong.

    Two coordinates: skewed, heavy at the edges of the grid, and bimodal with an unusable state. One coordinate: almost
    flat, under a proposal that is far from flat, so that most moves of a chain are refused. Three coordinates of
    unequal numbers of levels, and four, whose posterior ties all of them together. A ring, with its mode where the ends
    meet.
    """
    plane = LatentGrid.product([[-2.0, -1.0, 0.0, 1.0, 2.0], [-1.0, 0.0, 1.0]])
    x, y = plane.states.T
    lopsided = _lopsided(plane)
    bimodal = 1.8 * torch.minimum((x + 1.5) ** 2 + y**2, (x - 1.5) ** 2 + (y - 0.5) ** 2)
    bimodal[-1] = torch.inf
    line = LatentGrid.product([[float(level) for level in range(-4, 5)]])
    peaked = torch.where(line.states[:, 0].abs() == 3, 0.0, math.log(1 / 31.5))
    space = LatentGrid.product([[-1.0, 0.0], [-1.0, 0.0, 1.0], [0.0, 1.0]])
    four = LatentGrid.product([[0.0, 1.0], [-1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    ring = LatentGrid.product([[-180.0, -120.0, -60.0, 0.0, 60.0, 120.0], [0.0, 1.0]], period=[360.0, None])
    angle, side = torch.deg2rad(ring.states[:, 0]), ring.states[:, 1]
    return {
        "skewed": Posterior(plane, 0.9 * x + 0.6 * y**2, lopsided),
        "edge-heavy": Posterior(plane, -0.5 * (x**2 + y**2), -lopsided),
        "bimodal": Posterior(plane, bimodal, lopsided),
        "flat, one coordinate": Posterior(line, 0.02 * line.states[:, 0], peaked),
        "three coordinates": Posterior(space, _tied(space), _lopsided(space)),
        "four coordinates": Posterior(four, _tied(four), _lopsided(four)),
        "ring": Posterior(ring, 1.2 * torch.cos(angle) * (1 + side) + 0.4 * side, _lopsided(ring)),
    }


def _lopsided(grid: LatentGrid) -> Tensor:
    """Return a log proposal that differs from state to state by a factor of up to 4, as a data-driven term's does."""
    factor = torch.linspace(3.0, 5.0, grid.dimensions, dtype=torch.float64)
    scale = grid.states.abs().amax(dim=0) / 2
    return torch.log(1 + 0.6 * torch.sin((grid.states / scale) @ factor + 1))


def _tied(grid: LatentGrid) -> Tensor:
    """Return an energy in which every coordinate has a slope of its own and is tied to the next."""
    states, slope = grid.states, torch.linspace(1.0, 1.6, grid.dimensions, dtype=torch.float64)
    return (states * slope).sum(dim=1).abs() + 0.8 * (states[:, :-1] * states[:, 1:]).sum(dim=1) + states[:, 0]
