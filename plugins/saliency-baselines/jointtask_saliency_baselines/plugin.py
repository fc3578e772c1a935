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
    Component(
        "cpmc-lite-oracle",
        NoSettings,
        late("jointtask_saliency_baselines.oracle:cpmc_lite_oracle"),
        "ranked min-cut segments, as many as the true mask chooses (an oracle; stand-in for CPMC)",
    ),
    Component(
        "objprop-lite-oracle",
        NoSettings,
        late("jointtask_saliency_baselines.oracle:objprop_lite_oracle"),
        "ranked region segments, as many as the true mask chooses (an oracle; stand-in for Object Proposals)",
    ),
)


@hookimpl
def jointtask_predictors() -> Sequence[Component]:
    """Give the rivals: saliency maps, their cuts, mask transfer and segment proposals."""
    return _PREDICTORS
