"""Numbers that must be finite, and the error that names the examples where they are not."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from jointtask.api.errors import RunError
from jointtask.tools.text import listing

__all__ = ["NonFiniteError", "require_finite"]


class NonFiniteError(RunError):
    """A number that should be finite is not; the examples are named."""


def require_finite(values: Tensor, ids: Sequence[str], what: str) -> None:
    """Raise if any value is NaN or infinite.

    Parameters
    ----------
    values : Tensor, (B,)
        One number an example.
    ids : sequence of B str
        Ids of the examples.
    what : str
        Name of the numbers in the message.

    Raises
    ------
    NonFiniteError
        Naming up to ten examples.
    """
    finite = torch.isfinite(values)
    if bool(finite.all()):
        return
    bad = list(dict.fromkeys(ids[row] for row in (~finite).nonzero()[:, 0].tolist()))
    raise NonFiniteError(
        f"{what} is not finite for {len(bad)} of {len(set(ids))} examples: {listing(bad, 10)}",
        cause="a learning rate that is too high for its loss, or an example that the network cannot take",
        remedy="lower optimizer.rate or set optimizer.clip, and look at the examples named;"
        " the last good checkpoint is kept",
    )
