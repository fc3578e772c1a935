"""The hook implementations of the rivals, and nothing else: heavy imports happen inside `build`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from jointtask import hookimpl
from jointtask.api import Component, Context, NoSettings, deferred

_MAPS = {
    "hc": "histogram contrast (Cheng et al., CVPR 2011)",
    "rc": "region contrast (Cheng et al., CVPR 2011)",
    "gc": "soft image abstraction (Cheng et al., ICCV 2013)",
    "hs": "hierarchical saliency (Yan et al., CVPR 2013)",
}
_CUTS = {
    "saliencycut": ("max-flow", "cut by SaliencyCut as published"),
    "grabcut": ("grabcut", "cut by SaliencyCut around OpenCV's grabCut"),
}
_LEARNERS = (
    Component(
        "fgseg-lite",
        NoSettings,
        deferred("jointtask_saliency_baselines.transfer:fgseg_lite"),
        "window masks of training images that look alike, then GrabCut (stand-in for FgSeg)",
    ),
    Component(
        "cpmc-lite-oracle",
        NoSettings,
        deferred("jointtask_saliency_baselines.oracle:cpmc_lite_oracle"),
        "ranked min-cut segments, as many as the true mask chooses (an oracle; stand-in for CPMC)",
    ),
    Component(
        "objprop-lite-oracle",
        NoSettings,
        deferred("jointtask_saliency_baselines.oracle:objprop_lite_oracle"),
        "ranked region segments, as many as the true mask chooses (an oracle; stand-in for Object Proposals)",
    ),
)


@hookimpl
def jointtask_predictors() -> Sequence[Component]:
    """Give the rivals: saliency maps, their cuts, mask transfer and segment proposals."""
    maps = [Component(name, NoSettings, _rival(name, None), f"the map of {text}") for name, text in _MAPS.items()]
    cuts = [
        Component(f"{name}-{key}", NoSettings, _rival(name, cut), f"{text}, {method}")
        for name, text in _MAPS.items()
        for key, (cut, method) in _CUTS.items()
    ]
    return [*maps, *cuts, *_LEARNERS]


def _rival(method: str, cut: Any) -> Callable[[NoSettings, Context], Any]:
    def build(settings: NoSettings, context: Context) -> Any:
        from jointtask_saliency_baselines.rivals import rival

        return rival(method, cut, context.cache)

    return build
