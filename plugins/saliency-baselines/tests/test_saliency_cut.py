from __future__ import annotations

from typing import get_args

import cv2
import numpy as np
import pytest
from jointtask_saliency_baselines.saliency_cut import Cut, largest_component, saliency_cut, update_trimap
from numpy.typing import NDArray

CUTS = get_args(Cut)
Image = NDArray[np.uint8]
Mask = NDArray[np.bool_]


def disc(height: int, width: int, y: float, x: float, radius: float) -> Mask:
    rows, columns = np.mgrid[:height, :width]
    return np.asarray(np.hypot(rows - y, columns - x) <= radius)


def photograph(mask: Mask) -> Image:
    """Paint an orange texture on a green one."""
    random = np.random.default_rng(0)
    colours = np.where(mask[..., None], (200, 120, 60), (70, 130, 80))
    noise = cv2.GaussianBlur(random.normal(size=colours.shape), (0, 0), 1.5) * 70
    return np.clip(colours + noise, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("cut", CUTS)
def test_a_disc_is_cut_out_of_a_blurry_map(cut: Cut) -> None:
    mask = disc(120, 160, 55, 85, 30)
    saliency = cv2.GaussianBlur(disc(120, 160, 52, 88, 26).astype(np.float64), (0, 0), 8)
    found = saliency_cut(photograph(mask), saliency, cut)
    assert (found & mask).sum() / (found | mask).sum() > 0.95
    np.testing.assert_array_equal(found, saliency_cut(photograph(mask), 7 * saliency.astype(np.float32) - 3, cut))


@pytest.mark.parametrize("cut", CUTS)
def test_the_more_salient_of_two_discs_is_kept(cut: Cut) -> None:
    large, small = disc(120, 200, 60, 50, 35), disc(120, 200, 60, 150, 30)
    saliency = cv2.GaussianBlur(large * 0.4 + small * 0.9, (0, 0), 4)
    found = saliency_cut(photograph(large | small), saliency, cut)
    assert (found & small).sum() / (found | small).sum() > 0.9


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("shape", [(60, 80), (5, 5), (1, 1)])
@pytest.mark.parametrize("level", [0.0, 0.3, 1.0])
def test_a_flat_map_gives_no_object(cut: Cut, shape: tuple[int, int], level: float) -> None:
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    assert not saliency_cut(image, np.full(shape, level), cut).any()


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("shape", [(60, 80), (5, 5), (2, 7)])
def test_an_image_of_one_colour_gives_some_mask(cut: Cut, shape: tuple[int, int]) -> None:
    saliency = disc(*shape, shape[0] / 2, shape[1] / 2, min(shape) / 4).astype(np.float64)
    found = saliency_cut(np.full((*shape, 3), 128, np.uint8), saliency, cut)
    assert found.shape == shape
    assert found.dtype == bool


@pytest.mark.parametrize("cut", CUTS)
def test_random_pictures_and_maps_are_survived(cut: Cut) -> None:
    random = np.random.default_rng(1)
    for _ in range(5):
        height, width = random.integers(5, 40, 2)
        image = random.integers(0, 256, (height, width, 3), np.uint8)
        saliency_cut(image, random.random((height, width)) ** random.integers(1, 9), cut)


def test_a_large_image_is_cut_like_a_small_one() -> None:
    mask = disc(120, 160, 55, 85, 30)
    small = photograph(mask), cv2.GaussianBlur(mask.astype(np.float64), (0, 0), 8), mask
    image, saliency, large = (cv2.resize(part.astype(np.float32), (800, 600)) for part in small)
    found = saliency_cut(image.astype(np.uint8), saliency, "grabcut")
    assert (found & (large > 0.5)).sum() / (found | (large > 0.5)).sum() > 0.95


def test_a_map_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\(4, 5, 3\) cannot be cut by a map of shape \(5, 4\)"):
        saliency_cut(np.zeros((4, 5, 3), np.uint8), np.zeros((5, 4)))


def test_a_speck_is_no_object() -> None:
    mask = disc(200, 200, 50, 50, 2)
    assert not saliency_cut(photograph(mask), mask.astype(np.float64)).any()


@pytest.mark.parametrize(
    ("drawn", "reached", "certain"),
    [
        (np.s_[20:40, 25:50], np.s_[15:45, 20:55], np.s_[25:35, 30:45]),
        (np.s_[18:22, 10:30], np.s_[13:27, 5:35], np.s_[18:22, 10:30]),  # too thin to erode: certain itself
    ],
)
def test_the_trimap_is_unknown_five_pixels_to_either_side_of_the_border(
    drawn: tuple[slice, slice], reached: tuple[slice, slice], certain: tuple[slice, slice]
) -> None:
    mask, expected = np.zeros((60, 70), np.bool_), np.zeros((60, 70), np.uint8)
    mask[drawn] = True
    expected[reached] = 128
    expected[certain] = 255
    np.testing.assert_array_equal(update_trimap(mask), expected)


def test_the_component_of_the_largest_sum_is_kept_and_corners_do_not_connect() -> None:
    values = np.array([[1, 1, 1, 0, 9], [1, 1, 1, 0, 0], [0, 0, 0, 5, 5]])
    mask, total = largest_component(values)
    assert total == 10
    np.testing.assert_array_equal(mask, values == 5)


def test_nothing_has_no_component() -> None:
    mask, total = largest_component(np.zeros((3, 4), int))
    assert total == 0
    assert not mask.any()
