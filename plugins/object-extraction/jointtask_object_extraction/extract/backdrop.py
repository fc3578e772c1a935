"""What a cut-out is put on: nothing, a colour, the blurred photograph, or another picture."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from jointtask.api import ConfigError
from jointtask_object_extraction.data.decode import decode_image

__all__ = ["COLOURS", "Backdrop", "parse_background"]

Backdrop = Callable[[NDArray[np.uint8], NDArray[np.float32]], NDArray[np.uint8]]
"""Maps a photograph (H, W, 3) and the object's opacity (H, W) to the picture behind the object, (H, W, 3)."""

COLOURS = {"white": (255, 255, 255), "black": (0, 0, 0), "grey": (128, 128, 128), "green": (0, 177, 64)}
"""Colours that have a name; any other is written as #rrggbb."""

_BLUR = 0.02
"""Standard deviation of the blur, as a share of the photograph's longer side."""

_WORKING_SIDE = 1000
_LARGEST_PICTURE = 100_000_000


def parse_background(text: str) -> Backdrop | None:
    """Read a background as `--background` takes it; None for transparency.

    Parameters
    ----------
    text : str
        "none", a name of `COLOURS`, "#rgb" or "#rrggbb", "blur", or the path of a picture.

    Raises
    ------
    ConfigError
        If it is none of these.
    """
    if text == "none":
        return None
    if text == "blur":
        return _blur
    if text in COLOURS:
        return _plain(COLOURS[text])
    if text.startswith("#"):
        digits = text[1:] if len(text) != 4 else "".join(2 * digit for digit in text[1:])
        if not re.fullmatch(r"[0-9a-fA-F]{6}", digits):
            raise ConfigError(f"'{text}' is no colour", remedy="write it as #rrggbb, such as #ffcc00")
        return _plain(tuple(bytes.fromhex(digits)))
    if not Path(text).is_file():
        raise ConfigError(
            f"there is no background '{text}'",
            cause=f"it is neither none, blur, {', '.join(COLOURS)}, #rrggbb, nor a picture",
        )
    return _picture(decode_image(Path(text), _LARGEST_PICTURE))


def _plain(colour: tuple[int, ...]) -> Backdrop:
    return lambda image, alpha: np.full_like(image, colour)


def _blur(image: NDArray[np.uint8], alpha: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Blur the photograph without its object, so that no halo of its colours stays behind it."""
    height, width = alpha.shape
    scale = min(1.0, _WORKING_SIDE / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    outside = 1 - cv2.resize(alpha, size, interpolation=cv2.INTER_AREA)[..., None]
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    total: Any = np.zeros_like(small)
    weight: Any = np.zeros_like(outside)
    deviation = _BLUR * max(size)
    # Wide windows fill what the object leaves empty; narrow ones, which weigh more, decide elsewhere.
    for factor, trust in ((1.0, 1.0), (4.0, 1e-3), (16.0, 1e-6)):
        total += trust * _gauss(small * outside, factor * deviation)
        weight += trust * _gauss(outside, factor * deviation)
    blurred = cv2.resize(total / np.maximum(weight, 1e-12), (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(np.rint(blurred.clip(0, 255)), dtype=np.uint8)


def _gauss(values: Any, deviation: float) -> Any:
    blurred = cv2.GaussianBlur(values, (0, 0), deviation, borderType=cv2.BORDER_REPLICATE)
    return blurred if blurred.ndim == 3 else blurred[..., None]


def _picture(picture: NDArray[np.uint8]) -> Backdrop:
    """Scale a picture so that it covers the photograph, and cut off what stands out on both sides."""

    def cover(image: NDArray[np.uint8], alpha: NDArray[np.float32]) -> NDArray[np.uint8]:
        (height, width), (rows, columns) = image.shape[:2], picture.shape[:2]
        scale = max(height / rows, width / columns)
        kept_rows, kept_columns = min(rows, max(1, round(height / scale))), min(columns, max(1, round(width / scale)))
        top, left = (rows - kept_rows) // 2, (columns - kept_columns) // 2
        part = picture[top : top + kept_rows, left : left + kept_columns]
        method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        return np.asarray(cv2.resize(part, (width, height), interpolation=method), dtype=np.uint8)

    return cover
