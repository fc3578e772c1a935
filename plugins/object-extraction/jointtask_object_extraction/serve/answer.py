"""From a photograph and options to what is sent back; runs in a thread."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping
from typing import Any

from jointtask_object_extraction.extract.cutter import Cutter
from jointtask_object_extraction.extract.outputs import encode, encode_labels
from jointtask_object_extraction.extract.result import Cutout
from jointtask_object_extraction.serve.options import Wanted

__all__ = ["TYPES", "answer"]

TYPES = {".png": "image/png", ".webp": "image/webp", ".jpg": "image/jpeg"}
"""Media types of pictures."""

_KINDS = {"mask": "masks", "probability": "probability", "uncertainty": "uncertainty", "overlay": "overlays"}


def answer(cutter: Cutter, content: bytes, wanted: Wanted) -> tuple[bytes, str, Mapping[str, str]]:
    """Cut one or several objects out of a photograph.

    Returns
    -------
    bytes
        The body.
    str
        Its media type.
    mapping of str to str
        Headers: box and score beside a picture.

    Raises
    ------
    UserError
        If the photograph cannot be read, or box or point lie outside of it.
    """
    if wanted.objects > 1:
        cutouts = cutter.objects(content, wanted.objects)
    else:
        cutouts = [cutter(content, box=wanted.box, point=wanted.point)]
    size = _size(cutouts[0])
    if wanted.output == "labels":
        return encode_labels(cutouts), "image/png", {}
    if wanted.output not in ("json", "all"):
        body, media = _picture(cutouts[0], wanted, wanted.output)
        return body, media, {"X-Object": json.dumps(size | _facts(cutouts[0]))}
    objects = []
    while cutouts:  # each leaves with its maps before the next is encoded
        objects.append(_described(cutouts.pop(0), wanted))
    described = size | ({"objects": objects} if wanted.objects > 1 else objects[0])
    return json.dumps(described).encode(), "application/json", {}


def _size(cutout: Cutout) -> dict[str, Any]:
    height, width = cutout.photograph.image.shape[:2]
    return {"size": [width, height]}


def _facts(cutout: Cutout) -> dict[str, Any]:
    box = None if cutout.box is None else list(cutout.box)
    return {"box": box, "score": round(cutout.score, 4), "note": cutout.note}


def _described(cutout: Cutout, wanted: Wanted) -> dict[str, Any]:
    """Return what is known of an object, with its pictures where all are wanted."""
    pictures = ("cutout", "mask", "uncertainty", "overlay") if wanted.output == "all" else ()
    return _facts(cutout) | {name: _url(*_picture(cutout, wanted, name)) for name in pictures}


def _picture(cutout: Cutout, wanted: Wanted, output: str) -> tuple[bytes, str]:
    if output == "cutout":
        return encode("cutouts", cutout, wanted.style, wanted.suffix), TYPES[wanted.suffix]
    return encode(_KINDS[output], cutout, wanted.style), "image/jpeg" if output == "overlay" else "image/png"


def _url(body: bytes, media: str) -> str:
    return f"data:{media};base64,{b64encode(body).decode()}"
