"""The latent adjustment: a finite grid of displacements of the reference."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from attrs import field, frozen
from torch import Tensor

from jointtask.api.errors import ConfigError

__all__ = ["LatentGrid"]

_STATES = 10_000_000
_LARGEST = 1e9


@frozen(eq=False)
class LatentGrid:
    """A finite grid of adjustments, the product of one list of levels per coordinate.

    The paper's grid is ``LatentGrid.product([[-10, -5, 0, 5, 10]] * 4)``: 625 adjustments of four coordinates
    (Wang et al., NIPS 2014, section 3).

    Attributes
    ----------
    states : Tensor, (N, D), float64
        The adjustments, in the reference's units; the last coordinate varies fastest.
    shape : tuple of int, (D,)
        Number of levels of each coordinate; their product is N.
    period : Tensor, (D,), float64
        Period of each coordinate that is a ring, infinity for the others.
    start : int
        Index of the zero adjustment.
    """

    states: Tensor
    shape: tuple[int, ...]
    period: Tensor
    start: int = field()

    @classmethod
    def product(cls, levels: Sequence[Sequence[float]], period: Sequence[float | None] | None = None) -> LatentGrid:
        """Make the grid of all combinations of levels.

        Parameters
        ----------
        levels : sequence of D sequences of float
            The levels of each coordinate: distinct, and 0 among them.
        period : sequence of D floats or None, optional
            The period of a coordinate that is a ring; None for a coordinate that is not.

        Raises
        ------
        ConfigError
            If a coordinate has no level 0, the same level twice (on a ring, levels a period apart are the same) or one
            beyond a billion, or the grid has more than ten million states.
        """
        if (count := math.prod(map(len, levels))) > _STATES:
            raise ConfigError(
                f"a grid of {count:,} adjustments is too large: at most {_STATES:,} can be enumerated",
                cause=f"it has {' x '.join(str(len(values)) for values in levels)} levels",
                remedy="name fewer levels, or fewer coordinates",
            )
        for d, values in enumerate(levels):
            if 0 not in values:
                raise ConfigError(
                    f"the levels of coordinate {d} have no 0: {list(values)}",
                    cause="the chain starts at the zero adjustment, and the sampler 'none' stays there",
                    remedy="add 0 to the levels",
                )
            if not all(abs(value) <= _LARGEST for value in values):
                raise ConfigError(f"a level of coordinate {d} is none, or beyond {_LARGEST:g}: {list(values)}")
            around = None if period is None else period[d]
            if len({value if around is None else value % around for value in values}) != len(values):
                ring = "" if around is None else f", on a ring of {around:g}"
                raise ConfigError(f"the levels of coordinate {d} name a value twice{ring}: {list(values)}")
        axes = [torch.tensor(list(values), dtype=torch.float64) for values in levels]
        states = torch.cartesian_prod(*axes).reshape(-1, len(axes))
        periods = [math.inf if p is None else float(p) for p in (period or [None] * len(axes))]
        start = int((states == 0).all(dim=1).nonzero()[0, 0])
        return cls(
            states=states,
            shape=tuple(len(axis) for axis in axes),
            period=torch.tensor(periods, dtype=torch.float64),
            start=start,
        )

    def __len__(self) -> int:
        return self.states.shape[0]

    @property
    def dimensions(self) -> int:
        """Number of coordinates, D."""
        return len(self.shape)

    def difference(self, a: Tensor, b: Tensor) -> Tensor:
        """Return ``a - b``, (..., D), the short way round on coordinates that are rings."""
        delta = a - b
        period = self.period.to(delta)
        ring = torch.isfinite(period)
        if not bool(ring.any()):
            return delta
        safe = torch.where(ring, period, torch.ones_like(period))
        return torch.where(ring, delta - safe * torch.round(delta / safe), delta)
