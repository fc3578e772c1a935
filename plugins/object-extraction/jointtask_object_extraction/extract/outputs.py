"""The files that `jointtask extract` makes of one image: what they are called, and what is in them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from jointtask_object_extraction.extract.result import Cutout
from jointtask_object_extraction.extract.style import FORMATS, LONGEST, Style, compose, encode_picture

__all__ = ["DEFAULT", "ENDINGS", "Outputs", "encode", "encode_labels"]

ENDINGS: Mapping[str, str] = {
    "masks": "-mask.png",
    "cutouts": "-cutout",  # and the ending of its format
    "boxes": "-box.json",
    "overlays": "-overlay.jpg",
    "probability": "-probability.png",
    "uncertainty": "-uncertainty.png",
}
"""What is added to an image's stem, by kind of output."""

DEFAULT = ("masks", "cutouts", "boxes", "overlays")
"""The kinds that are written if none are named."""

_LABELS = "-labels.png"
_VERMILION, _SKY = (213, 94, 0), (86, 180, 233)  # Okabe and Ito


@frozen
class Outputs:
    """Which files one call writes for each image.

    Attributes
    ----------
    kinds : tuple of str
        Keys of `ENDINGS`.
    suffix : str
        Ending of cut-outs, with its dot.
    objects : int
        Largest number of objects of an image; above 1, the files carry the object's number, and a map of labels is
        written after all others.
    """

    kinds: tuple[str, ...]
    suffix: str = ".png"
    objects: int = 1

    def path(self, folder: Path, name: Path, kind: str, number: int = 1) -> Path:
        """Return where one output goes, for an image called `name`: its path below `folder`, without suffix."""
        numbered = f"{name.name}-{number}" if self.objects > 1 else name.name
        ending = ENDINGS[kind] + (self.suffix if kind == "cutouts" else "")
        return folder / name.parent / (numbered + ending)

    def labels(self, folder: Path, name: Path) -> Path:
        """Return where the map of labels goes."""
        return folder / name.parent / (name.name + _LABELS)

    def paths(self, folder: Path, name: Path) -> list[Path]:
        """Return all files that may be written for an image."""
        numbers = range(1, self.objects + 1)
        paths = [self.path(folder, name, kind, number) for number in numbers for kind in self.kinds]
        return [*paths, self.labels(folder, name)] if self.objects > 1 else paths

    def every(self, folder: Path, name: Path) -> list[Path]:
        """Return all files that an earlier call may have written for an image, with other options too."""
        calls = [
            Outputs(tuple(ENDINGS), suffix, objects) for suffix in FORMATS.values() for objects in {1, self.objects}
        ]
        return [path for call in calls for path in call.paths(folder, name)]

    def done(self, folder: Path, name: Path) -> bool:
        """Say whether an earlier call has written all files of an image."""
        last = [self.labels(folder, name)] if self.objects > 1 else self.paths(folder, name)
        return all(os.path.lexists(path) for path in last)


def encode(kind: str, cutout: Cutout, style: Style, suffix: str = ".png") -> bytes:
    """Encode one output.

    Parameters
    ----------
    kind : str
        "masks": the object's opacity as an 8-bit grey PNG, 128 and above on the object. "cutouts": the object on the
        background of the style, or on nothing. "boxes": JSON with the image's name, its size (W, H), the tight box of
        the mask, null without an object, and the score. "overlays": a JPEG of the image with mask and box drawn on it,
        reduced to what a JPEG can hold. "probability", "uncertainty": 8-bit grey PNGs, 255 for 1.
    cutout : Cutout
        Object that was cut out.
    style : Style
        Look of the cut-out.
    suffix : str
        Ending of the cut-out.

    Returns
    -------
    bytes
        The content of the file.

    Raises
    ------
    DataError
        If the format cannot hold an image of this size.
    """
    if kind == "cutouts":
        return encode_picture(suffix, compose(cutout, style))
    return _ENCODERS[kind](cutout)


def encode_labels(cutouts: Sequence[Cutout]) -> bytes:
    """Encode which object each pixel belongs to: an 8-bit grey PNG, 0 for none, then 1, 2, ..."""
    labels = np.zeros(cutouts[0].photograph.image.shape[:2], dtype=np.uint8)
    for number, cutout in enumerate(cutouts, start=1):
        labels[cutout.mask & (labels == 0)] = number
    return encode_picture(".png", labels)


def _mask(cutout: Cutout) -> bytes:
    return encode_picture(".png", _grey(cutout.alpha))


def _probability(cutout: Cutout) -> bytes:
    return encode_picture(".png", _grey(cutout.probability))


def _uncertainty(cutout: Cutout) -> bytes:
    return encode_picture(".png", _grey(cutout.uncertainty))


def _box(cutout: Cutout) -> bytes:
    photograph = cutout.photograph
    height, width = photograph.image.shape[:2]
    box = None if cutout.box is None else list(cutout.box)
    record = {"image": photograph.id, "size": [width, height], "box": box, "score": round(cutout.score, 4)}
    return (json.dumps(record) + "\n").encode()


def _overlay(cutout: Cutout) -> bytes:
    mask, image = cutout.mask, cutout.photograph.image
    drawn = np.where(mask[..., None], image, image // 3)
    height, width = mask.shape
    thickness = max(1, round(min(height, width) / 200))
    outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    cv2.drawContours(drawn, outlines, -1, _SKY, thickness)
    if cutout.box is not None:
        x1, y1, x2, y2 = cutout.box
        cv2.rectangle(drawn, (x1, y1), (x2 - 1, y2 - 1), _VERMILION, thickness)
    longest = LONGEST[".jpg"]
    if max(height, width) > longest:
        scale = longest / max(height, width)
        size = max(1, int(width * scale)), max(1, int(height * scale))
        drawn = np.asarray(cv2.resize(drawn, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    return encode_picture(".jpg", drawn)


def _grey(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    # 0.5 becomes 128, so the picture thresholded at 128 is the map thresholded at 0.5.
    return np.rint(values * 255).astype(np.uint8)


_ENCODERS: Mapping[str, Callable[[Cutout], bytes]] = {
    "masks": _mask,
    "boxes": _box,
    "overlays": _overlay,
    "probability": _probability,
    "uncertainty": _uncertainty,
}
