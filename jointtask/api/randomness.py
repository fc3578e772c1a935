"""One random stream per (seed, round, example id)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from jointtask.api.names import name_bytes

__all__ = ["Streams", "derive", "invert"]


def derive(*parts: int | str) -> int:
    """Return a 63-bit seed that depends on all parts and nothing else."""
    text = "\x1f".join(f"{type(part).__name__}:{part}" for part in parts)
    return int.from_bytes(hashlib.blake2b(name_bytes(text), digest_size=8).digest(), "little") >> 1


class Streams:
    """The random streams of B examples, one row each.

    A row's numbers depend on (seed, round, purpose, example id) and on what that row drew before: never on the other
    rows, so neither on batch size, order nor number of workers.

    Parameters
    ----------
    seed : int
        Seed of the run.
    round : int
        Number of the round, or of the epoch.
    ids : sequence of B str
        Ids of the examples.
    purpose : str
        Name of what the numbers are for; streams of different purposes are independent.
    """

    def __init__(self, seed: int, round: int, ids: Sequence[str], purpose: str) -> None:
        self._generators = [
            np.random.Generator(np.random.Philox(key=derive(seed, purpose, round, name))) for name in ids
        ]

    def __len__(self) -> int:
        return len(self._generators)

    def uniform(self, count: int) -> Tensor:
        """Draw uniform numbers in [0, 1), (B, count), float64."""
        return torch.from_numpy(np.stack([g.random(count) for g in self._generators]))

    def normal(self, count: int) -> Tensor:
        """Draw standard normal numbers, (B, count), float64."""
        return torch.from_numpy(np.stack([g.standard_normal(count) for g in self._generators]))

    def categorical(self, log_weight: Tensor, count: int) -> Tensor:
        """Draw indices with probabilities proportional to ``exp(log_weight)``, by inversion.

        Parameters
        ----------
        log_weight : Tensor, (B, N), float64
            Log weights, not necessarily normalised; -inf is never drawn. Each row has a finite entry.
        count : int
            Number of draws per row.

        Returns
        -------
        Tensor, (B, count), int64
        """
        return invert(log_weight, self.uniform(count))


def invert(log_weight: Tensor, uniform: Tensor) -> Tensor:
    """Turn uniform numbers into indices with probabilities proportional to ``exp(log_weight)``.

    Parameters
    ----------
    log_weight : Tensor, (B, N), float64
        Log weights, not necessarily normalised; -inf is never drawn. Each row has a finite entry.
    uniform : Tensor, (B, K), float64
        Uniform numbers in [0, 1).

    Returns
    -------
    Tensor, (B, K), int64
        Indices; a row depends on that row's numbers alone, bit for bit.
    """
    logs = log_weight.numpy()
    # numpy sums each row in one order whatever the number of rows.
    cumulative = np.cumsum(np.exp(logs - logs.max(axis=1, keepdims=True)), axis=1)
    total = cumulative[:, -1:]
    point = np.minimum(uniform.numpy() * total, np.nextafter(total, 0))
    return torch.searchsorted(torch.from_numpy(cumulative), torch.from_numpy(point), right=True)
