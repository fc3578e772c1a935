"""From a photograph and options to what is sent back; runs in a thread."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping
from typing import Any

from jointtask_object_extraction.extract.cutter import Cutter
from jointtask_object_extraction.extract.outputs import encode
from jointtask_object_extraction.extract.result import Cutout
from jointtask_object_extraction.serve.options import Wanted

__all__ = ["TYPES", "answer"]

TYPES = {".png": "image/png", ".webp": "image/webp", ".jpg": "image/jpeg"}
"""Media types of pictures."""

_KINDS = {"mask": "masks", "probability": "probability", "uncertainty": "uncertainty", "overlay": "overlays"}


def answer(cutter: Cutter, content: bytes, wanted: Wanted) -> tuple[bytes, str, Mapping[str, str]]:
    """Cut out of a photograph.

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
    cutout = cutter(content, box=wanted.box, point=wanted.point)
    facts = _facts(cutout)
    if wanted.output in ("json", "all"):
        if wanted.output == "all":
            facts |= {
                name: _url(*_picture(cutout, wanted, name)) for name in ("cutout", "mask", "uncertainty", "overlay")
            }
        return json.dumps(facts).encode(), "application/json", {}
    body, media = _picture(cutout, wanted, wanted.output)
    return body, media, {"X-Object": json.dumps(facts)}


def _facts(cutout: Cutout) -> dict[str, Any]:
    height, width = cutout.photograph.image.shape[:2]
    box = None if cutout.box is None else list(cutout.box)
    return {"size": [width, height], "box": box, "score": round(cutout.score, 4), "note": cutout.note}


def _picture(cutout: Cutout, wanted: Wanted, output: str) -> tuple[bytes, str]:
    if output == "cutout":
        return encode("cutouts", cutout, wanted.style, wanted.suffix), TYPES[wanted.suffix]
    return encode(_KINDS[output], cutout, wanted.style), "image/jpeg" if output == "overlay" else "image/png"


def _url(body: bytes, media: str) -> str:
    return f"data:{media};base64,{b64encode(body).decode()}"
