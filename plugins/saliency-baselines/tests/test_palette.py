from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from jointtask_saliency_baselines.maps import to_lab
from jointtask_saliency_baselines.palette import quantise, smooth
from numpy.typing import NDArray

Pixel = tuple[int, int, int]


def make_image(seed: int, side: int, tones: int, noise: float) -> NDArray[np.uint8]:
    random = np.random.default_rng(seed)
    share = random.dirichlet(np.full(tones, 0.3))
    colours = random.integers(0, 256, (tones, 3))
    image = colours[random.choice(tones, (side, side), p=share)] + random.normal(0, noise, (side, side, 3))
    return image.clip(0, 255).astype(np.uint8)


def bin_of(pixel: Pixel) -> Pixel:
    r, g, b = (int(value / 255 * (12 - 1e-4)) for value in pixel)
    return r, g, b


def slow_colours(pixels: list[Pixel]) -> tuple[list[Pixel], dict[Pixel, int]]:
    """Return the bins that are kept, the most frequent first, and the place of the one that each bin becomes."""
    counts = Counter(bin_of(pixel) for pixel in pixels)
    ranked = sorted(counts, key=lambda rgb: (counts[rgb], (rgb[2] * 12 + rgb[1]) * 12 + rgb[0]), reverse=True)
    kept = len(ranked)
    dropped = counts[ranked[-1]]
    while dropped < round(0.05 * len(pixels)) and kept > 1:
        kept -= 1
        dropped += counts[ranked[kept - 1]]
    kept = min(kept, 256)
    if kept <= 10:
        kept = min(10, len(ranked))

    def apart(one: Pixel, other: Pixel) -> int:
        return sum((a - b) ** 2 for a, b in zip(one, other, strict=True))

    place = {rgb: min(range(kept), key=lambda index: apart(rgb, ranked[index])) for rgb in ranked}
    return ranked[:kept], place


@pytest.mark.parametrize(
    ("side", "tones", "noise", "colours"),
    [(40, 30, 15.0, None), (12, 3, 2.0, None), (30, 4, 0.0, 4), (60, 900, 60.0, 256), (1, 1, 0.0, 1)],
)
def test_palette_against_loops(side: int, tones: int, noise: float, colours: int | None) -> None:
    image = make_image(tones, side, tones, noise)
    pixels: list[Any] = [tuple(pixel) for pixel in image.reshape(-1, 3).tolist()]
    kept, place = slow_colours(pixels)
    labels = [place[bin_of(pixel)] for pixel in pixels]
    palette = quantise(image)
    assert palette.labels.ravel().tolist() == labels
    assert len(palette.counts) == len(kept) == (colours or len(kept))
    for index in range(len(kept)):
        members = [pixel for pixel, label in zip(pixels, labels, strict=True) if label == index]
        assert palette.counts[index] == len(members)
        assert palette.rgb[index] == pytest.approx(np.mean(members, axis=0) / 255)


def test_lab_of_known_colours() -> None:
    colours = np.array([[[1, 1, 1], [0, 0, 0]], [[1, 0, 0], [0, 0, 1]]], np.float64)
    known = [[[100, 0, 0], [0, 0, 0]], [[53.24, 80.09, 67.20], [32.30, 79.19, -107.86]]]
    np.testing.assert_allclose(to_lab(colours), known, atol=0.05)


def slow_smooth(
    saliency: list[float], distances: NDArray[np.float64], share: float, weights: list[float]
) -> NDArray[np.float64]:
    count = len(saliency)
    result = []
    for colour in range(count):
        nearest = sorted(range(count), key=lambda other: distances[colour, other])[: max(round(count * share), 2)]
        total = sum(distances[colour, other] for other in nearest)
        value = sum(weights[other] * (total - distances[colour, other]) * saliency[other] for other in nearest)
        result.append(value / (total * sum(weights[other] for other in nearest)))
    stretched = np.array(result) - min(result)
    return stretched / stretched.max()


@pytest.mark.parametrize("share", [0.1, 0.25, 1.0])
def test_smoothing_against_loops(share: float) -> None:
    random = np.random.default_rng(3)
    points = random.random((18, 3))
    distances = np.linalg.norm(points[:, None] - points, axis=2)
    saliency, weights = random.random(18), random.integers(1, 50, 18).astype(np.float64)
    expected = slow_smooth(saliency.tolist(), distances, share, weights.tolist())
    np.testing.assert_allclose(smooth(saliency, distances, share, weights), expected)


def test_smoothing_leaves_two_colours_apart() -> None:
    distances = np.array([[0.0, 3.0], [3.0, 0.0]])
    assert smooth(np.array([2.0, 5.0]), distances, 0.25, np.ones(2)).tolist() == [0.0, 1.0]
