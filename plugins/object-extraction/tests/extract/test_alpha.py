"""Opacity: no haze, edges where the photograph has them, and the mask at 0.5 as it was."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from jointtask_object_extraction.extract import mixture
from jointtask_object_extraction.extract.alpha import RAMP, make_alpha, ramp, refine_edges
from jointtask_object_extraction.extract.colours import foreground_colours
from jointtask_object_extraction.photograph import FRAME
from numpy.typing import NDArray


def disc(side: int) -> NDArray[np.float32]:
    """Opacity of a disc in the middle, its edge one pixel soft."""
    rows, columns = np.indices((side, side))
    away = np.hypot(rows - side / 2, columns - side / 2)
    return np.clip(0.3 * side - away + 0.5, 0, 1).astype(np.float32)


def mixed(alpha: NDArray[np.float32]) -> NDArray[np.uint8]:
    """A red and orange object on blue and green ground."""
    rows, columns = np.indices(alpha.shape)
    front = np.dstack([200 + 0 * rows, 40 + 60 * (rows % 40 > 20), 30 + 0 * rows]).astype(np.float32)
    back = np.dstack([20 + 0 * rows, 90 + 40 * (columns % 50 > 25), 180 + 0 * rows]).astype(np.float32)
    return np.rint(alpha[..., None] * front + (1 - alpha[..., None]) * back).astype(np.uint8)


def test_the_ramp_leaves_the_middle_and_clears_both_ends() -> None:
    values = np.array([0, 0.05, RAMP[0], 0.5, RAMP[1], 0.95, 1], dtype=np.float32)
    assert ramp(values) == pytest.approx([0, 0, 0, 0.5, 1, 1, 1], abs=1e-6)
    assert RAMP[0] + RAMP[1] == pytest.approx(1)
    assert bool((np.diff(ramp(np.linspace(0, 1, 101, dtype=np.float32))) >= 0).all())


@pytest.mark.parametrize("side", [64, 448, 1500])
def test_a_blurred_edge_is_brought_back_to_that_of_the_photograph(side: int) -> None:
    truth = disc(side)
    blurred = cv2.GaussianBlur(truth, (0, 0), max(1.0, 1.5 * side / 224)).astype(np.float32)
    alpha = make_alpha(mixed(truth), blurred)
    band = (blurred > 0.02) & (blurred < 0.98)
    assert np.abs(alpha - truth)[band].mean() < 0.7 * np.abs(blurred - truth)[band].mean()
    assert ((alpha >= 0.5) != (truth >= 0.5)).mean() < 0.01


def striped(side: int, width: float) -> NDArray[np.float32]:
    """Opacity of a disc with slots through it, which its ends leave as free spokes."""
    columns = np.indices((side, side))[1]
    slots = np.abs(columns % (4 * width) - 2 * width) - width
    return np.minimum(disc(side), np.clip(slots + 0.5, 0, 1)).astype(np.float32)


@pytest.mark.parametrize("side", [448, 900, 1600])
def test_what_is_finer_than_the_network_sees_comes_back_at_the_photographs_resolution(side: int) -> None:
    # Bars of 1.5 pixels of the frame: half-tone for the network, and whole pixels in the photograph.
    truth = striped(side, 0.75 * side / FRAME)
    image = mixed(truth)
    seen = cv2.resize(truth, (FRAME, FRAME), interpolation=cv2.INTER_AREA)
    seen = np.asarray(cv2.resize(seen, (side, side), interpolation=cv2.INTER_LINEAR), dtype=np.float32)
    alpha = make_alpha(image, seen)
    assert np.abs(alpha - truth).mean() < 0.4 * np.abs(ramp(seen) - truth).mean()
    # A mask refined at the frame's resolution, at best the truth reduced to it, would be further away.
    assert ((alpha >= 0.5) != (truth >= 0.5)).mean() < 0.5 * ((seen >= 0.5) != (truth >= 0.5)).mean()


def test_where_object_and_ground_have_one_colour_the_network_decides() -> None:
    truth = disc(300)
    blurred = cv2.GaussianBlur(truth, (0, 0), 3).astype(np.float32)
    image = np.random.default_rng(0).integers(110, 140, (300, 300, 3)).astype(np.uint8)
    assert np.abs(refine_edges(image, blurred) - blurred).max() < 0.1


@pytest.mark.parametrize("value", [0.05, 0.3, 0.45, 0.55, 0.7, 0.95])
def test_without_both_an_object_and_a_ground_nothing_is_invented(value: float) -> None:
    refined = refine_edges(mixed(disc(200)), np.full((200, 200), value, np.float32))
    assert np.abs(refined - value).max() < 0.1


def test_large_photographs_are_refined_in_strips_as_in_one(monkeypatch: pytest.MonkeyPatch) -> None:
    truth = disc(1300)
    blurred = np.asarray(cv2.GaussianBlur(truth, (0, 0), 9), dtype=np.float32)
    image = mixed(truth)
    whole = refine_edges(image, blurred)
    monkeypatch.setattr(mixture, "_STRIP_PIXELS", 1)
    np.testing.assert_allclose(refine_edges(image, blurred), whole, atol=1e-5)


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (50, 1), (3, 2), (31, 700)])
def test_every_shape_is_refined(shape: tuple[int, int]) -> None:
    random = np.random.default_rng(0)
    image = random.integers(0, 256, (*shape, 3)).astype(np.uint8)
    refined = refine_edges(image, random.random(shape).astype(np.float32))
    assert refined.shape == shape
    assert refined.dtype == np.float32
    assert bool(((refined >= 0) & (refined <= 1)).all())


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_where_nothing_is_soft_nothing_changes(value: float) -> None:
    image = np.random.default_rng(0).integers(0, 256, (80, 90, 3)).astype(np.uint8)
    probability = np.full((80, 90), value, np.float32)
    assert np.array_equal(make_alpha(image, probability), probability)


@pytest.mark.parametrize("side", [64, 300, 1500])
def test_the_fringe_of_the_old_background_goes(side: int) -> None:
    alpha = np.asarray(cv2.GaussianBlur(disc(side), (0, 0), max(1.0, side / 224)), dtype=np.float32)
    front = mixed(np.ones_like(alpha)).astype(np.float32)
    image = mixed(alpha)
    found = foreground_colours(image, alpha).astype(np.float32)
    soft = (alpha > 0.1) & (alpha < 0.9)
    assert np.abs(found - front)[soft].mean() < 0.35 * np.abs(image - front)[soft].mean()
    whole = (alpha == 0) | (alpha == 1)
    assert np.array_equal(found[whole], image[whole])


def test_without_soft_pixels_colours_are_the_photographs() -> None:
    image = mixed(disc(50))
    assert np.array_equal(foreground_colours(image, (disc(50) >= 0.5).astype(np.float32)), image)
