"""Numbers that must be finite, and the error that names the examples where they are not, and the part at fault."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from jointtask.api.errors import RunError
from jointtask.api.tree import leaves
from jointtask.tools.text import listing

__all__ = ["DATA", "ENERGY", "NonFiniteError", "require_finite"]

DATA, ENERGY = "batch", "energy"
"""Methods whose fault a learning rate cannot be."""

HUGE = 1e6
"""Size of a prediction from which an energy may overflow."""


class NonFiniteError(RunError):
    """A number that should be finite is not; the examples are named."""


def require_finite(values: Tensor, ids: Sequence[str], what: str, made: Sequence[tuple[str, str, Any]] = ()) -> None:
    """Raise if any value is NaN or infinite.

    Parameters
    ----------
    values : Tensor, (B,)
        Values, one an example.
    ids : sequence of B str
        Ids of the examples.
    what : str
        Name of the numbers in the message.
    made : sequence of (str, str, tree of tensors), optional
        The parts that the numbers went through, in order: name, method and what it gave. The first that gave a number
        which is not finite is named.

    Raises
    ------
    NonFiniteError
        Naming up to ten examples.
    """
    finite = torch.isfinite(values)
    if bool(finite.all()):
        return
    bad = list(dict.fromkeys(ids[row] for row in (~finite).nonzero()[:, 0].tolist()))
    cause = "a learning rate that is too high for its loss, or an example that the network cannot take"
    remedy = (
        "lower optimizer.rate or set optimizer.clip, and look at the examples named; the last good checkpoint is kept"
    )
    for position, (part, method, given) in enumerate(made):
        if all(bool(torch.isfinite(tensor).all()) for tensor in leaves(given)):
            continue
        if method == DATA:
            cause, remedy = f"{part} gave what is not finite", "mend or leave out the examples named"
        elif method == ENERGY and _largest(made[position - 1][2]) < HUGE:
            cause = f"{part}: {method} is not finite, and the prediction and the target that it is made of are"
            remedy = "see to divisions by 0 and logarithms of 0 or less in it; jointtask.testing.check_task tries it"
        else:
            cause = f"{part}: {method} gave the first that is not finite: {cause}"
        break
    raise NonFiniteError(
        f"{what} is not finite for {len(bad)} of {len(set(ids))} examples: {listing(bad, 10)}",
        cause=cause,
        remedy=remedy,
    )


def _largest(tree: Any) -> float:
    return max((float(tensor.detach().abs().max()) for tensor in leaves(tree) if tensor.numel()), default=0.0)
