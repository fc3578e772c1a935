"""How a cut-out is shown: its background, crop, size and format."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from jointtask.api import ConfigError, DataError
from jointtask_object_extraction.extract.backdrop import Backdrop

if TYPE_CHECKING:
    from jointtask_object_extraction.extract.result import Cutout

__all__ = ["FORMATS", "LONGEST", "Style", "compose", "encode_picture"]

FORMATS = {"png": ".png", "webp": ".webp", "jpg": ".jpg"}
"""Formats of cut-outs, and what their files end in."""

_QUALITY = {".jpg": [cv2.IMWRITE_JPEG_QUALITY, 92], ".webp": [cv2.IMWRITE_WEBP_QUALITY, 92]}

LONGEST = {".png": 1_000_000, ".webp": 16_383, ".jpg": 65_500}
"""Longest side that each format can hold, in pixels: asked before OpenCV is, which would print a line of its own."""


@frozen(kw_only=True)
class Style:
    """How a cut-out is shown.

    Attributes
    ----------
    background : callable or None
        Background behind the object, from `parse_background`; None for transparency.
    crop : bool
        Whether the picture is cut to the object.
    margin : float
        Margin around the object where it is cropped, as a share of its box's longer side.
    max_side : int
        Longer side of the picture at most, in pixels; 0 for no limit.
    """

    background: Backdrop | None = None
    crop: bool = False
    margin: float = 0.0
    max_side: int = 0

    def require(self, suffix: str) -> str:
        """Return the ending of a file, if a cut-out of this style can be written with it.

        Raises
        ------
        ConfigError
            If it cannot.
        """
        suffix = ".jpg" if suffix == ".jpeg" else suffix
        if suffix not in FORMATS.values():
            raise ConfigError(f"cut-outs end in {', '.join(FORMATS.values())}, not in '{suffix}'")
        if suffix == ".jpg" and self.background is None:
            raise ConfigError(
                "a JPEG cannot be transparent", remedy="choose a background, such as white, or the format png or webp"
            )
        return suffix


def compose(cutout: Cutout, style: Style) -> NDArray[np.uint8]:
    """Return a cut-out as a style shows it: (H, W, 4) RGBA, or (H, W, 3) RGB with a background."""
    rgba = cutout.cutout
    height, width = rgba.shape[:2]
    x1, y1, x2, y2 = _window(cutout.box, width, height, style.margin) if style.crop else (0, 0, width, height)
    part = rgba[y1:y2, x1:x2]
    size = _size(x2 - x1, y2 - y1, style.max_side)
    if style.background is None:
        return _resize_rgba(part, size)
    behind = style.background(cutout.photograph.image, cutout.alpha)[y1:y2, x1:x2]
    alpha = part[..., 3:].astype(np.float32) / np.float32(255)
    mixed = np.rint(alpha * part[..., :3] + (1 - alpha) * behind).astype(np.uint8)
    return _resize(mixed, size)


def encode_picture(suffix: str, picture: NDArray[np.uint8]) -> bytes:
    """Encode a grey, RGB or RGBA picture by the ending of its file.

    Raises
    ------
    DataError
        If the format cannot hold it.
    """
    if picture.ndim == 3:
        order = [2, 1, 0, 3] if picture.shape[2] == 4 else [2, 1, 0]
        picture = picture[..., order]
    height, width = picture.shape[:2]
    if max(height, width) > LONGEST[suffix]:
        raise DataError(
            f"a {suffix[1:]} file cannot hold {width} x {height} pixels",
            cause=f"its longest side is {LONGEST[suffix]:,} pixels",
            remedy="choose another --format, or a smaller --max-side",
        )
    try:
        _, content = cv2.imencode(suffix, np.ascontiguousarray(picture), _QUALITY.get(suffix, []))
    except cv2.error as error:
        raise DataError(f"a {suffix[1:]} file cannot hold the picture", cause=error.err) from error
    return bytes(content.tobytes())


def _window(box: tuple[int, int, int, int] | None, width: int, height: int, margin: float) -> tuple[int, int, int, int]:
    """Return the box with its margin, inside the photograph; all of the photograph without a box."""
    if box is None:
        return 0, 0, width, height
    x1, y1, x2, y2 = box
    more = round(margin * max(x2 - x1, y2 - y1))
    return max(0, x1 - more), max(0, y1 - more), min(width, x2 + more), min(height, y2 + more)


def _size(width: int, height: int, max_side: int) -> tuple[int, int]:
    scale = min(1.0, max_side / max(width, height)) if max_side else 1.0
    return max(1, round(width * scale)), max(1, round(height * scale))


def _resize(picture: NDArray[Any], size: tuple[int, int]) -> NDArray[Any]:
    same = picture.shape[1::-1] == size
    return picture if same else np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA))


def _resize_rgba(picture: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Resize with colours weighted by opacity, so that nothing bleeds in from where it is transparent."""
    if picture.shape[1::-1] == size:
        return picture
    alpha = picture[..., 3:].astype(np.float32)
    small = _resize(np.dstack([picture[..., :3] * (alpha / 255), alpha]), size)
    colours = small[..., :3] * (255 / np.maximum(small[..., 3:], 1e-3))
    return np.asarray(np.rint(np.dstack([colours, small[..., 3:]]).clip(0, 255)), dtype=np.uint8)
