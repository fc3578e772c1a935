"""The graph's resampling against OpenCV's and the bridge's."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from jointtask_object_extraction.bridge.crop import crop
from jointtask_object_extraction.data.decode import squash
from jointtask_object_extraction.export.resample import crop_one, squash_bytes
from jointtask_object_extraction.photograph import FRAME

SIDES = (1, 2, 3, 17, 100, 112, 150, 214, 223, 224, 225, 300, 320, 447, 448, 449, 500, 672, 896, 1344)


@pytest.mark.parametrize("height", SIDES)
def test_a_photograph_of_any_size_is_squashed_to_the_same_bytes(height: int) -> None:
    random = np.random.default_rng(height)
    for width in random.choice(SIDES, 6):
        image = random.integers(0, 256, (height, int(width), 3), dtype=np.uint8)
        for photograph in (image, cv2.GaussianBlur(image, (0, 0), 2)):
            ours = squash_bytes(torch.from_numpy(photograph), FRAME).permute(1, 2, 0).numpy()
            assert np.array_equal(ours, squash(photograph)), (height, width)


@pytest.mark.parametrize(
    "box",
    [(0, 0, 224, 224), (10.3, 20.7, 90.1, 200), (100, 100, 108, 108), (-30, -5, 60, 300), (200.5, 3, 260, 11.2)],
)
@pytest.mark.parametrize("size", [55, 64, 224, 300])
def test_a_box_is_cropped_as_the_bridge_crops_it(box: tuple[float, ...], size: int) -> None:
    frame = torch.randint(0, 256, (3, FRAME, FRAME), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    boxes = torch.tensor(box, dtype=torch.float32)
    theirs = crop(frame[None], boxes[None, None], size)
    torch.testing.assert_close(crop_one(frame.float(), boxes, size), theirs, rtol=1e-5, atol=1e-3)
