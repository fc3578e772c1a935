"""Colours as a viewer shows them: converted to sRGB by the profile that an image carries."""

from __future__ import annotations

import io
from functools import lru_cache
from typing import Any

from PIL import Image, ImageCms

__all__ = ["BROKEN", "CONVERTED", "to_srgb"]

CONVERTED = "colours converted to sRGB by the image's profile"
BROKEN = "colour profile that cannot be used, ignored"

_MODES = {"RGB ": "RGB", "GRAY": "L", "CMYK": "CMYK"}
"""Pillow's mode for the colour space of a profile."""


def to_srgb(image: Image.Image, profile: bytes | None) -> tuple[Image.Image, str]:
    """Convert an image to RGB, in sRGB where a profile says what its colours mean.

    Parameters
    ----------
    image : PIL.Image.Image
        Image without transparency.
    profile : bytes or None
        ICC profile of the image. One of sRGB changes nothing; one that is broken, or of another colour space than the
        image's, is ignored.

    Returns
    -------
    image : PIL.Image.Image
        The image in mode RGB.
    note : str
        `CONVERTED`, `BROKEN`, or "" where no profile mattered.
    """
    if profile is None:
        return image.convert("RGB"), ""
    try:
        mode, transform = _transform(profile)
        if transform is None:
            return image.convert("RGB"), ""
        if (mode == "CMYK") != (image.mode == "CMYK") or (mode == "L" and image.mode not in ("1", "L", "LA")):
            return image.convert("RGB"), BROKEN
        converted = ImageCms.applyTransform(image.convert(mode), transform)
    except Exception:  # LittleCMS and Pillow raise many things at a broken profile, and none concerns the pixels
        return image.convert("RGB"), BROKEN
    return (converted, CONVERTED) if converted is not None else (image.convert("RGB"), BROKEN)


@lru_cache(maxsize=8)
def _transform(profile: bytes) -> tuple[str, Any]:
    """Return the mode of images that a profile applies to, and the conversion to sRGB; None for one of sRGB."""
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    mode = _MODES[source.profile.xcolor_space]
    if mode == "RGB" and "srgb" in (source.profile.profile_description or "").lower():
        return mode, None
    return mode, ImageCms.buildTransform(
        source,
        ImageCms.createProfile("sRGB"),
        mode,
        "RGB",
        ImageCms.Intent.RELATIVE_COLORIMETRIC,
        ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )
