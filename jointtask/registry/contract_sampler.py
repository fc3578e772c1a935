"""What a sampler must hold: its draws are checked before they are used."""

from __future__ import annotations

from typing import Any

import torch
from attrs import frozen
from torch import Tensor

from jointtask.api.errors import PluginError
from jointtask.api.randomness import Streams
from jointtask.api.sampler import Draws, Sampler, Target
from jointtask.registry.fault import fault
from jointtask.registry.unchanged import Unchanged

__all__ = ["CheckedSampler", "check_draws"]


@frozen(eq=False)
class CheckedSampler:
    """A sampler whose draws are checked before they are used."""

    sample: Sampler
    what: str

    def __call__(self, target: Target, random: Streams) -> Draws:
        """Draw, and raise a `PluginError` if the draws break their contract."""
        inputs = Unchanged(
            {"the start": target.start, "log_proposal": target.log_proposal, "the grid": target.grid.states}
        )
        draws = self.sample(target, random)
        inputs.require(self.what)
        check_draws(draws, len(target.start), len(target.grid), self.what)
        self._check_energies(draws, target.energy(draws.index))
        return draws

    def _check_energies(self, draws: Draws, energy: Tensor) -> None:
        see = "jointtask.api.sampler.Draws"
        wrong = ~torch.isclose(draws.energy.to(energy), energy, rtol=1e-5, atol=1e-8)
        if bool(wrong.any()):
            row, column = (int(value) for value in wrong.nonzero()[0])
            gave = f"gave {int(wrong.sum())} of {wrong.numel()} energies that are not those of their states"
            example = f"{float(draws.energy[row, column]):g} for a state of energy {float(energy[row, column]):g}"
            raise fault(self.what, f"{gave}: {example}", "target.energy(index)", see)
        forbidden = torch.isinf(energy) & (draws.log_weight > -torch.inf)
        if bool(forbidden.any()):
            gave = f"drew {int(forbidden.sum())} of {forbidden.numel()} states of energy +inf, which are not usable"
            raise fault(self.what, gave, "states of finite energy, or a log weight of -inf", see)


def check_draws(draws: Any, examples: int, states: int, what: str) -> None:
    """Raise if a sampler broke its contract.

    Parameters
    ----------
    draws : Any
        Value that the sampler returned.
    examples, states : int
        Number of examples, B, and of states, N.
    what : str
        Name of the sampler in errors.

    Raises
    ------
    PluginError
        Naming the sampler, what it returned and what was expected.
    """

    def broken(gave: str) -> PluginError:
        return PluginError(f"{what} {gave}", remedy="see jointtask.api.sampler.Draws for the contract")

    if not isinstance(draws, Draws):
        raise broken(f"returned {type(draws).__name__}, not Draws")
    for name in ("index", "energy", "log_weight", "accepted"):
        value = getattr(draws, name)
        if not isinstance(value, Tensor) and not (name == "accepted" and value is None):
            kind = type(value)
            raise broken(f"returned '{name}' as {kind.__module__}.{kind.__qualname__}; expected a tensor")
    shape = draws.index.shape
    if len(shape) != 2 or shape[0] != examples or shape[1] < 1:
        raise broken(f"returned an index of shape {tuple(shape)}; expected ({examples}, K) with K of at least 1")
    if draws.index.dtype != torch.int64:
        raise broken(f"returned an index of {draws.index.dtype}; expected torch.int64")
    for name in ("energy", "log_weight", "accepted"):
        value = getattr(draws, name)
        if value is not None and value.shape != shape:
            raise broken(f"returned '{name}' of shape {tuple(value.shape)}; expected {tuple(shape)}, as the index")
    if bool(((draws.index < 0) | (draws.index >= states)).any()):
        raise broken(f"returned a state off the grid; expected 0 to {states - 1}")
    if bool(torch.isnan(draws.energy).any()) or bool(torch.isnan(draws.log_weight).any()):
        raise broken("returned NaN among energies or weights")
    if bool((draws.log_weight == torch.inf).any()):
        raise broken("gave a log weight of +inf; expected finite ones, or -inf for never")
    if bool((draws.log_weight == -torch.inf).all(dim=1).any()):
        raise broken("gave an example a log weight of -inf for all its draws; expected one that is finite")
