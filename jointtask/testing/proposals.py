"""What every proposal term must hold."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from jointtask.api.bridge import Bridge
from jointtask.api.proposal import History, ProposalTerm
from jointtask.api.task import Batch
from jointtask.api.tree import select_rows
from jointtask.em.proposal_table import log_proposal
from jointtask.testing.expect import attributes, equal, unchanged

__all__ = ["check_proposal_term"]


def check_proposal_term(term: ProposalTerm, batch: Batch, bridge: Bridge, *, name: str) -> None:
    """Hold a proposal term to `jointtask.api.proposal.ProposalTerm`.

    Parameters
    ----------
    term : ProposalTerm
        Proposal term to be checked.
    batch : Batch
        B examples as `Dataset.batch` gives them, at least two.
    bridge : Bridge
        Bridge whose references the term weighs.
    name : str
        Name of the term's component: what it prepared comes back as ``batch[name]``.

    Raises
    ------
    AssertionError
        If a part is missing, `prepare` gives arrays of different shapes, or twice not the same, or changes the example;
        if `log_weight` does not give one number a reference, gives NaN or +inf, leaves an example without any reference
        or without the one that chains start at, is not the same bit for bit for one example alone, or changes what it
        is given.
    """
    attributes(term, "the proposal term", ProposalTerm)
    assert isinstance(term.version, str), f"version is {term.version!r}; expected a string: it is part of the cache key"
    batch = dict(batch)
    size = len(next(iter(batch.values())))
    assert size >= 2, f"give at least two examples, got {size}"
    if term.prepares:
        with unchanged("the example given to prepare", batch):
            term.prepare({key: tensor[0] for key, tensor in batch.items()})
        batch[name] = _prepared(term, batch, size)
    base = bridge.base(batch)
    reference = bridge.reference(base, bridge.grid.states.to(base))
    usable = bridge.usable(reference)
    upstream = 20 * torch.rand(usable.shape, generator=torch.Generator().manual_seed(0)).to(base)
    for history in _histories(base, upstream):
        with unchanged("what log_weight was given", (batch, reference, history.mean, history.covariance, upstream)):
            weight = term.log_weight(batch, reference, history)
        _weight(weight, usable, bridge.grid.start)
        one = slice(1, 2)
        seen = History(history.count[one], history.mean[one], history.covariance[one], upstream[one])
        alone = term.log_weight(select_rows(batch, one), reference[one], seen)
        assert torch.equal(alone, weight[one]), (
            "log_weight of an example alone is not that in a batch, bit for bit; expected elementwise operations, or"
            " float64 sums in one order"
        )
        log_q = log_proposal({name: term}, batch, reference, usable, history)
        assert torch.allclose(log_q.exp().sum(dim=1), torch.ones(size, dtype=torch.float64)), (
            "the proposal does not add up to 1 over the grid"
        )


def _prepared(term: ProposalTerm, batch: dict[str, Tensor], size: int) -> Tensor:
    def prepare(row: int) -> Any:
        return np.asarray(term.prepare({key: tensor[row] for key, tensor in batch.items()}))

    rows = [prepare(row) for row in range(size)]
    shapes = {row.shape for row in rows}
    assert len(shapes) == 1, f"prepare gives arrays of the shapes {sorted(shapes)}; expected one fixed shape"
    assert rows[0].dtype != object, "prepare gives no array of numbers; expected one, as it is stored on disk"
    assert equal(torch.from_numpy(rows[0]), torch.from_numpy(prepare(0))), (
        "prepare gives something else for the same example; expected the same, as the result is cached"
    )
    return torch.from_numpy(np.stack(rows))


def _histories(base: Tensor, upstream: Tensor) -> list[History]:
    """Return the history of examples before the first round, and that after two; their upstream energies."""
    size, dimensions = base.shape
    mean = base.to("cpu", torch.float64)
    zero = torch.zeros(size, dimensions, dimensions, dtype=torch.float64)
    identity = torch.eye(dimensions, dtype=torch.float64).expand(size, -1, -1).clone()
    return [
        History(torch.zeros(size, dtype=torch.int64), mean, zero, upstream),
        History(torch.full((size,), 2), mean + 1.0, 4.0 * identity, upstream),
    ]


def _weight(weight: Any, usable: Tensor, start: int) -> None:
    expected = tuple(usable.shape)
    assert isinstance(weight, Tensor), f"log_weight gave a {type(weight).__name__}; expected a tensor (B, N)"
    assert weight.shape == expected, (
        f"log_weight has the shape {tuple(weight.shape)}; expected one number a reference, (B, N), {expected}"
    )
    assert not bool(torch.isnan(weight).any()), "log_weight gives NaN; expected a number, or -inf for never"
    assert not bool((weight == torch.inf).any()), "log_weight gives +inf; expected a number, or -inf for never"
    none = (~(torch.isfinite(weight) & usable.to(weight.device)).any(dim=1)).nonzero()[:, 0].tolist()
    assert not none, f"log_weight leaves the examples {none} without any usable reference; expected one at least"
    frozen = (weight[:, start] == -torch.inf).nonzero()[:, 0].tolist()
    assert not frozen, (
        f"log_weight is -inf at no adjustment of the examples {frozen}; expected a number: chains start there, and a"
        " state that is never proposed is never left"
    )
