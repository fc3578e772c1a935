"""The options of ``POST /extract``: how each is read, and how the interface describes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from attrs import frozen

from jointtask.api import ConfigError, did_you_mean
from jointtask_object_extraction.extract.backdrop import COLOURS, parse_background
from jointtask_object_extraction.extract.prompts import parse_box, parse_point
from jointtask_object_extraction.extract.style import FORMATS, Style

__all__ = ["OPTIONS", "OUTPUTS", "SEVERAL", "Option", "Wanted", "read_options"]

OUTPUTS = ("cutout", "mask", "probability", "uncertainty", "overlay", "labels", "json", "all")
"""What a request may ask for: a picture, the box and score as JSON, or JSON with all pictures in it."""

SEVERAL = ("labels", "json", "all")
"""What a request for several objects may ask for: the other outputs are pictures of one object."""

_MOST_OBJECTS = 8
"""Objects of one request at most: each has maps of the photograph's size in memory."""

_LONGEST = 20_000


@frozen
class Wanted:
    """What one request asks for.

    Attributes
    ----------
    output : str
        Output wanted: one of `OUTPUTS`.
    box, point : tuple of float or None
        Position of the object, in pixels of the photograph.
    objects : int
        Number of objects at most.
    style : Style
        Look of the cut-out.
    suffix : str
        Ending of the cut-out's format.
    """

    output: str
    box: tuple[float, float, float, float] | None
    point: tuple[float, float] | None
    objects: int
    style: Style
    suffix: str


@frozen
class Option:
    """One option: how its text is read, its JSON schema, and what it means."""

    read: Callable[[str], Any]
    schema: Mapping[str, Any]
    meaning: str


def _choice(*values: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in values:
            raise ConfigError(f"must be one of {', '.join(values)}, got '{text}'")
        return text

    return read


def _number(kind: type, low: float, high: float) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        try:
            value = kind(text)
        except ValueError:
            value = None
        if value is None or not low <= value <= high:
            raise ConfigError(f"must be a number from {low} to {high}, got '{text}'")
        return value

    return read


def _switch(text: str) -> bool:
    if text.lower() not in ("true", "false", "1", "0", "on", "off"):
        raise ConfigError(f"must be true or false, got '{text}'")
    return text.lower() in ("true", "1", "on")


def _background(text: str) -> Any:
    # A picture's path would let anybody who reaches the server look at its files.
    if text not in ("none", "blur", *COLOURS) and not text.startswith("#"):
        raise ConfigError(f"must be none, blur, {', '.join(COLOURS)} or #rrggbb, got '{text}'")
    return parse_background(text)


OPTIONS: Mapping[str, Option] = {
    "output": Option(
        _choice(*OUTPUTS), {"type": "string", "enum": list(OUTPUTS), "default": "cutout"}, "what comes back"
    ),
    "box": Option(
        lambda text: parse_box(text.split(","), f"box {text}"),
        {"type": "string", "example": "40,20,300,280"},
        "x1,y1,x2,y2 about the object, in pixels of the photograph",
    ),
    "point": Option(parse_point, {"type": "string", "example": "120,90"}, "x,y on the object, in pixels"),
    "objects": Option(
        _number(int, 1, _MOST_OBJECTS),
        {"type": "integer", "minimum": 1, "maximum": _MOST_OBJECTS, "default": 1},
        f"number of objects at most; for more than one, output is {', '.join(SEVERAL[:-1])} or {SEVERAL[-1]}",
    ),
    "background": Option(
        _background, {"type": "string", "default": "none"}, f"none, blur, {', '.join(COLOURS)} or #rrggbb"
    ),
    "crop": Option(_switch, {"type": "boolean", "default": False}, "crop the cut-out to the object"),
    "margin": Option(
        _number(float, 0, 10),
        {"type": "number", "minimum": 0, "maximum": 10, "default": 0},
        "margin of crop, as a share of the object's longer side",
    ),
    "format": Option(_choice(*FORMATS), {"type": "string", "enum": list(FORMATS), "default": "png"}, "of the cut-out"),
    "max_side": Option(
        _number(int, 0, _LONGEST),
        {"type": "integer", "minimum": 0, "maximum": _LONGEST, "default": 0},
        "longer side of the cut-out at most, in pixels; 0: as the photograph",
    ),
}
"""By name; all may be left out."""


def read_options(given: Mapping[str, str]) -> Wanted:
    """Read the options of a request.

    Raises
    ------
    ConfigError
        If one is unknown or has no such value, or two exclude each other.
    """
    values: dict[str, Any] = {}
    for name, text in given.items():
        if name not in OPTIONS:
            raise ConfigError(
                f"there is no option '{name}'{did_you_mean(name, OPTIONS)}", remedy=f"options: {', '.join(OPTIONS)}"
            )
        if text.strip():
            try:
                values[name] = OPTIONS[name].read(text.strip())
            except ConfigError as error:
                raise ConfigError(f"{name}: {error.message}", cause=error.cause, remedy=error.remedy) from error
    output, objects = values.get("output", "cutout"), values.get("objects", 1)
    if sum(["box" in values, "point" in values, objects > 1]) > 1:
        raise ConfigError("box, point and several objects exclude each other")
    if objects > 1 and output not in SEVERAL:
        raise ConfigError(f"the output '{output}' is a picture of one object", remedy=f"ask for {', '.join(SEVERAL)}")
    style = Style(
        background=values.get("background"),
        crop=values.get("crop", False),
        margin=values.get("margin", 0.0),
        max_side=values.get("max_side", 0),
    )
    suffix = style.require(FORMATS[values.get("format", "png")])
    return Wanted(output, values.get("box"), values.get("point"), objects, style, suffix)
