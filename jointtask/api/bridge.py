"""What ties the two tasks: the bridge knows everything about references."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable

from torch import Tensor

from jointtask.api.grid import LatentGrid
from jointtask.api.task import Batch, Prediction

if TYPE_CHECKING:
    from jointtask.api.randomness import Streams

__all__ = [
    "Augmented",
    "Bridge",
    "CentredBridge",
    "Condition",
    "CoveringBridge",
    "FramingBridge",
    "MirroringBridge",
    "PartialBridge",
    "RelocatingBridge",
    "WholeBridge",
]


class Condition(NamedTuple):
    """The downstream problem inside B x K references; row ``b * K + k`` is example b under reference k.

    Attributes
    ----------
    input : Tensor or NamedTuple of tensors, (B * K, ...)
        Input of the downstream task.
    target : Tensor or NamedTuple of tensors, (B * K, ...), or None
        Target of the downstream energy; None where the batch has no annotation.
    """

    input: Any
    target: Any


class Augmented(NamedTuple):
    """A transformed batch with its transformed references.

    Attributes
    ----------
    batch : Batch
        Transformed examples.
    reference : Tensor, (B, K, D)
        References in the transformed frame: what the upstream task learns.
    conditioned : Tensor, (B, K, D)
        References under which the downstream task learns: the same, or jittered around them.
    """

    batch: Batch
    reference: Tensor
    conditioned: Tensor


class Bridge(Protocol):
    """The grid of adjustments, and what a reference means.

    References are (..., D) float32 tensors in the frame's units, on the batch's device. Nothing here loops over
    examples in Python, except `finish`.

    Attributes
    ----------
    grid : LatentGrid
        Grid of the adjustments.
    coordinates : tuple of str, (D,)
        Names of the adjustment's coordinates, for records and figures.
    units : str
        Unit of a coordinate, for records and figures.
    keys : tuple of str
        Names of the tensors that a training batch must have.
    annotation : tuple of str
        Names among `keys` of the tensors that hold the annotation: prediction never sees them.

    Notes
    -----
    Five things a bridge may have beside these: see `CentredBridge`, `CoveringBridge`, `FramingBridge`, `PartialBridge`
    and `RelocatingBridge`.
    """

    grid: LatentGrid
    coordinates: tuple[str, ...]
    units: str
    keys: tuple[str, ...]
    annotation: tuple[str, ...]

    def base(self, batch: Batch) -> Tensor:
        """Return the reference that the annotation implies, (B, D); always usable."""
        ...

    def reference(self, centre: Tensor, state: Tensor) -> Tensor:
        """Adjust centres (B, D) by states (K, D) or (B, K, D): references (B, K, D)."""
        ...

    def usable(self, reference: Tensor) -> Tensor:
        """Say which references (..., D) the downstream task can be solved in: (...,), bool."""
        ...

    def admit(self, reference: Tensor) -> Tensor:
        """Return the nearest usable references, (..., D); for predictions, which may be anything."""
        ...

    def condition(self, batch: Batch, reference: Tensor) -> Condition:
        """Pose the downstream problem inside references (B, K, D)."""
        ...

    def restore(self, prediction: Prediction, reference: Tensor) -> Tensor:
        """Bring downstream predictions of B * K rows back to the frame: (B, K, ...), probabilities in [0, 1]."""
        ...

    def finish(self, frame: Tensor, reference: Tensor, example: Any) -> Any:
        """Bring one frame prediction (...) and its reference (D,) to the example's own size: what metrics score."""
        ...

    def augment(self, batch: Batch, reference: Tensor, random: Streams) -> Augmented:
        """Transform examples and references (B, K, D) together, for the M-step only."""
        ...


@runtime_checkable
class CentredBridge(Protocol):
    """A bridge whose E-step may adjust the prediction instead of the annotation.

    Attributes
    ----------
    annotation_scale : float or None
        Standard deviation of a coordinate of the annotation's reference about the reference, t, in the frame's units:
        the E-step adjusts the prediction, and ``||base - R||^2 / (2 t^2)`` is added to the energy, without which
        references would confirm themselves. None: it adjusts the annotation's reference, and nothing is added.
    """

    annotation_scale: float | None


@runtime_checkable
class CoveringBridge(Protocol):
    """A bridge whose references cover parts of the frame; `restore` gives 0 where a reference does not cover it.

    Predictions through several references are averaged over those that cover a place: outside of a reference, the
    downstream task has not said that there is nothing. Without this part, every reference counts everywhere.
    """

    def covers(self, reference: Tensor) -> Tensor:
        """Say which places of the frame references (B, K, D) cover: (B, K, ...), bool, the shape of `restore`."""
        ...


@runtime_checkable
class FramingBridge(Protocol):
    """A bridge that makes frames of examples by itself: `Predictor.predict` then takes examples of any source."""

    def frames(self, examples: Sequence[Any]) -> dict[str, Tensor]:
        """Return the frames of B examples, B first, on the CPU: what a data set's `batch` gives but the annotation."""
        ...


@runtime_checkable
class PartialBridge(Protocol):
    """A bridge whose examples may lack one of their two annotations.

    The M-step sums the losses that an example has a target for. The E-step leaves an example without a downstream
    target at no adjustment of its annotation.

    Attributes
    ----------
    present : tuple of two str
        Names of the tensors of the batch, (B,), bool, that say which examples have the annotation that the upstream
        task learns, and which have the downstream target; "" where all have it. A batch without such a tensor lacks
        nothing. What stands in the place of a missing annotation does not matter, but must be finite, and `base` must
        be usable all the same.
    """

    present: tuple[str, str]


@runtime_checkable
class RelocatingBridge(Protocol):
    """A bridge that can read a reference off a prediction: `predict.relocations` needs it."""

    def relocate(self, frame: Tensor, reference: Tensor) -> Tensor:
        """Return the references that frame predictions (B, ...) imply, (B, D): the `base` of a prediction.

        `reference`, (B, D), is what they were predicted through, to be kept where a prediction implies none.
        """
        ...


@runtime_checkable
class WholeBridge(Protocol):
    """A bridge that has a reference to the whole of an example: `predict.start = "whole"` needs it."""

    def whole(self, batch: Batch) -> Tensor:
        """Return the references, (B, D), that leave nothing of each example out."""
        ...


@runtime_checkable
class MirroringBridge(Protocol):
    """A bridge whose downstream problems may be mirrored without becoming others: `predict.mirror` needs it."""

    def mirror(self, maps: Tensor) -> Tensor:
        """Return the mirror images of downstream inputs or predictions, (M, ...); mirrored twice, they are the same."""
        ...
