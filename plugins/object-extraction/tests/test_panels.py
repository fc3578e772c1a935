from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import pytest
import torch
from jointtask_object_extraction.panels import TILE, draw
from jointtask_object_extraction.photograph import FRAME, Extraction, Photograph
from numpy.typing import NDArray

from jointtask.api import PanelData, PanelExample

VERMILION, SKY, YELLOW, BLUE = (213, 94, 0), (86, 180, 233), (240, 228, 66), (0, 114, 178)
BOX = (56.0, 84.0, 140.0, 196.0)  # frame units


def example(
    size: tuple[int, int] = (300, 400), *, annotated: bool = True, adjusted: bool = True, superpixels: bool = True
) -> PanelExample:
    """Return a grey photograph of (rows, columns) whose object fills BOX, predicted 20 frame units too far right."""
    rows, cols = size
    image = np.full((rows, cols, 3), 128, dtype=np.uint8)
    mask = np.zeros((rows, cols), dtype=bool)
    x1, y1, x2, y2 = (round(v * side / FRAME) for v, side in zip(BOX, (cols, rows, cols, rows), strict=True))
    mask[y1:y2, x1:x2] = True
    probability = np.roll(mask, round(20 * cols / FRAME), axis=1).astype(np.float32)
    batch = {"image": torch.full((1, 3, FRAME, FRAME), 128, dtype=torch.uint8)}
    if superpixels:
        boundary = np.zeros((FRAME, FRAME), dtype=np.uint8)
        boundary[:, FRAME // 4] = 1
        batch["superpixel-boundary"] = torch.from_numpy(np.packbits(boundary.ravel())[None])
    return PanelExample(
        example=Photograph("a-photograph", image, mask if annotated else None),
        batch=batch,
        predicted=torch.tensor(BOX) + torch.tensor([20.0, 0.0, 20.0, 0.0]),
        base=torch.tensor(BOX) if adjusted else None,
        estimate=torch.tensor(BOX) + torch.tensor([-10.0, -10.0, 10.0, 10.0]) if adjusted else None,
        prediction=Extraction(probability, None),
        scores={"J": "50.00 %", "P": "90.00 %"},
    )


def sheet(fixed: Sequence[PanelExample] = (), worst: Sequence[PanelExample] = ()) -> NDArray[np.uint8]:
    (panel,) = draw(PanelData(fixed, worst, "iou"))
    decoded = cv2.imdecode(np.frombuffer(panel.png, dtype=np.uint8), cv2.IMREAD_COLOR)
    assert decoded is not None
    return np.asarray(decoded[..., ::-1], dtype=np.uint8)


def tile(picture: NDArray[np.uint8], column: int, size: tuple[int, int] = (150, 200)) -> NDArray[np.uint8]:
    """Return a tile of the first row, (rows, columns, 3)."""
    left = 8 + column * (TILE + 8)
    return picture[46 : 46 + size[0], left : left + size[1]]


def extent(picture: NDArray[np.uint8], colour: tuple[int, int, int]) -> tuple[float, float, float, float]:
    """Return x1, y1, x2, y2 of the pixels of a colour."""
    found = np.abs(picture.astype(int) - colour).max(axis=2) <= 12
    ys, xs = np.nonzero(found)
    return xs.min(), ys.min(), xs.max() + 1, ys.max() + 1


@pytest.mark.parametrize(
    ("colour", "move"),
    [(VERMILION, (20, 0, 20, 0)), (SKY, (0, 0, 0, 0)), (YELLOW, (-10, -10, 10, 10))],
    ids=["predicted", "before adjustment", "after adjustment"],
)
def test_boxes_lie_where_they_are(colour: tuple[int, int, int], move: tuple[float, ...]) -> None:
    expected = [(v + m) * side / FRAME for v, m, side in zip(BOX, move, (200, 150, 200, 150), strict=True)]
    assert extent(tile(sheet([example()]), 0), colour) == pytest.approx(expected, abs=4)  # dashes end in gaps


def test_tiles_show_superpixels_masks_and_difference() -> None:
    picture = sheet([example()])
    superpixels, annotated, predicted, difference = (tile(picture, k) for k in (1, 2, 3, 4))
    edge = round(TILE / 4)
    assert superpixels[5, edge - 1 : edge + 2].max() > 150 > superpixels[5, 20].max()
    white = (255, 255, 255)
    x1, y1, x2, y2 = (v * side / FRAME for v, side in zip(BOX, (200, 150, 200, 150), strict=True))
    shift = 20 * TILE / FRAME
    assert extent(annotated, white) == pytest.approx((x1, y1, x2, y2), abs=2)
    assert extent(predicted, white) == pytest.approx((x1 + shift, y1, x2 + shift, y2), abs=2)
    assert extent(difference, white) == pytest.approx((x1 + shift, y1, x2, y2), abs=2)
    assert extent(difference, BLUE) == pytest.approx((x1, y1, x1 + shift, y2), abs=2)
    assert extent(difference, VERMILION) == pytest.approx((x2, y1, x2 + shift, y2), abs=2)


def test_superpixels_have_a_column_only_where_they_were_made() -> None:
    assert sheet([example()]).shape[1] - sheet([example(superpixels=False)]).shape[1] == TILE + 8


def test_without_annotation_or_adjustment() -> None:
    picture = sheet([example(annotated=False, adjusted=False, superpixels=False)])
    assert (tile(picture, 1) == 225).all()
    assert (tile(picture, 3) == 225).all()
    boxes = tile(picture, 0)
    assert extent(boxes, VERMILION)
    assert not (np.abs(boxes.astype(int) - YELLOW).max(axis=2) <= 12).any()


@pytest.mark.parametrize("size", [(1200, 300), (40, 50), (1, 500)], ids=["tall", "small", "a line"])
def test_any_shape_fits_its_tile(size: tuple[int, int]) -> None:
    rows = max(1, round(TILE * size[0] / max(size)))
    assert sheet(worst=[example(size)]).shape[0] == 46 + rows + 22 + 8


def test_a_box_beyond_the_frame_stays_in_its_tile() -> None:
    item = example(superpixels=False)
    far = PanelExample(
        item.example, item.batch, torch.tensor([-500.0, -500.0, 900.0, 900.0]), None, None, item.prediction, {}
    )
    lost = PanelExample(item.example, item.batch, torch.full((4,), torch.nan), None, None, item.prediction, {})
    picture = sheet([far, lost])
    assert not (np.abs(picture[46:].astype(int) - VERMILION).max(axis=2) <= 12)[:, : 8 + TILE].any()


def test_names_are_written_as_they_are() -> None:
    item = example()
    odd = Photograph("$x_$ \u5199\u771f\n\\frac{" + "z" * 300, item.example.image, item.example.mask)
    assert sheet([PanelExample(odd, item.batch, item.predicted, None, None, item.prediction, item.scores)]).size


def test_captions_say_how_to_read_them() -> None:
    training, worst, best = draw(PanelData([example()], [example()], "iou", [example()]))
    assert "superpixel" in training.caption
    assert "vermilion" in training.caption
    assert "iou" in worst.title
    assert "worst first" in worst.caption
    assert "best first" in best.caption
    assert best.title == "Best cases by iou"
    assert draw(PanelData([], [], "")) == []


def test_the_cut_out_shows_the_object_and_no_ground() -> None:
    item = example(superpixels=False)
    cut = tile(sheet(worst=[item]), 4)
    probability = cv2.resize(item.prediction.probability, cut.shape[1::-1], interpolation=cv2.INTER_AREA)
    assert np.abs(cut[probability == 1].astype(int) - 128).max() <= 4
    assert np.abs(cut[probability == 0].astype(int) - 200).max() <= 4


def test_same_bytes_and_few() -> None:
    random = np.random.default_rng(0)
    items = []
    for k in range(6):
        item = example()
        noise = cv2.resize(random.integers(0, 256, (40, 60, 3), dtype=np.uint8), (400, 300))  # as busy as a photograph
        shown = Photograph(f"photograph {k}", np.asarray(noise, dtype=np.uint8), item.example.mask)
        items.append(PanelExample(shown, item.batch, item.predicted, item.base, item.estimate, item.prediction, {}))
    once, again = (draw(PanelData(items, items, "iou")) for _ in range(2))
    assert [panel.png for panel in once] == [panel.png for panel in again]
    assert sum(len(panel.png) for panel in once) < 2_000_000
