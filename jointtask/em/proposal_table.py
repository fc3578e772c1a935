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
    """Add the terms and normalise over the grid: detailed balance then holds for any terms.

    Parameters
    ----------
    terms : mapping of str to ProposalTerm
        The proposal terms by name; without any, the proposal is uniform.
    batch : Batch
        B examples with what the terms prepared.
    reference : Tensor, (B, N, D)
        The references of all states.
    usable : Tensor, (B, N), bool
        The states whose reference is usable; the others get -inf.
    history : History
        Previous optima of the B examples.

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
