"""The proposal distribution: terms added up and normalised exactly over the grid (Eq. 8)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from jointtask.api.proposal import History, ProposalTerm
from jointtask.api.task import Batch

__all__ = ["log_proposal"]


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
