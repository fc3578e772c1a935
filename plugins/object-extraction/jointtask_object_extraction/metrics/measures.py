"""Scores of a predicted map against a mask: pixel accuracy, IoU, and the measures of salient-object detection.

A map is (H, W), floating, probabilities of the object in [0, 1]; a mask is (H, W), bool. P and J judge the map as it
is, at 0.5. The salient-object measures judge what is customary: the map as an 8-bit picture, stretched to [0, 1]
(`saliency`). They agree with PySODMetrics 1.6.2 to 1e-6. A map and a mask of different sizes are a ValueError.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "adaptive_e",
    "adaptive_f",
    "box_iou",
    "e_curve",
    "f_curve",
    "iou",
    "mask_box",
    "mean_absolute_error",
    "pixel_accuracy",
    "precision_recall",
    "s_measure",
    "saliency",
    "weighted_f",
]

Map = NDArray[np.floating]
Mask = NDArray[np.bool_]
Array = NDArray[np.float64]
Counts = NDArray[np.int64]

_EPSILON = float(np.spacing(1.0))


def saliency(probability: Map) -> Array:
    """Return the map as salient-object measures see it: rounded to 8 bits, then stretched to reach 0 and 1.

    A constant map is not stretched. Rounding makes a map in memory and the same map saved as a picture score alike;
    0.5 rounds to 128, so no pixel changes sides.
    """
    rounded = np.rint(np.asarray(probability, dtype=np.float64) * 255) / 255
    low, high = rounded.min(), rounded.max()
    return rounded if low == high else (rounded - low) / (high - low)


def pixel_accuracy(probability: Map, mask: Mask) -> float:
    """Share of pixels, object and background, that are right at 0.5, in [0, 1]. The paper's "precision", P."""
    _check(probability, mask)
    return float(np.mean((probability >= 0.5) == mask))


def iou(probability: Map, mask: Mask) -> float:
    """Intersection over union of the map at 0.5 and the mask, in [0, 1]; 1 where both are empty. The paper's J."""
    _check(probability, mask)
    predicted = probability >= 0.5
    union = int((predicted | mask).sum())
    return int((predicted & mask).sum()) / union if union else 1.0


def mean_absolute_error(probability: Map, mask: Mask) -> float:
    """Mean absolute difference of saliency and mask, in [0, 1] (Perazzi et al., CVPR 2012)."""
    _check(probability, mask)
    return float(np.mean(np.abs(saliency(probability) - mask)))


def precision_recall(probability: Map, mask: Mask) -> tuple[Array, Array]:
    """Precision and recall, (256,) each, of "saliency is at least t / 255" for t = 0 ... 255.

    Precision is 0 where nothing is found, recall is 0 for an empty mask.
    """
    _check(probability, mask)
    return _rates(*_counts(saliency(probability), mask), mask)


def f_curve(probability: Map, mask: Mask, beta_squared: float = 0.3) -> Array:
    """F-measure, (256,), in [0, 1], at the thresholds of `precision_recall` (Achanta et al., CVPR 2009).

    ``(1 + beta_squared) P R / (beta_squared P + R)``, 0 where nothing is hit, so 0 throughout for an empty mask. The
    maximum and the mean of the field are those of the curve averaged over images.
    """
    return _f(*precision_recall(probability, mask), beta_squared)


def adaptive_f(probability: Map, mask: Mask, beta_squared: float = 0.3) -> float:
    """F-measure at the threshold of twice the mean saliency, 1 at most (Achanta et al., CVPR 2009)."""
    _check(probability, mask)
    return float(_f(*_rates(*_adaptive_counts(saliency(probability), mask), mask), beta_squared)[0])


def weighted_f(probability: Map, mask: Mask) -> float:
    """Weighted F-measure, beta squared 1, in [0, 1] (Margolin et al., CVPR 2014); 0 for an empty mask.

    Errors inside the object are pooled with their neighbours' (a 7 x 7 Gaussian of sigma 5), errors outside weigh
    up to twice as much the farther from the object they lie.
    """
    from scipy import ndimage  # half a second, which cutting out does not need

    _check(probability, mask)
    if not mask.any():
        return 0.0
    error = np.abs(saliency(probability) - mask)
    distance, nearest = ndimage.distance_transform_edt(~mask, return_indices=True)
    # Pooling must not see the background's error: each pixel there takes that of its nearest object pixel.
    kernel = np.exp(-(np.arange(-3, 4) ** 2) / (2 * 5**2))
    kernel /= kernel.sum()
    pooled = error[nearest[0], nearest[1]]
    for axis in (0, 1):
        pooled = ndimage.correlate1d(pooled, kernel, axis=axis, mode="constant")
    inside = np.minimum(pooled, error)[mask]
    outside = (error * (2 - np.exp(np.log(0.5) / 5 * distance)))[~mask]
    hits = inside.size - inside.sum()
    precision = hits / (hits + outside.sum() + _EPSILON)
    recall = 1 - inside.mean()
    return float(2 * precision * recall / (precision + recall + _EPSILON))


def s_measure(probability: Map, mask: Mask) -> float:
    """Structure measure, alpha 0.5, in [0, 1] (Fan et al., ICCV 2017).

    For an empty mask 1 minus the mean saliency, for a full one the mean saliency. A quadrant without pixels, where the
    object's centroid lies in the last row or column, counts nothing (PySODMetrics gives NaN).
    """
    _check(probability, mask)
    value = saliency(probability)
    share = float(np.mean(mask))
    if share in (0.0, 1.0):
        return float(abs(1 - share - value.mean()))
    by_object = share * _object_similarity(value[mask]) + (1 - share) * _object_similarity(1 - value[~mask])
    return max(0.0, 0.5 * by_object + 0.5 * _region_similarity(value, mask))


def e_curve(probability: Map, mask: Mask) -> Array:
    """Enhanced-alignment measure, (256,), at the thresholds of `precision_recall` (Fan et al., IJCAI 2018).

    In [0, n / (n - 1)] for n pixels, as the authors divide by n - 1. For an empty mask the share of pixels not found,
    for a full one the share found.
    """
    _check(probability, mask)
    return _alignment(*_counts(saliency(probability), mask), mask)


def adaptive_e(probability: Map, mask: Mask) -> float:
    """Enhanced-alignment measure at the threshold of twice the mean saliency, 1 at most (Fan et al., IJCAI 2018)."""
    _check(probability, mask)
    return float(_alignment(*_adaptive_counts(saliency(probability), mask), mask)[0])


def mask_box(mask: Mask) -> Array | None:
    """Return the tight half-open box (x1, y1, x2, y2) around the mask, (4,), in pixels; None for an empty mask."""
    columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    if not columns.size:
        return None
    return np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], dtype=np.float64)


def box_iou(a: Map, b: Map) -> float:
    """Intersection over union of two half-open boxes (x1, y1, x2, y2), in [0, 1]; 0 where one has no area."""
    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    shared = _area(np.concatenate([np.maximum(first[:2], second[:2]), np.minimum(first[2:], second[2:])]))
    return shared / (_area(first) + _area(second) - shared) if shared else 0.0


def _check(probability: Map, mask: Mask) -> None:
    if probability.shape != mask.shape:
        raise ValueError(f"the map is {probability.shape}, the mask {mask.shape}")
    if not (probability.min() >= 0 and probability.max() <= 1):
        raise ValueError("the map is not within [0, 1]")


def _counts(value: Array, mask: Mask) -> tuple[Counts, Counts]:
    """Count, for t = 0 ... 255, the pixels whose saliency is at least t / 255: on the mask, and off it."""
    level = (value * 255).astype(np.uint8)
    on, off = (np.bincount(level[side], minlength=256)[::-1].cumsum()[::-1] for side in (mask, ~mask))
    return on, off


def _adaptive_counts(value: Array, mask: Mask) -> tuple[Counts, Counts]:
    """Count the pixels whose saliency is at least twice its mean (1 at most): on the mask, and off it, (1,) each."""
    predicted = value >= min(2 * float(value.mean()), 1.0)
    return np.array([(predicted & mask).sum()]), np.array([(predicted & ~mask).sum()])


def _rates(hits: Counts, alarms: Counts, mask: Mask) -> tuple[Array, Array]:
    return hits / np.maximum(hits + alarms, 1), hits / max(int(mask.sum()), 1)


def _f(precision: Array, recall: Array, beta_squared: float) -> Array:
    product = (1 + beta_squared) * precision * recall
    return np.divide(product, beta_squared * precision + recall, out=np.zeros_like(product), where=product > 0)


def _object_similarity(value: Array) -> float:
    """Object-aware similarity (Fan et al., ICCV 2017) of values that should all be 1."""
    mean = value.mean()
    spread = value.std(ddof=1) if value.size > 1 else 0.0
    return float(2 * mean / (mean**2 + 1 + spread + _EPSILON))


def _region_similarity(value: Array, mask: Mask) -> float:
    """Region-aware similarity (Fan et al., ICCV 2017): structural similarity in four quadrants, by area."""
    height, width = mask.shape
    row = int(np.round(mask.sum(axis=1) @ np.arange(height) / mask.sum())) + 1
    column = int(np.round(mask.sum(axis=0) @ np.arange(width) / mask.sum())) + 1
    total = 0.0
    for rows in (slice(0, row), slice(row, height)):
        for columns in (slice(0, column), slice(column, width)):
            quarter = mask[rows, columns]
            if quarter.size:
                total += quarter.size / mask.size * _structural_similarity(value[rows, columns], quarter)
    return total


def _structural_similarity(value: Array, mask: Mask) -> float:
    """Structural similarity without its constants, 1 for two constants (Fan et al., ICCV 2017)."""
    x, y = value.mean(), mask.mean()
    degrees = max(mask.size - 1, 1)
    variances = (np.sum((value - x) ** 2) + np.sum((mask - y) ** 2)) / degrees
    covariance = np.sum((value - x) * (mask - y)) / degrees
    likeness, unlikeness = 4 * x * y * covariance, (x**2 + y**2) * variances
    if likeness:
        return float(likeness / (unlikeness + _EPSILON))
    return 0.0 if unlikeness else 1.0


def _alignment(hits: Counts, alarms: Counts, mask: Mask) -> Array:
    """Enhanced alignment (Fan et al., IJCAI 2018) of T binary maps, (T,), from their counts on and off the mask.

    A binary map and a mask have four kinds of pixels, each with one pair of deviations from the means.
    """
    size, on = mask.size, int(mask.sum())
    predicted = hits + alarms
    if on == 0:
        total: Array = (size - predicted).astype(np.float64)
    elif on == size:
        total = predicted.astype(np.float64)
    else:
        total = np.zeros(predicted.shape)
        kinds = ((hits, 1, 1), (alarms, 1, 0), (on - hits, 0, 1), (size - on - alarms, 0, 0))
        for count, is_found, is_on in kinds:
            a, b = is_found - predicted / size, is_on - on / size
            total += count * (2 * a * b / (a**2 + b**2 + _EPSILON) + 1) ** 2 / 4
    return total / max(size - 1, 1)


def _area(box: Array) -> float:
    return float(np.prod(np.maximum(box[2:] - box[:2], 0)))
