"""The metrics of object extraction as components; numpy is imported when one is built."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from jointtask.api import Component, Context, DataError, NoSettings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from jointtask.api import Metric, Summary
    from jointtask_object_extraction.photograph import Extraction, Photograph

    Score = float | NDArray[np.float64]

__all__ = ["metric_components"]

_F = "(1 + b) P R / (b P + R) with b = beta squared = 0.3, P = TP / (TP + FP), R = TP / (TP + FN), in [0, 1]"
_E = "agreement of map and mask in their deviations from their means, in [0, 1]"
_SALIENCY = "; the map rounded to 8 bits and stretched to reach 0 and 1, as PySODMetrics does"


def metric_components() -> tuple[Component, ...]:
    """Return the components of all metrics."""
    return (
        Component("pixel-accuracy", NoSettings, _pixel_accuracy, "P: share of pixels that are right"),
        Component("iou", NoSettings, _iou, "J: intersection over union of the masks"),
        Component("mae", NoSettings, _mae, "MAE: mean absolute error of the map"),
        Component("f-measure", NoSettings, _f_measure, "maxF, meanF, adpF: F-measure over thresholds"),
        Component("weighted-f", NoSettings, _weighted_f, "wF: F-measure that weighs errors by where they lie"),
        Component("s-measure", NoSettings, _s_measure, "S: structure measure"),
        Component("e-measure", NoSettings, _e_measure, "maxE, meanE, adpE: enhanced-alignment measure"),
        Component("box-iou", NoSettings, _box_iou, "box IoU: intersection over union of the boxes"),
    )


def _pixel_accuracy(settings: NoSettings, context: Context) -> Metric:
    from jointtask_object_extraction.metrics import measures

    text = (
        "P (pixel accuracy): share of all pixels, object and background, that are right at 0.5, mean over images, "
        "0 to 100 %; what the paper calls precision, and not TP / (TP + FP)"
    )
    return _metric(_on_map(measures.pixel_accuracy), {"P": _mean(text, percent=True)})


def _iou(settings: NoSettings, context: Context) -> Metric:
    from jointtask_object_extraction.metrics import measures

    text = (
        "J (intersection over union) of the map at 0.5 and the mask, 1 where both are empty, mean over images, "
        "0 to 100 %"
    )
    return _metric(_on_map(measures.iou), {"J": _mean(text, percent=True)})


def _mae(settings: NoSettings, context: Context) -> Metric:
    from jointtask_object_extraction.metrics import measures

    text = f"mean absolute difference of map and mask, mean over images, in [0, 1]{_SALIENCY}"
    return _metric(_on_map(measures.mean_absolute_error), {"MAE": _mean(text, better="lower")})


def _f_measure(settings: NoSettings, context: Context) -> Metric:
    import numpy as np

    from jointtask_object_extraction.metrics import measures

    def score(probability: Any, mask: Any) -> NDArray[np.float64]:
        return np.append(measures.f_curve(probability, mask), measures.adaptive_f(probability, mask))

    return _metric(_on_map(score), _curve_summaries("F", _F))


def _weighted_f(settings: NoSettings, context: Context) -> Metric:
    from jointtask_object_extraction.metrics import measures

    text = (
        "weighted F-measure (Margolin et al. 2014), beta squared 1: errors far from the object weigh more, errors "
        f"inside it are pooled with their neighbours', mean over images, in [0, 1]{_SALIENCY}"
    )
    return _metric(_on_map(measures.weighted_f), {"wF": _mean(text)})


def _s_measure(settings: NoSettings, context: Context) -> Metric:
    from jointtask_object_extraction.metrics import measures

    text = (
        "structure measure (Fan et al. 2017), alpha 0.5: likeness of object and background, and of four quadrants "
        f"about the object's centroid, mean over images, in [0, 1]{_SALIENCY}"
    )
    return _metric(_on_map(measures.s_measure), {"S": _mean(text)})


def _e_measure(settings: NoSettings, context: Context) -> Metric:
    import numpy as np

    from jointtask_object_extraction.metrics import measures

    def score(probability: Any, mask: Any) -> NDArray[np.float64]:
        return np.append(measures.e_curve(probability, mask), measures.adaptive_e(probability, mask))

    return _metric(_on_map(score), _curve_summaries("E", _E))


def _box_iou(settings: NoSettings, context: Context) -> Metric:
    import numpy as np

    from jointtask_object_extraction.metrics import measures

    def score(prediction: Extraction, example: Photograph) -> float:
        truth = measures.mask_box(_mask(example)) if example.box is None else example.box
        return np.nan if truth is None or prediction.box is None else measures.box_iou(prediction.box, truth)

    text = (
        "intersection over union of the predicted box and the annotated one, or else the tight box around the mask, "
        "mean over the images that have both, 0 to 100 %"
    )
    return _metric(score, {"box IoU": _mean(text, percent=True)})


def _metric(score: Callable[[Extraction, Photograph], Score], summaries: Mapping[str, Summary]) -> Metric:
    from jointtask.api import Metric

    return Metric(score, summaries)


def _on_map(measure: Callable[[Any, Any], Score]) -> Callable[[Extraction, Photograph], Score]:
    """Score maps; an image that is annotated by a box alone has no score, NaN."""
    import numpy as np

    def score(prediction: Extraction, example: Photograph) -> Score:
        if example.mask is None and example.box is not None:
            return measure(np.zeros((1, 1)), np.zeros((1, 1), dtype=bool)) * np.nan
        return measure(prediction.probability, _mask(example))

    return score


def _mask(example: Photograph) -> NDArray[np.bool_]:
    if example.mask is None:
        raise DataError(
            f"{example.id} has no mask to score against", remedy="name the folder of masks in its data table"
        )
    return example.mask


def _mean(definition: str, *, better: Literal["higher", "lower"] = "higher", percent: bool = False) -> Summary:
    import numpy as np

    from jointtask.api import Summary

    def reduce(scores: NDArray[np.float64]) -> float:
        scored = scores[~np.isnan(scores)]
        return float(scored.mean()) if scored.size else float("nan")

    return Summary(definition, better, reduce, percent)


def _curve_summaries(letter: str, text: str) -> dict[str, Summary]:
    """Summarise scores (n, 257): a curve over 256 thresholds, then the value at the adaptive threshold."""
    import numpy as np

    from jointtask.api import Summary

    def over(scores: NDArray[np.float64], reduce: Callable[[NDArray[np.float64]], Any]) -> float:
        kept = scores[~np.isnan(scores[:, 0])]
        return float(reduce(kept)) if len(kept) else float("nan")

    curve = f"of the curve over 256 thresholds, averaged over images{_SALIENCY}"
    adaptive = f"at the threshold of twice the map's mean, mean over images{_SALIENCY}"
    return {
        f"max{letter}": Summary(
            f"{letter}-measure, {text}: maximum {curve}",
            "higher",
            lambda scores: over(scores, lambda kept: kept[:, :-1].mean(0).max()),
        ),
        f"mean{letter}": Summary(
            f"{letter}-measure, {text}: mean {curve}",
            "higher",
            lambda scores: over(scores, lambda kept: kept[:, :-1].mean()),
        ),
        f"adp{letter}": Summary(
            f"{letter}-measure, {text}: {adaptive}",
            "higher",
            lambda scores: over(scores, lambda kept: kept[:, -1].mean()),
        ),
    }
