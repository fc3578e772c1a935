"""Which training examples a round is about: all of them, or a part at a time (`em.part`)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from attrs import field, frozen
from torch import Tensor

from jointtask.api.randomness import derive
from jointtask.api.record import RunRecord

__all__ = ["Part", "Parts", "parts_of"]


@frozen(eq=False)
class Part:
    """The training examples of one round.

    Attributes
    ----------
    positions : Tensor, (m,), int64
        Positions of the examples in the data set, ascending.
    whole : bool
        Whether they are all examples of the data set.
    """

    positions: Tensor
    whole: bool

    def __len__(self) -> int:
        return len(self.positions)

    def rows(self, positions: Tensor) -> Tensor:
        """Return which rows of the part some of its positions, (B,), are."""
        return torch.searchsorted(self.positions, positions)


@frozen(eq=False)
class Parts:
    """How the training data are divided over the rounds of a run.

    The parts are drawn from the seed alone, and the rounds take them in turn: with k parts, rounds r and r + k are
    about the same examples, and k rounds are a pass over the data.

    Attributes
    ----------
    share : float
        Value of `em.part`, in (0, 1].
    total : int
        Number of training examples, n.
    seed : int
        Seed of the run.
    starts : sequence of int, optional
        Position of the first example of each shard, from 0: parts are then whole shards.
    """

    share: float
    total: int
    seed: int = 0
    starts: Sequence[int] | None = None
    _ends: Tensor = field(init=False)

    @_ends.default
    def _divide(self) -> Tensor:
        units = self.total if self.starts is None else len(self.starts)
        size = max(1, round(self.share * units))
        count = max(1, -(-units // size))
        return torch.arange(count + 1) * units // count

    @property
    def count(self) -> int:
        """Number of parts, and of rounds that a pass over the data takes, k."""
        return len(self._ends) - 1

    def of_round(self, round: int) -> Part:
        """Return the examples of a round; the warm-up, round 0, is about all."""
        if round == 0 or self.count == 1:
            return Part(torch.arange(self.total), whole=True)
        start, stop = self._ends[(round - 1) % self.count :][:2].tolist()
        units = self._order()[start:stop].sort().values
        return Part(units if self.starts is None else self._examples(units), whole=False)

    def examples(self, rounds: int) -> int:
        """Return how many examples the first rounds are about together, the warm-up aside."""
        passes, rest = divmod(rounds, self.count)
        return passes * self.total + int(self._sizes()[:rest].sum())

    def steps(self, rounds: int, batch_size: int) -> int:
        """Return how many steps one epoch of each of the first rounds takes together, the warm-up aside."""
        passes, rest = divmod(rounds, self.count)
        steps = -(-self._sizes() // batch_size)
        return passes * int(steps.sum()) + int(steps[:rest].sum())

    def _order(self) -> Tensor:
        """Return the examples, or the shards, in the order in which the parts take them."""
        units = self.total if self.starts is None else len(self.starts)
        return torch.randperm(units, generator=torch.Generator().manual_seed(derive(self.seed, "part")))

    def _sizes(self) -> Tensor:
        """Return the number of examples of each part, (k,)."""
        if self.starts is None:
            return self._ends.diff()
        before = torch.cat([torch.zeros(1, dtype=torch.int64), self._shards()[self._order()].cumsum(0)])
        return before[self._ends].diff()

    def _shards(self) -> Tensor:
        """Return the number of examples of each shard."""
        return torch.tensor([*(self.starts or ()), self.total]).diff()

    def _examples(self, shards: Tensor) -> Tensor:
        """Return the positions of the examples of some shards."""
        ends = torch.tensor([*(self.starts or ()), self.total])
        return torch.cat([torch.arange(*ends[shard : shard + 2].tolist()) for shard in shards.tolist()])


def parts_of(record: RunRecord) -> Parts:
    """Return how the rounds of a recorded run divide its training data."""
    config, train = record.config, record.data["train"]
    return Parts(config["em"].get("part", 1.0), train["examples"], config["run"]["seed"], train.get("starts"))
