"""Slots of an optimizer's state that come from a checkpoint: whether they fit a parameter, and where they go."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["fits", "placed"]


def fits(value: Tensor, parameter: nn.Parameter) -> bool:
    """Say whether a slot can be a parameter's: of its shape, or of one that extends to it, as of a factored moment."""
    if value.ndim > parameter.ndim:
        return False
    ends = zip(reversed(value.shape), reversed(parameter.shape), strict=False)
    return all(size in (1, whole) for size, whole in ends)


def placed(value: Tensor, slot: str, parameter: nn.Parameter) -> Tensor:
    """Return a slot as the optimizer would have made it: a layout other than the parameter's rounds differently."""
    if value.shape == parameter.shape and not (value.ndim == 0 and slot == "step"):
        return torch.empty_like(parameter, dtype=value.dtype).copy_(value)
    return value.clone() if slot == "step" else value.to(parameter.device, copy=True)
