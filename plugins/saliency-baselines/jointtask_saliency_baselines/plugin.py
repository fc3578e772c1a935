"""The hook implementations of the rivals, and nothing else: heavy imports happen inside `build`."""

from __future__ import annotations

from collections.abc import Sequence

from jointtask import hookimpl
from jointtask.component import Component, NoSettings, late

_PREDICTORS: tuple[Component, ...] = (
    Component(
        "fgseg-lite",
        NoSettings,
        late("jointtask_saliency_baselines.transfer:fgseg_lite"),
        "window masks of training images that look alike, then GrabCut (stand-in for FgSeg)",
    ),
)


@hookimpl
def jointtask_predictors() -> Sequence[Component]:
    """Give the rivals: saliency maps, their cuts, mask transfer and segment proposals."""
    return _PREDICTORS
