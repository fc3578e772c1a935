"""What the interface says of itself: OpenAPI."""

from __future__ import annotations

from typing import Any

from jointtask.api import __version__
from jointtask_object_extraction.serve.options import OPTIONS

__all__ = ["openapi"]

_ERRORS = {
    "400": "an option or the form is wrong",
    "408": "the photograph came too slowly",
    "413": "too many bytes or pixels",
    "422": "the file is no image, or a broken one",
    "503": "too many requests are waiting",
    "504": "not done in time",
}


def openapi() -> dict[str, Any]:
    """Return the description of the interface, OpenAPI 3.1."""
    fields = {name: {**option.schema, "description": option.meaning} for name, option in OPTIONS.items()}
    query = [
        {"name": name, "in": "query", "description": option.meaning, "schema": option.schema}
        for name, option in OPTIONS.items()
    ]
    picture = {"schema": {"type": "string", "format": "binary"}}
    fault = {"schema": {"type": "object", "properties": {"error": {"type": "string"}}}}
    one = {
        "box": {"type": ["array", "null"], "items": {"type": "integer"}, "description": "x1, y1, x2, y2 in pixels"},
        "score": {"type": "number", "description": "expected intersection over union"},
        "note": {"type": "string", "description": "why nothing was cut out; empty as a rule"},
    }
    facts = {
        "type": "object",
        "properties": {
            "size": {"type": "array", "items": {"type": "integer"}, "description": "width, height"},
            **one,
            "objects": {
                "type": "array",
                "items": {"type": "object", "properties": one},
                "description": "in the place of box, score and note, where several objects are asked for",
            },
        },
    }
    form = {
        "type": "object",
        "required": ["image"],
        "properties": {"image": {"type": "string", "format": "binary"}, **fields},
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "jointtask: cut objects out of photographs", "version": __version__},
        "paths": {
            "/extract": {
                "post": {
                    "summary": "Cut the object out of a photograph",
                    "parameters": query,
                    "requestBody": {
                        "required": True,
                        "content": {"multipart/form-data": {"schema": form}, "image/*": picture},
                    },
                    "responses": {
                        "200": {
                            "description": "a picture, with box and score in the header X-Object; or JSON",
                            "content": {"image/*": picture, "application/json": {"schema": facts}},
                        },
                        **{
                            code: {"description": meaning, "content": {"application/json": fault}}
                            for code, meaning in _ERRORS.items()
                        },
                    },
                }
            },
            "/health": {"get": {"summary": "Length of the line", "responses": {"200": {"description": "it works"}}}},
        },
    }
