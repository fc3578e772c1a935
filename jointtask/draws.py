"""What a sampler is, and what it returns."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import torch
from attrs import frozen
from torch import Tensor

from jointtask.errors import PluginError
from jointtask.randomness import Streams
from jointtask.target import Target

__all__ = ["Draws", "Sampler", "check_draws"]


@frozen(eq=False)
class Draws:
    """K states drawn for each of B examples.

    Attributes
    ----------
    index : Tensor, (B, K), int64
        States of the grid, in the order drawn; a chain's k-th entry is its state after move k.
    energy : Tensor, (B, K), float64
        Their energies.
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


def check_draws(draws: Draws, examples: int, states: int, name: str) -> None:
    """Hold a sampler to its contract; `name` is what it is called in errors.

    Raises
    ------
    PluginError
        Naming the sampler, what it returned and what was expected.
    """

    def fault(what: str) -> PluginError:
        return PluginError(f"{name} {what}", remedy="see jointtask.draws.Draws for the contract")

    if not isinstance(draws, Draws):
        raise fault(f"returned {type(draws).__name__}, not Draws")
    for part in ("index", "energy", "log_weight", "accepted"):
        value = getattr(draws, part)
        if not isinstance(value, Tensor) and not (part == "accepted" and value is None):
            kind = type(value)
            raise fault(f"returned '{part}' as {kind.__module__}.{kind.__qualname__}; expected a tensor")
    shape = draws.index.shape
    if len(shape) != 2 or shape[0] != examples or shape[1] < 1:
        raise fault(f"returned an index of shape {tuple(shape)}; expected ({examples}, K) with K of at least 1")
    if draws.index.dtype != torch.int64:
        raise fault(f"returned an index of {draws.index.dtype}; expected torch.int64")
    for part in ("energy", "log_weight", "accepted"):
        value = getattr(draws, part)
        if value is not None and value.shape != shape:
            raise fault(f"returned '{part}' of shape {tuple(value.shape)}; expected {tuple(shape)}, as the index")
    if bool(((draws.index < 0) | (draws.index >= states)).any()):
        raise fault(f"returned a state off the grid; expected 0 to {states - 1}")
    if bool(torch.isnan(draws.energy).any()) or bool(torch.isnan(draws.log_weight).any()):
        raise fault("returned NaN among energies or weights")
