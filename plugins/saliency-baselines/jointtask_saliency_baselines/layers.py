"""Layers of regions, each of larger ones than the last: what HS looks at (Yan et al., CVPR 2013)."""

from __future__ import annotations

import heapq
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects
from skimage.segmentation import watershed

from jointtask_saliency_baselines.maps import Image, Labels, label_means, to_lab

__all__ = ["region_layers", "region_scale"]


def region_layers(image: Image, scales: Sequence[int]) -> list[Labels]:
    """Segment an image into layers of regions of a least scale, each layer merged from the one before.

    It starts from the watersheds of the gradient's magnitude in CIELAB. The region of the smallest scale is merged
    into the neighbour nearest in mean CIELUV, as long as that scale is below the layer's.

    Parameters
    ----------
    image : ndarray, (H, W, 3), uint8 RGB
    scales : sequence of int
        Least scale of the regions of each layer, ascending; see `region_scale`. A layer of one region may lie below.

    Returns
    -------
    list of ndarray, (H, W), int32
        One label map for each scale, numbered from 0 without gaps.
    """
    regions = _Regions(image)
    layers = []
    for scale in scales:
        if scale > min(image.shape[:2]):  # everything would be merged
            layers.append(np.zeros(image.shape[:2], np.int32))
            continue
        regions.merge_below(scale)
        _, labels = np.unique(regions.labels, return_inverse=True)
        layers.append(labels.reshape(image.shape[:2]).astype(np.int32))
    return layers


def region_scale(mask: NDArray[np.bool_]) -> int:
    """Return the side of the largest square of pixels that fits into a region (H, W)."""
    padded = np.zeros((mask.shape[0] + 2, mask.shape[1] + 2), np.uint8)
    padded[1:-1, 1:-1] = mask
    # How many steps of a chess king it is out of the region.
    steps = cv2.distanceTransform(padded, cv2.DIST_C, 3)
    radius = int(steps.max())
    peak = steps == radius
    # A square of 2 r - 1 pixels lies round each peak; four of them in a block make it one larger.
    pair = peak[1:] & peak[:-1]
    return 2 * radius - 1 + int((pair[:, 1:] & pair[:, :-1]).any())


class _Regions:
    """Regions that are merged one by one, with their neighbours, mean colours and boxes."""

    def __init__(self, image: Image) -> None:
        self.labels = _watersheds(image)
        count = int(self.labels.max()) + 1
        luv = cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2LUV)
        colours = [label_means(self.labels, channel, count).tolist() for channel in np.moveaxis(luv, -1, 0)]
        self.colours: list[tuple[float, float, float]] = list(zip(*colours, strict=True))
        self.pixels: list[int] = np.bincount(self.labels.ravel()).tolist()
        self.boxes = [(y.start, y.stop, x.start, x.stop) for y, x in find_objects(self.labels + 1)]
        self.neighbours: dict[int, set[int]] = {region: set() for region in range(count)}
        for one, other in _adjacent(self.labels).tolist():
            self.neighbours[one].add(other)
            self.neighbours[other].add(one)

    def merge_below(self, threshold: int) -> None:
        """Merge until every region has the scale, or one is left."""
        scales = {region: self._scale(region) for region in self.neighbours}
        queue = [(scale, region) for region, scale in scales.items() if scale < threshold]
        heapq.heapify(queue)
        while queue:
            scale, region = heapq.heappop(queue)
            if scales.get(region) != scale or not self.neighbours[region]:
                continue
            into = min(self.neighbours[region], key=lambda other: self._difference(region, other))
            self._merge(region, into)
            del scales[region]
            if scales[into] < threshold:
                scales[into] = self._scale(into)
                if scales[into] < threshold:
                    heapq.heappush(queue, (scales[into], into))

    def _difference(self, region: int, other: int) -> float:
        (a, b, c), (x, y, z) = self.colours[region], self.colours[other]
        return (a - x) ** 2 + (b - y) ** 2 + (c - z) ** 2

    def _scale(self, region: int) -> int:
        top, bottom, left, right = self.boxes[region]
        return region_scale(self.labels[top:bottom, left:right] == region)

    def _merge(self, region: int, into: int) -> None:
        top, bottom, left, right = self.boxes[region]
        crop = self.labels[top:bottom, left:right]
        crop[crop == region] = into
        a, b, c, d = self.boxes[into]
        self.boxes[into] = min(a, top), max(b, bottom), min(c, left), max(d, right)
        share = self.pixels[region] / (self.pixels[region] + self.pixels[into])
        (p, q, r), (x, y, z) = self.colours[into], self.colours[region]
        self.colours[into] = p + share * (x - p), q + share * (y - q), r + share * (z - r)
        self.pixels[into] += self.pixels[region]
        around = self.neighbours.pop(region)
        for other in around:
            self.neighbours[other].discard(region)
        around.discard(into)
        for other in around:
            self.neighbours[other].add(into)
        self.neighbours[into] |= around


def _watersheds(image: Image) -> Labels:
    """Return the basins of the gradient's magnitude in CIELAB, numbered from 0: (H, W), int32."""
    lab = to_lab(image / 255)
    squares = [cv2.Sobel(lab, cv2.CV_64F, *order) ** 2 for order in ((1, 0), (0, 1))]
    magnitude = np.sqrt((squares[0] + squares[1]).sum(axis=2))
    basins: Labels = watershed(magnitude).astype(np.int32)  # type: ignore[no-untyped-call]  # scikit-image has no types
    # It finds no basin where the whole image is flat.
    return np.maximum(basins, 1) - 1


def _adjacent(labels: Labels) -> NDArray[np.int32]:
    """Return the pairs of labels that meet in a row or column: (E, 2)."""
    across = labels[:, :-1].ravel(), labels[:, 1:].ravel()
    down = labels[:-1].ravel(), labels[1:].ravel()
    pairs = np.concatenate([across, down], axis=1)
    return np.unique(pairs[:, pairs[0] != pairs[1]].T, axis=0)
