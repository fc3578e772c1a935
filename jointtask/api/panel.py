"""What a pair draws for the report, and what it draws from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from attrs import frozen
from torch import Tensor

__all__ = ["Draw", "Panel", "PanelData", "PanelExample"]


@frozen(eq=False)
class PanelExample:
    """One example with all that the run knows about it.

    Attributes
    ----------
    example : Any
        Example at its own size, as `Dataset.example` gives it.
    batch : mapping of str to Tensor
        Frame of the example, B = 1, with the prepared tensors of the proposal terms under their names.
    predicted : Tensor, (D,)
        Predicted reference.
    base, estimate : Tensor, (D,), or None
        Reference before and after adjustment; None for an example that the E-step has not seen.
    prediction : Any
        Result of `finish` through the predicted reference.
    scores : mapping of str to str
        Scores of the example, named and written as the report's tables do.
    """

    example: Any
    batch: Mapping[str, Tensor]
    predicted: Tensor
    base: Tensor | None
    estimate: Tensor | None
    prediction: Any
    scores: Mapping[str, str]


@frozen(eq=False)
class PanelData:
    """What the panels of one run are drawn from.

    Attributes
    ----------
    fixed : sequence of PanelExample
        Training examples, the same in every report of the run.
    worst : sequence of PanelExample
        Test examples with the worst scores, the worst first.
    worst_by : str
        Name of the score that `worst` and `best` follow.
    best : sequence of PanelExample
        Test examples with the best scores, the best first; none of them is among `worst`.
    """

    fixed: Sequence[PanelExample]
    worst: Sequence[PanelExample]
    worst_by: str
    best: Sequence[PanelExample] = ()


@frozen
class Panel:
    """One picture for the report.

    Attributes
    ----------
    title : str
        Heading of the panel.
    caption : str
        Sentence on what the panel shows, and how to read it.
    png : bytes
        Picture as a PNG file.
    """

    title: str
    caption: str
    png: bytes


Draw = Callable[[PanelData], Sequence[Panel]]
"""What the `build` of a panel component returns."""
