"""The files that `jointtask extract` makes of one image, and how each is encoded."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from jointtask.api import DataError
from jointtask_object_extraction.photograph import Extraction, Photograph

__all__ = ["ENDINGS", "encode", "output_path"]

ENDINGS: Mapping[str, str] = {
    "masks": "-mask.png",
    "cutouts": "-cutout.png",
    "boxes": "-box.json",
    "overlays": "-overlay.jpg",
}
"""What is added to an image's stem, by kind of output."""

_ROUNDING = 1e-3
"""What float32 may add to a side that is a whole number of pixels, and more."""

_VERMILION, _SKY = (213, 94, 0), (86, 180, 233)  # Okabe and Ito


def output_path(folder: Path, name: Path, kind: str) -> Path:
    """Return where the output of a kind goes, for an image called `name`: its path below `folder`, without suffix."""
    return folder / name.parent / (name.name + ENDINGS[kind])


def encode(kind: str, photograph: Photograph, extraction: Extraction) -> bytes:
    """Encode one output.

    Parameters
    ----------
    kind : str
        "masks": the probability as an 8-bit grey PNG, 128 and above on the object. "cutouts": an RGBA PNG with the
        image's own colours, the mask as alpha, and nothing left of the image where alpha is 0. "boxes": JSON with the
        image's name, its size (W, H), and the box by `round_box`, null if there is none. "overlays": a JPEG of the
        image with mask and box drawn on it.
    photograph : Photograph
        The image, (H, W, 3).
    extraction : Extraction
        What was extracted from it, (H, W).

    Returns
    -------
    bytes
        The content of the file, at the image's own size.

    Raises
    ------
    DataError
        If the format cannot hold an image of this size.
    """
    return _ENCODERS[kind](photograph, extraction)


def round_box(box: NDArray[np.floating], width: int, height: int) -> list[int]:
    """Return the least half-open box (x1, y1, x2, y2) of whole pixels of the image that holds the box."""
    x1, y1 = np.floor(box[:2] + _ROUNDING).clip(0, [width - 1, height - 1])
    x2, y2 = np.ceil(box[2:] - _ROUNDING).clip([x1 + 1, y1 + 1], [width, height])
    return [int(x1), int(y1), int(x2), int(y2)]


def _mask(photograph: Photograph, extraction: Extraction) -> bytes:
    return _picture(".png", _alpha(extraction))


def _cutout(photograph: Photograph, extraction: Extraction) -> bytes:
    alpha = _alpha(extraction)
    cutout = np.dstack([photograph.image[..., ::-1], alpha])
    cutout[alpha == 0] = 0
    return _picture(".png", cutout)


def _box(photograph: Photograph, extraction: Extraction) -> bytes:
    height, width = photograph.image.shape[:2]
    box = None if extraction.box is None else round_box(extraction.box, width, height)
    return (json.dumps({"image": photograph.id, "size": [width, height], "box": box}) + "\n").encode()


def _overlay(photograph: Photograph, extraction: Extraction) -> bytes:
    mask = extraction.probability >= 0.5
    drawn = np.where(mask[..., None], photograph.image, photograph.image // 3)
    height, width = mask.shape
    thickness = max(1, round(min(height, width) / 200))
    outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    cv2.drawContours(drawn, outlines, -1, _SKY, thickness)
    if extraction.box is not None:
        x1, y1, x2, y2 = round_box(extraction.box, width, height)
        cv2.rectangle(drawn, (x1, y1), (x2 - 1, y2 - 1), _VERMILION, thickness)
    return _picture(".jpg", drawn[..., ::-1])


def _alpha(extraction: Extraction) -> NDArray[np.uint8]:
    # 0.5 becomes 128, so the mask thresholded at 128 is the mask thresholded at 0.5.
    return np.rint(extraction.probability * 255).astype(np.uint8)


def _picture(suffix: str, pixels: NDArray[np.uint8]) -> bytes:
    try:
        done, content = cv2.imencode(suffix, np.ascontiguousarray(pixels))
    except cv2.error as error:
        raise DataError(f"cannot be encoded as {suffix}", cause=error.err) from error
    if not done:
        height, width = pixels.shape[:2]
        raise DataError(f"cannot be encoded as {suffix}", cause=f"the image has {width} x {height} pixels")
    return content.tobytes()


_ENCODERS: Mapping[str, Callable[[Photograph, Extraction], bytes]] = {
    "masks": _mask,
    "cutouts": _cutout,
    "boxes": _box,
    "overlays": _overlay,
}
