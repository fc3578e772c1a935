"""HC and RC: saliency as contrast to all other colours, and to all other regions (Cheng et al., CVPR 2011)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from skimage.segmentation import felzenszwalb

from jointtask_saliency_baselines.border import border_pixels
from jointtask_saliency_baselines.maps import (
    Floats,
    Image,
    Labels,
    Map,
    label_means,
    min_max,
    pixel_centres,
    saliency_map,
    soften,
    to_lab,
)
from jointtask_saliency_baselines.palette import Palette, quantise, smooth

__all__ = ["histogram_contrast", "region_contrast", "segment", "weighted_contrast"]

_SCALE, _SIGMA, _LEAST_PIXELS = 50.0, 0.5, 200
"""Of the graph-based segmentation (Felzenszwalb and Huttenlocher, IJCV 2004), on CIELAB."""

_SPATIAL = 0.4
"""sigma_s^2: how far contrast reaches, in image sides."""


@saliency_map
def histogram_contrast(image: Image) -> Map:
    """Return the histogram-based contrast (HC) of an image: rare colours that differ from the rest stand out.

    The saliency of a colour is its mean CIELAB distance to the colours of all pixels, smoothed over a quarter of
    the palette (Cheng et al., CVPR 2011).

    It is 0 everywhere if the image has one colour.
    """
    palette = quantise(image)
    saliency = palette.distances @ (palette.counts / palette.counts.sum())
    saliency = smooth(saliency, palette.distances, 0.25, np.ones(len(saliency)))
    return min_max(soften(saliency[palette.labels])).astype(np.float32)


@saliency_map
def region_contrast(image: Image) -> Map:
    """Return the region-based contrast (RC) of an image: regions unlike large and near ones stand out.

    The weighted contrast of regions, without those that the border cuts, is averaged over similar colours and then
    over each region again (Cheng et al., TPAMI 2015, and the authors' program for the border).

    It is 0 everywhere if the image has one colour; of two colours, 1 at the rarer.
    """
    palette = quantise(image)
    colours = len(palette.counts)
    if colours <= 2:
        return palette.labels.astype(np.float32)
    regions = segment(to_lab(image / 255))
    count = int(regions.max()) + 1
    border = border_pixels(regions, count)
    saliency = np.where(border, 0, weighted_contrast(palette, regions, count)[regions])
    by_colour = min_max(label_means(palette.labels, saliency, colours))
    by_colour = smooth(by_colour, palette.distances, 0.1, palette.counts)
    by_region = min_max(label_means(regions, by_colour[palette.labels], count))
    return soften(np.where(border, 0, by_region[regions]))


def segment(lab: Floats) -> Labels:
    """Segment an image (H, W, 3) in CIELAB into regions of 200 pixels or more: (H, W), int32, numbered from 0."""
    # scikit-image divides the scale by 255.
    regions: Labels = felzenszwalb(lab, scale=_SCALE * 255, sigma=_SIGMA, min_size=_LEAST_PIXELS).astype(np.int32)
    return regions


def weighted_contrast(palette: Palette, regions: Labels, count: int) -> NDArray[np.float64]:
    """Return the contrast of each region to all others (Cheng et al., TPAMI 2015), stretched to [0, 1].

    ``S_i = exp(-9 |a_i|^2) sum_j n_j D_ij exp(-|c_i - c_j|^2 / 0.4)``: n_j pixels, D_ij the mean CIELAB distance
    between pixels of the two regions, c centroids and a_i the mean distance to the image's centre in x and in y, all
    in image sides.

    Parameters
    ----------
    palette : Palette
    regions : ndarray, (H, W), int
        Labels 0 to `count` - 1.
    count : int

    Returns
    -------
    ndarray, (count,), float64 in [0, 1]
    """
    colours = len(palette.counts)
    pairs = np.bincount((regions * colours + palette.labels).ravel(), minlength=count * colours)
    histogram = pairs.reshape(count, colours).astype(np.float64)
    pixels = histogram.sum(axis=1)
    histogram /= pixels[:, None]
    contrast = histogram @ palette.distances @ histogram.T
    np.fill_diagonal(contrast, 0)
    sides = [centres / centres.size for centres in pixel_centres(*regions.shape)]
    centroid = np.stack([label_means(regions, side, count) for side in sides], axis=1)
    offset = np.stack([label_means(regions, np.abs(side), count) for side in sides], axis=1)
    contrast *= np.exp(-cdist(centroid, centroid, "sqeuclidean") / _SPATIAL)
    return min_max(np.exp(-9 * (offset**2).sum(axis=1)) * (contrast @ pixels))
