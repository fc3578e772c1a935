from __future__ import annotations

import numpy as np
import pytest
from jointtask_saliency_baselines.border import border_likelihood, border_pixels
from jointtask_saliency_baselines.contrast import histogram_contrast, region_contrast, segment, weighted_contrast
from jointtask_saliency_baselines.maps import soften, to_lab
from jointtask_saliency_baselines.palette import quantise, smooth
from numpy.typing import NDArray


def make_patches() -> NDArray[np.uint8]:
    """Return a lawn, a sky cut by the border, two things on the lawn, and some noise."""
    image = np.full((50, 70, 3), (60, 130, 60))
    image[:12] = (120, 160, 220)
    image[22:38, 20:36] = (210, 60, 40)
    image[25:43, 50:64] = (90, 90, 160)
    return (image + np.random.default_rng(4).normal(0, 5, image.shape)).clip(0, 255).astype(np.uint8)


def stretch(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return (values - values.min()) / (values.max() - values.min())


def test_histogram_contrast_against_loops() -> None:
    image = make_patches()
    palette = quantise(image)
    contrast = np.zeros(len(palette.counts))
    for i, one in enumerate(palette.lab):
        for other, pixels in zip(palette.lab, palette.counts, strict=True):
            contrast[i] += pixels / palette.labels.size * np.linalg.norm(one - other)
    smoothed = smooth(contrast, palette.distances, 0.25, np.ones(len(contrast)))
    expected = stretch(soften(smoothed[palette.labels]).astype(np.float64))
    np.testing.assert_allclose(histogram_contrast(image), expected, atol=1e-5)


def test_the_blur_weighs_1_2_1() -> None:
    values = np.random.default_rng(5).random((6, 7))
    kernel = np.array([0.25, 0.5, 0.25])
    padded = np.pad(values, 1, mode="reflect")
    expected = [[kernel @ padded[y : y + 3, x : x + 3] @ kernel for x in range(7)] for y in range(6)]
    np.testing.assert_allclose(soften(values), expected, atol=1e-6)


@pytest.mark.parametrize(("step", "regions"), [(0.1, 1), (0.25, 2)])
def test_segmentation_joins_what_differs_by_less_than_50_over_its_size(step: float, regions: int) -> None:
    # The blur leaves 0.79 of a step between neighbours; halves of 400 pixels are joined up to 50 / 400.
    lab = np.zeros((20, 40, 3))
    lab[:, 20:, 0] = step
    assert len(np.unique(segment(lab))) == regions


def test_weighted_contrast_against_pairs_of_pixels() -> None:
    image = make_patches()[20:28, 15:25]
    palette = quantise(image)
    height, width = palette.labels.shape
    regions = np.random.default_rng(6).integers(0, 4, (height, width)).astype(np.int32)
    places = [[(y, x) for y in range(height) for x in range(width) if regions[y, x] == region] for region in range(4)]
    centroids = [np.mean([((x + 0.5) / width, (y + 0.5) / height) for y, x in place], axis=0) for place in places]
    expected = np.zeros(4)
    for i, place in enumerate(places):
        for j, others in enumerate(places):
            if i != j:
                between = [palette.distances[palette.labels[p], palette.labels[q]] for p in place for q in others]
                near = np.exp(-np.sum((centroids[i] - centroids[j]) ** 2) / 0.4)
                expected[i] += len(others) * np.mean(between) * near
        ax = np.mean([abs(x + 0.5 - width / 2) / width for _, x in place])
        ay = np.mean([abs(y + 0.5 - height / 2) / height for y, _ in place])
        expected[i] *= np.exp(-9 * (ax**2 + ay**2))
    np.testing.assert_allclose(weighted_contrast(palette, regions, 4), stretch(expected))


def test_border_likelihood_against_loops() -> None:
    height, width, across, down = 150, 200, 4, 3
    regions = np.random.default_rng(7).integers(0, 3, (height, width)).astype(np.int32)
    regions[:, :60] = 3
    expected = []
    for region in range(4):
        ys, xs = np.nonzero(regions == region)
        sides = sum(x < across or x >= width - across for x in xs)
        ends = sum(y < down or y >= height - down for y in ys)
        spread_x, spread_y = np.mean(np.abs(xs - xs.mean())), np.mean(np.abs(ys - ys.mean()))
        expected.append(sides / (4 * down * spread_y) + ends / (4 * across * spread_x))
    np.testing.assert_allclose(border_likelihood(regions, 4), expected)


def test_border_takes_in_strips_and_regions_that_are_cut_off() -> None:
    regions = np.zeros((100, 200), np.int32)
    regions[30:70, :40] = 1  # a block at the left side
    regions[30:70, 80:120] = 2  # one in the middle
    border = border_pixels(regions, 3)
    assert border[regions == 1].all()
    assert not border[regions == 2].any()
    assert border[:2].all()
    assert border[:, -4:].all()


def test_region_contrast_against_loops() -> None:
    image = make_patches()
    palette, regions = quantise(image), segment(to_lab(image / 255))
    count = len(np.unique(regions))
    assert count > 2
    border = border_pixels(regions, count)
    saliency = weighted_contrast(palette, regions, count)[regions]
    saliency[border] = 0
    colours = np.array([saliency[palette.labels == colour].mean() for colour in range(len(palette.counts))])
    colours = smooth(stretch(colours), palette.distances, 0.1, palette.counts)
    by_pixel = colours[palette.labels]
    means = stretch(np.array([by_pixel[regions == region].mean() for region in range(count)]))
    expected = means[regions]
    expected[border] = 0
    np.testing.assert_allclose(region_contrast(image), soften(expected), atol=1e-6)


def test_region_contrast_of_two_colours_is_the_rarer() -> None:
    image = np.full((20, 30, 3), 200, np.uint8)
    image[5:9, 5:9] = 20
    np.testing.assert_array_equal(region_contrast(image), image[..., 0] == 20)
