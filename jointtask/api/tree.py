"""Tensors, or NamedTuples and mappings of tensors, as one value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

__all__ = ["leaves", "map_tensors", "repeat_rows", "select_rows", "to_float32"]


def map_tensors(function: Callable[[Tensor], Tensor], tree: Any) -> Any:
    """Apply `function` to every tensor of a tensor, tuple, NamedTuple or mapping; None stays None."""
    if isinstance(tree, Tensor):
        return function(tree)
    if isinstance(tree, Mapping):
        return {key: map_tensors(function, value) for key, value in tree.items()}
    if isinstance(tree, tuple):
        values = [map_tensors(function, value) for value in tree]
        return type(tree)(*values) if hasattr(tree, "_fields") else tuple(values)
    if tree is None:
        return None
    raise TypeError(f"expected tensors, or tuples or mappings of them, got {type(tree).__name__}")


def leaves(tree: Any) -> list[Tensor]:
    """Return every tensor of a tensor, tuple, NamedTuple or mapping, in order."""
    tensors: list[Tensor] = []

    def keep(tensor: Tensor) -> Tensor:
        tensors.append(tensor)
        return tensor

    map_tensors(keep, tree)
    return tensors


def select_rows(tree: Any, rows: Tensor | slice) -> Any:
    """Take rows of every tensor; a slice makes views."""
    return map_tensors(lambda tensor: tensor[rows], tree)


def repeat_rows(tree: Any, count: int) -> Any:
    """Repeat each row `count` times in place: rows b of (B, ...) become rows ``b * count + k``."""
    return map_tensors(lambda tensor: tensor.repeat_interleave(count, dim=0), tree) if count > 1 else tree


def to_float32(tree: Any) -> Any:
    """Cast floating-point tensors to float32."""
    return map_tensors(lambda tensor: tensor.to(torch.float32) if tensor.is_floating_point() else tensor, tree)
