"""What a proposal term is, and what it may know of an example's past."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from attrs import frozen
from torch import Tensor

from jointtask.api.task import Batch

__all__ = ["History", "ProposalTerm"]


@frozen(eq=False)
class History:
    """What is known of B examples before the sampler runs: their optima in the previous rounds, and upstream energies.

    Attributes
    ----------
    count : Tensor, (B,), int64
        Number of previous optima.
    mean : Tensor, (B, D), float64
        Mean of the previous optima; the centre where there are none.
    covariance : Tensor, (B, D, D), float64
        Covariance of the previous optima (divided by the count); zero where there are fewer than two.
    upstream : Tensor, (B, N), or None
        Weighted upstream energy of every state, with that of the annotation where a `CentredBridge` adds it, on the
        batch's device; None where no upstream task has been run.

    Notes
    -----
    Optima are absolute references; their statistics are on the CPU.
    """

    count: Tensor
    mean: Tensor
    covariance: Tensor
    upstream: Tensor | None = None


class ProposalTerm(Protocol):
    """One factor of the proposal distribution.

    Attributes
    ----------
    version : str
        Version of what `prepare` computes: with the term's settings and the example's content, the key of its cache.
    prepares : bool
        Whether `prepare` computes anything.
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
