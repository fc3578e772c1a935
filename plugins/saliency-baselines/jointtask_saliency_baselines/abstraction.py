"""GC: saliency of the soft components of an image's colours (Cheng et al., ICCV 2013)."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from scipy.special import expit, softmax

from jointtask_saliency_baselines.clusters import exemplars, moments, similarity
from jointtask_saliency_baselines.maps import Floats, Image, Map, min_max, pixel_centres, saliency_map, to_lab
from jointtask_saliency_baselines.mixture import Mixture, fit, refit
from jointtask_saliency_baselines.palette import Palette, quantise

__all__ = [
    "colour_mixture",
    "component_map",
    "distribution",
    "lift",
    "soft_abstraction",
    "spatial_variance",
    "uniqueness",
]

_COMPONENTS = 15
"""Of the colour mixture, at most."""


@saliency_map
def soft_abstraction(image: Image) -> Map:
    """Return the global cues map (GC) of an image: unique colours, or compact and central ones.

    The colours of the image are a mixture of up to 15 Gaussians. Their components get two saliencies: by global
    uniqueness (GU), and, after those that mingle in the image are joined, by colour spatial distribution (CSD). The
    map of the two that is more compact is returned (Cheng et al., ICCV 2013).

    It is 0 everywhere if the colours vary so little that one Gaussian describes them.
    """
    palette = quantise(image)
    mixture = colour_mixture(palette)
    belongs = softmax(mixture.log_densities(palette.rgb) + np.log(mixture.weights), axis=1)
    layers: Map = cv2.blur(belongs.astype(np.float32)[palette.labels], (3, 3))
    layers = layers.reshape(*palette.labels.shape, -1)
    members = exemplars(similarity(layers, mixture.weights))
    spread, centrality = moments(layers, members)
    maps = [
        component_map(palette, belongs, mixture.weights, values)
        for values in (distribution(spread, centrality), uniqueness(mixture, centrality))
    ]
    return min(maps, key=spatial_variance)


def colour_mixture(palette: Palette) -> Mixture:
    """Return a mixture of the palette's colours: split, then refined once by the likeliest component of each."""
    mixture = fit(palette.rgb, palette.counts, _COMPONENTS)
    likeliest = mixture.log_densities(palette.rgb).argmax(axis=1)
    return refit(palette.rgb, palette.counts, likeliest, len(mixture.weights))


def uniqueness(mixture: Mixture, centrality: Floats) -> NDArray[np.float64]:
    """Return the global uniqueness of each component (Cheng et al., ICCV 2013), stretched to [0, 1].

    ``exp(-9 d_i^2) sum_j w_j D_ij / max_j D_ij``, D the CIELAB distances between the means of the components.

    Parameters
    ----------
    mixture : Mixture
        The mixture of RGB colours in [0, 1], of K components.
    centrality : ndarray, (K,), float
        d, the mean distance of the component's pixels to the centre of the image, in image sides.

    Returns
    -------
    ndarray, (K,), float64 in [0, 1]
    """
    lab = to_lab(mixture.means)
    distances = cdist(lab, lab)
    farthest = distances.max(axis=1)
    contrast = distances @ mixture.weights / np.where(farthest > 0, farthest, 1)
    return min_max(contrast * np.exp(-9 * centrality**2))


def distribution(spread: Floats, centrality: Floats) -> NDArray[np.float64]:
    """Return the colour spatial distribution of each component (Cheng et al., ICCV 2013), stretched to [0, 1].

    ``(1 - V) (1 - D)``: V the spatial variance and D the distance to the centre, both (K,), each stretched to [0, 1].
    """
    return min_max((1 - min_max(spread)) * (1 - min_max(centrality)))


def component_map(palette: Palette, belongs: Floats, weights: Floats, values: Floats) -> Map:
    """Return the map of components of given saliencies.

    Parameters
    ----------
    palette : Palette
    belongs : ndarray, (colours, K), float
        Probability of each component given the colour.
    weights : ndarray, (K,), float
        Weights of the components.
    values : ndarray, (K,), float
        Saliency of the components, in [0, 1].

    Returns
    -------
    ndarray, (H, W), float32 in [0, 1]
    """
    by_colour = min_max(expit(8 * min_max(belongs @ lift(values, weights)) - 4))
    blurred: Map = cv2.blur(by_colour.astype(np.float32)[palette.labels], (3, 3))  # type: ignore[assignment]
    return min_max(blurred).astype(np.float32)


def lift(values: Floats, weights: Floats) -> Floats:
    """Raise saliencies until components of 1 % of the weight exceed 0.95: a speck does not set the range.

    The largest value that does not exceed 0.95 becomes 1, what lies above it too, and so on.

    Parameters
    ----------
    values : ndarray, (K,), float
        Saliency of the components, in [0, 1].
    weights : ndarray, (K,), float
        Weights of the components.

    Returns
    -------
    ndarray, (K,), float in [0, 1]
    """
    while weights[values > 0.95].sum() < 0.01 and (below := values[values <= 0.95].max(initial=0.0)) > 0:
        values = np.minimum(values / below, 1)
    return values


def spatial_variance(saliency: Map) -> float:
    """Return the variance of the pixels' places, in x and y together, weighted by a map; infinite if that is 0."""
    total = float(saliency.sum(dtype=np.float64))
    if not total:
        return np.inf
    variance = 0.0
    for axis, centres in enumerate(pixel_centres(*saliency.shape)):
        share = saliency.sum(axis=axis, dtype=np.float64) / total
        variance += float(share @ centres.ravel() ** 2 - (share @ centres.ravel()) ** 2)
    return variance
