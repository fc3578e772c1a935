"""What a sampler is, what it samples from, and what it returns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeAlias

from attrs import frozen
from torch import Tensor

from jointtask.api.grid import LatentGrid
from jointtask.api.randomness import Streams

__all__ = ["Draws", "Sampler", "Target"]


class Target(Protocol):
    """What a sampler samples from: ``pi(state) ~ exp(-energy(state))`` for each of B examples.

    Everything is on the CPU; samplers do no arithmetic on the device.

    Attributes
    ----------
    grid : LatentGrid
        Grid of the N states.
    log_proposal : Tensor, (B, N), float64
        Normalised log q (Eq. 8); -inf on unusable states.
    start : Tensor, (B,), int64
        Index of the state of no adjustment, which is always usable.
    """

    grid: LatentGrid
    log_proposal: Tensor
    start: Tensor

    def energy(self, index: Tensor) -> Tensor:
        """Return the energies (B, K), float64, of states (B, K), int64; +inf on unusable states.

        A state is paid for once, however often it is asked for; one request is evaluated in full batches.
        """
        ...


@frozen(eq=False)
class Draws:
    """K states drawn for each of B examples.

    Attributes
    ----------
    index : Tensor, (B, K), int64
        States of the grid, in the order drawn; a chain's k-th entry is its state after move k.
    energy : Tensor, (B, K), float64
        Energies of these states.
    log_weight : Tensor, (B, K), float64
        Unnormalised log weights: zero for a chain, minus the energy for an enumeration.
    accepted : Tensor, (B, K), bool, or None
        Whether move k was accepted; None for a sampler that makes no moves.
    """

    index: Tensor
    energy: Tensor
    log_weight: Tensor
    accepted: Tensor | None = None


Sampler: TypeAlias = Callable[[Target, Streams], Draws]
"""``sample(target, random) -> Draws``: a sampler is a function."""
