from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from jointtask_saliency_baselines.abstraction import soft_abstraction
from jointtask_saliency_baselines.contrast import histogram_contrast, region_contrast
from jointtask_saliency_baselines.hierarchy import hierarchical_saliency
from jointtask_saliency_baselines.maps import MOST_PIXELS, saliency_map
from numpy.typing import NDArray

Function = Callable[[NDArray[np.uint8]], NDArray[np.float32]]

each_map = pytest.mark.parametrize(
    "function", [histogram_contrast, region_contrast, soft_abstraction, hierarchical_saliency]
)


def make_disc(height: int, width: int) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    y, x = np.ogrid[:height, :width]
    disc = (x - width / 2) ** 2 + (y - height / 2) ** 2 < (height / 5) ** 2
    image = np.where(disc[..., None], (200, 30, 30), (120, 120, 120))
    noise = np.random.default_rng(0).normal(0, 6, image.shape)
    return (image + noise).clip(0, 255).astype(np.uint8), disc


def check(saliency: NDArray[np.float32], image: NDArray[np.uint8]) -> None:
    assert saliency.shape == image.shape[:2]
    assert saliency.dtype == np.float32
    assert np.isfinite(saliency).all()
    assert saliency.min() >= 0
    assert saliency.max() <= 1


@each_map
def test_a_red_disc_on_grey_is_salient(function: Function) -> None:
    image, disc = make_disc(120, 160)
    saliency = function(image)
    check(saliency, image)
    assert saliency[disc].mean() > 0.85
    assert saliency[~disc].mean() < 0.1
    np.testing.assert_array_equal(function(image), saliency)


@each_map
def test_one_colour_has_no_saliency(function: Function) -> None:
    assert not function(np.full((30, 40, 3), 77, np.uint8)).any()


@each_map
@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (2, 1), (3, 3), (8, 8), (1, 90), (90, 1), (5, 200)])
def test_tiny_images(function: Function, shape: tuple[int, int]) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (*shape, 3), dtype=np.uint8)
    for image in (noise, noise[..., :1].repeat(3, axis=2), noise // 128 * 255, np.zeros_like(noise)):
        check(function(image), image)


@each_map
def test_greyscale_noise_and_ramps(function: Function) -> None:
    noise = np.random.default_rng(2).integers(0, 256, (40, 60, 1), dtype=np.uint8)
    ramp = np.broadcast_to(np.linspace(0, 255, 60).astype(np.uint8)[:, None], (40, 60, 1))
    for image in (noise.repeat(3, axis=2), ramp.repeat(3, axis=2)):
        check(function(image), image)


def test_a_large_photograph_is_looked_at_shrunk() -> None:
    image, disc = make_disc(900, 1200)
    saliency = histogram_contrast(image)
    check(saliency, image)
    assert saliency[disc].mean() > 0.8
    assert saliency[~disc].mean() < 0.1


@pytest.mark.parametrize("shape", [(700, 500), (512, 513), (1, 400_000), (400_000, 1)])
def test_no_function_sees_more_than_its_pixels(shape: tuple[int, int]) -> None:
    seen = []

    def blank(image: NDArray[np.uint8]) -> NDArray[np.float32]:
        seen.append(image.shape[0] * image.shape[1])
        return np.zeros(image.shape[:2], np.float32)

    assert saliency_map(blank)(np.zeros((*shape, 3), np.uint8)).shape == shape
    assert MOST_PIXELS / 2 < seen[0] <= MOST_PIXELS


@each_map
@pytest.mark.parametrize(
    "image",
    [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3)), np.zeros((4, 4, 4), np.uint8), np.zeros((0, 4, 3), np.uint8)],
)
def test_what_is_no_image_is_refused(function: Function, image: NDArray[np.uint8]) -> None:
    with pytest.raises(ValueError, match=r"\(H, W, 3\) uint8"):
        function(image)
