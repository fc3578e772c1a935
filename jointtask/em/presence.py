"""Which of its two annotations an example has."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from jointtask.api.bridge import Bridge, PartialBridge
from jointtask.api.task import Batch

__all__ = ["Presence", "presence"]


class Presence(NamedTuple):
    """Which examples have an annotation: (B,), bool, on the batch's device; None where all have it.

    Attributes
    ----------
    upstream : Tensor or None
        The annotation that the upstream task learns.
    downstream : Tensor or None
        The downstream target.
    """

    upstream: Tensor | None
    downstream: Tensor | None


def presence(bridge: Bridge, batch: Batch) -> Presence:
    """Return which examples of a batch have which annotation; see `PartialBridge`."""
    names = bridge.present if isinstance(bridge, PartialBridge) else ("", "")
    return Presence(*(batch[name].bool() if name in batch else None for name in names))
