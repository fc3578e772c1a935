"""What is known of the latent adjustment of every example: estimates and the history of optima."""

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
        Optima so far.
    mean : Tensor, (n, D), float64
        Their mean.
    scatter : Tensor, (n, D, D), float64
        Their summed outer products about the mean.
    """

    reference: Tensor
    count: Tensor
    mean: Tensor
    scatter: Tensor

    @classmethod
    def empty(cls, examples: int, draws: int, dimensions: int) -> Latents:
        """Make the latents of examples that no E-step has seen."""
        return cls(
            reference=torch.zeros(examples, draws, dimensions),
            count=torch.zeros(examples, dtype=torch.int64),
            mean=torch.zeros(examples, dimensions, dtype=torch.float64),
            scatter=torch.zeros(examples, dimensions, dimensions, dtype=torch.float64),
        )

    def history(self, index: Tensor, base: Tensor) -> History:
        """Return the history of some examples; examples without one get their base (B, D) as mean."""
        count = self.count[index]
        known = (count > 0)[:, None]
        mean = torch.where(known, self.mean[index], base.to("cpu", torch.float64))
        covariance = self.scatter[index] / count.clamp(min=1)[:, None, None]
        return History(count=count, mean=mean, covariance=covariance)

    def record(self, index: Tensor, estimate: Tensor, optimum: Tensor, grid: LatentGrid) -> None:
        """Keep the estimates (B, J, D) of some examples and add their optima (B, D) to the history (Welford)."""
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
        """Return everything, by name, for a file."""
        return {"reference": self.reference, "count": self.count, "mean": self.mean, "scatter": self.scatter}
