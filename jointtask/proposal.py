"""The proposal distribution: terms added up and normalised exactly over the grid (Eq. 8)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import torch
from attrs import frozen
from torch import Tensor

from jointtask.task import Batch

__all__ = ["History", "ProposalTerm", "log_proposal"]


@frozen(eq=False)
class History:
    """What is known of an example's own optima in the previous rounds, as absolute references, on the CPU.

    Attributes
    ----------
    count : Tensor, (B,), int64
        Number of previous optima.
    mean : Tensor, (B, D), float64
        Their mean; the centre where there are none.
    covariance : Tensor, (B, D, D), float64
        Their covariance (divided by the count); zero where there are fewer than two.
    """

    count: Tensor
    mean: Tensor
    covariance: Tensor


class ProposalTerm(Protocol):
    """One factor of the proposal distribution.

    Attributes
    ----------
    version : str
        Of what `prepare` computes; with the term's settings and the example's content, the key of its disk cache.
    prepares : bool
        Whether `prepare` has anything to do.
    """

    version: str
    prepares: bool

    def prepare(self, example: Mapping[str, Tensor]) -> Any:
        """Compute, once and from any thread, what the term needs of one example: an array of one fixed shape.

        `example` is a row of `Dataset.batch`. The result is cached on disk and comes back as ``batch[term name]``.
        """
        ...

    def log_weight(self, batch: Batch, reference: Tensor, history: History) -> Tensor:
        """Return the unnormalised log probability of each reference (B, N, D): (B, N).

        Bit for bit the same for any batch size: elementwise operations, or float64 sums in one order.
        """
        ...


def log_proposal(
    terms: Mapping[str, ProposalTerm], batch: Batch, reference: Tensor, usable: Tensor, history: History
) -> Tensor:
    """Add the terms and normalise over the grid: whatever the terms are, detailed balance holds.

    Parameters
    ----------
    terms : mapping of str to ProposalTerm
        By name; none gives the uniform proposal.
    batch : Batch
        B examples with what the terms prepared.
    reference : Tensor, (B, N, D)
        The references of all states.
    usable : Tensor, (B, N), bool
        Unusable states get -inf.
    history : History
        Of the B examples.

    Returns
    -------
    Tensor, (B, N), float64, on the CPU
        Normalised log probabilities.
    """
    total = torch.zeros(usable.shape, dtype=torch.float64)
    for term in terms.values():
        total += term.log_weight(batch, reference, history).to(device="cpu", dtype=torch.float64)
    total = total.masked_fill(~usable.cpu(), -torch.inf)
    peak = total.amax(dim=1, keepdim=True)
    norm = torch.exp(total - peak).numpy().cumsum(axis=1)[:, -1:]
    return total - peak - torch.log(torch.from_numpy(norm.copy()))
