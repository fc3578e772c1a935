from __future__ import annotations

import itertools
import math
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from jointtask_object_extraction.bridge.superpixels import (
    NAME,
    SuperpixelBoundaryTerm,
    border_pixels,
    unpack_boundaries,
)
from numpy.typing import NDArray
from skimage.segmentation import slic
from torch import Tensor

UNUSED: Any = None
"""The term looks at no history."""


def pack(maps: NDArray[np.bool_]) -> Tensor:
    return torch.from_numpy(np.packbits(maps.reshape(len(maps), -1), axis=1, bitorder="little"))


def make_term(points: int = 200) -> SuperpixelBoundaryTerm:
    return SuperpixelBoundaryTerm(points=points, segments=200, compactness=10.0)


def exact_pixels(box: tuple[int, int, int, int], points: int) -> list[tuple[int, int]]:
    """Walk round the centres of the outermost pixels, clockwise from the top left, in exact arithmetic."""
    x1, y1, x2, y2 = (Fraction(side) for side in box)
    half = Fraction(1, 2)
    left, top, right, bottom = x1 + half, y1 + half, x2 - half, y2 - half
    width, height = right - left, bottom - top
    pixels = []
    for i in range(points):
        way = 2 * (width + height) * Fraction(i, points)
        if way <= width:
            x, y = left + way, top
        elif way <= width + height:
            x, y = right, top + way - width
        elif way <= 2 * width + height:
            x, y = right - (way - width - height), bottom
        else:
            x, y = left, bottom - (way - 2 * width - height)
        pixels.append((math.floor(x), math.floor(y)))
    return pixels


@settings(max_examples=100, deadline=None)
@given(
    corner=st.tuples(st.integers(-30, 220), st.integers(-30, 220)),
    sides=st.tuples(st.integers(1, 240), st.integers(1, 240)),
)
def test_points_run_round_the_outermost_pixels(corner: tuple[int, int], sides: tuple[int, int]) -> None:
    box = (*corner, corner[0] + sides[0], corner[1] + sides[1])
    # With 64 points every step is a binary fraction, so float32 is exact too.
    x, y = border_pixels(torch.tensor([box], dtype=torch.float32), 64)
    assert list(zip(x[0].int().tolist(), y[0].int().tolist(), strict=True)) == exact_pixels(box, 64)


def test_share_is_that_of_a_loop_over_points() -> None:
    rng = np.random.default_rng(0)
    maps = rng.random((3, 224, 224)) < 0.25
    boxes = [(20, 30, 160, 170), (-10, 5, 90, 230), (210, 210, 234, 229), (300, 300, 340, 350)]
    reference = torch.tensor(boxes, dtype=torch.float32).expand(3, 4, 4)
    result = make_term(64).log_weight({NAME: pack(maps)}, reference, UNUSED)
    assert result.shape == (3, 4)
    assert result.dtype == torch.float64
    for (b, boundary), (n, box) in itertools.product(enumerate(maps), enumerate(boxes)):
        hits = sum(bool(boundary[y, x]) for x, y in exact_pixels(box, 64) if 0 <= x < 224 and 0 <= y < 224)
        assert result[b, n].item() == pytest.approx(math.log(hits / 64 + 1e-3), rel=1e-12)


def test_a_border_on_a_boundary_has_all_its_points() -> None:
    ring = np.zeros((1, 224, 224), dtype=bool)
    ring[0, 50:150, 40:140] = True
    ring[0, 51:149, 41:139] = False
    reference = torch.tensor([[[40.0, 50, 140, 150], [41, 51, 139, 149], [-60, 50, 140, 150]]])
    share = make_term().log_weight({NAME: pack(ring)}, reference, UNUSED).exp() - 1e-3
    assert share[0, 0].item() == pytest.approx(1)
    assert share[0, 1].item() == pytest.approx(0)
    assert 0.3 < share[0, 2].item() < 0.7


def test_points_outside_the_frame_count_nothing() -> None:
    full = np.ones((1, 224, 224), dtype=bool)
    reference = torch.tensor([[[0.0, 0, 224, 224], [-1, -1, 225, 225], [112, 0, 336, 224]]])
    share = make_term().log_weight({NAME: pack(full)}, reference, UNUSED).exp() - 1e-3
    assert share[0].tolist() == pytest.approx([1, 0, 0.5], abs=0.01)


def test_a_row_is_the_same_bit_for_bit_in_any_batch() -> None:
    rng = np.random.default_rng(1)
    packed = pack(rng.random((9, 224, 224)) < 0.25)
    generator = torch.Generator().manual_seed(0)
    corner = torch.rand(9, 625, 2, generator=generator) * 120
    reference = torch.cat([corner, corner + 8 + torch.rand(9, 625, 2, generator=generator) * 100], dim=-1)
    together = make_term().log_weight({NAME: packed}, reference, UNUSED)
    for b in range(9):
        alone = make_term().log_weight({NAME: packed[b : b + 1]}, reference[b : b + 1], UNUSED)
        assert torch.equal(alone[0], together[b])
        single = make_term().log_weight({NAME: packed[b : b + 1]}, reference[b : b + 1, 7:8], UNUSED)
        assert torch.equal(single[0, 0], together[b, 7])


def test_prepare_finds_the_edge_of_an_object_and_packs_it() -> None:
    image = torch.zeros(3, 224, 224, dtype=torch.uint8)
    image[:, 60:160, 70:150] = 255
    packed = make_term().prepare({"image": image})
    assert packed.shape == (224 * 224 // 8,)
    assert packed.dtype == np.uint8
    boundary = unpack_boundaries(torch.from_numpy(packed)[None])
    assert boundary.shape == (1, 224, 224)
    assert set(boundary.unique().tolist()) == {0, 1}
    assert boundary[0, 65:155, 70].float().mean() > 0.95
    reference = torch.tensor([[[70.0, 60, 150, 160], [78, 68, 142, 152]]])
    on, inside = make_term().log_weight({NAME: torch.from_numpy(packed)[None]}, reference, UNUSED)[0].tolist()
    assert on > inside
    assert math.exp(on) > 0.9


def test_boundaries_are_those_of_the_superpixels_of_the_bytes() -> None:
    rows, columns = torch.meshgrid(torch.arange(224), torch.arange(224), indexing="ij")
    waves = [(rows / 9).sin() * (columns / 13).cos(), (columns / 7).sin(), ((rows + columns) / 11).cos()]
    image = torch.stack(waves).mul(100).add(128).to(torch.uint8)
    for iterations in (1, 10):
        term = SuperpixelBoundaryTerm(points=200, segments=200, compactness=10.0, iterations=iterations)
        label = slic(image.permute(1, 2, 0).numpy(), n_segments=200, max_num_iter=iterations, start_label=1)
        np.testing.assert_array_equal(term.prepare({"image": image}), np.packbits(edges(label), bitorder="little"))


def edges(label: NDArray[np.int_]) -> NDArray[np.bool_]:
    """Say which pixels have one of another label to the left, to the right, above or below."""
    found = np.zeros(label.shape, dtype=bool)
    for line, mark in ((label, found), (label.T, found.T)):
        differs = line[1:] != line[:-1]
        mark[1:] |= differs
        mark[:-1] |= differs
    return found


def test_prepare_gives_the_same_from_any_thread() -> None:
    generator = torch.Generator().manual_seed(0)
    images = [torch.randint(0, 256, (3, 224, 224), dtype=torch.uint8, generator=generator) for _ in range(4)]
    term = make_term()
    with ThreadPoolExecutor(4) as pool:
        threaded = list(pool.map(lambda image: term.prepare({"image": image}), images))
    for image, packed in zip(images, threaded, strict=True):
        np.testing.assert_array_equal(packed, term.prepare({"image": image}))


@pytest.mark.shared
def test_about_a_quarter_of_a_real_image_is_boundary(duts: Path) -> None:
    cv2 = pytest.importorskip("cv2")
    term, shares = make_term(), []
    for name in (duts / "val.txt").read_text().split()[:24]:
        pixels = cv2.imread(str(duts / "images" / f"{name}.jpg"))[..., ::-1]
        frame = np.ascontiguousarray(cv2.resize(pixels, (224, 224), interpolation=cv2.INTER_AREA).transpose(2, 0, 1))
        packed = torch.from_numpy(term.prepare({"image": torch.from_numpy(frame)}))
        shares.append(unpack_boundaries(packed[None]).float().mean().item())
    assert np.mean(shares) == pytest.approx(0.25, abs=0.02)
