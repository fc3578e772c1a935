"""Small checks that the conformance checks are made of."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from jointtask.api.bridge import Bridge
from jointtask.api.tree import leaves, map_tensors, select_rows
from jointtask.registry.members import missing_members

__all__ = ["attributes", "equal", "reads_no_annotation", "same_rows", "unchanged"]


def attributes(part: Any, what: str, protocol: type) -> None:
    """Require the members of a protocol of a part of a run, which messages call `what`."""
    if missing := missing_members(part, protocol):
        raise AssertionError(f"{what}, {type(part).__name__}, has no {', '.join(map(str, missing))}")


def equal(a: Any, b: Any) -> bool:
    """Say whether two trees of tensors are the same to the bit, NaN being equal to itself."""
    one, two = leaves(a), leaves(b)
    return len(one) == len(two) and all(
        x.shape == y.shape and x.dtype == y.dtype and torch.equal(_bits(x), _bits(y))
        for x, y in zip(one, two, strict=True)
    )


def same_rows(whole: Any, rows: slice, part: Any, what: str, tolerance: float = 1e-4) -> None:
    """Require that some rows of what was made for all examples are what is made for these examples alone."""
    one, two = leaves(select_rows(whole, rows)), leaves(part)
    assert len(one) == len(two), f"{what}: {len(one)} tensors for all examples, {len(two)} for a part of them"
    for x, y in zip(one, two, strict=True):
        assert x.shape == y.shape, f"{what}: expected the shape {tuple(x.shape)} for a part, got {tuple(y.shape)}"
        assert torch.allclose(x.double(), y.double(), rtol=tolerance, atol=tolerance, equal_nan=True), what


@contextmanager
def reads_no_annotation(bridge: Bridge, what: str) -> Iterator[None]:
    """Require that what is called inside the context finds all that it reads, without the bridge's annotation."""
    try:
        yield
    except KeyError as error:
        if error.args[0] not in bridge.annotation:
            raise
        raise AssertionError(
            f"{what} reads '{error.args[0]}', which is an annotation; expected it to do without where there is none"
        ) from error


@contextmanager
def unchanged(what: str, tree: Any) -> Iterator[None]:
    """Require that tensors are the same to the bit when the context is left."""
    before = map_tensors(lambda tensor: tensor.clone(), tree)
    yield
    assert equal(before, tree), f"{what} was changed in place; expected it to be left as it was given"


def _bits(tensor: Tensor) -> Tensor:
    return torch.nan_to_num(tensor, nan=0.5) if tensor.is_floating_point() else tensor
