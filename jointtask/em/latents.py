"""The latent adjustment of every example: the current estimates, and statistics of the previous optima."""

from __future__ import annotations

import torch
from attrs import define
from torch import Tensor

from jointtask.api.grid import LatentGrid
from jointtask.api.proposal import History

__all__ = ["Latents"]


@define(eq=False)
class Latents:
    """The latents of n examples, by position; references are absolute, so they survive a moving centre.

    Attributes
    ----------
    reference : Tensor, (n, J, D), float32
        The J estimates that the M-step trains on.
    count : Tensor, (n,), int64
        Number of optima so far, one a round.
    mean : Tensor, (n, D), float64
        Mean of the optima.
    scatter : Tensor, (n, D, D), float64
        Sum of the outer products of the optima about their mean.
    """

    reference: Tensor
    count: Tensor
    mean: Tensor
    scatter: Tensor

    @classmethod
    def empty(cls, examples: int, draws: int, dimensions: int) -> Latents:
        """Make the latents of examples before their first E-step."""
        return cls(
            reference=torch.zeros(examples, draws, dimensions),
            count=torch.zeros(examples, dtype=torch.int64),
            mean=torch.zeros(examples, dimensions, dtype=torch.float64),
            scatter=torch.zeros(examples, dimensions, dimensions, dtype=torch.float64),
        )

    def history(self, index: Tensor, base: Tensor) -> History:
        """Return the history of the examples `index`, (B,); an example without optima has its base, (B, D), as mean."""
        count = self.count[index]
        mean = torch.where((count > 0)[:, None], self.mean[index], base.to("cpu", torch.float64))
        covariance = self.scatter[index] / count.clamp(min=1)[:, None, None]
        return History(count=count, mean=mean, covariance=covariance)

    def record(self, index: Tensor, estimate: Tensor, optimum: Tensor, grid: LatentGrid) -> None:
        """Keep the estimates (B, J, D) of examples, and add their optima (B, D) to the history (Welford)."""
        self.reference[index] = estimate.to("cpu", torch.float32)
        count = self.count[index] + 1
        value = optimum.to("cpu", torch.float64)
        mean = torch.where((count == 1)[:, None], value, self.mean[index])
        before = grid.difference(value, mean)
        mean = mean + before / count[:, None]
        after = grid.difference(value, mean)
        self.scatter[index] += before[:, :, None] * after[:, None, :]
        self.mean[index] = mean
        self.count[index] = count

    def tensors(self) -> dict[str, Tensor]:
        """Return the attributes by name, for a file."""
        return {"reference": self.reference, "count": self.count, "mean": self.mean, "scatter": self.scatter}
