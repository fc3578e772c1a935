"""A record as plain JSON values, and back."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import attrs
import cattrs

from jointtask.api.record import RunRecord

__all__ = ["from_plain", "to_plain"]


def to_plain(value: Any) -> Any:
    """Return a value as dicts, lists, strings, numbers, bools and None: what strict JSON can hold.

    An attrs record becomes a dict of its fields; NaN and infinities become None; what JSON does not know, such as a
    path, becomes its text.
    """
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if attrs.has(type(value)):
        return {field.name: to_plain(getattr(value, field.name)) for field in attrs.fields(type(value))}
    if isinstance(value, Mapping):
        return {str(key): to_plain(item) for key, item in value.items()}
    if isinstance(value, Sequence):
        return [to_plain(item) for item in value]
    return str(value)


def from_plain(value: Any) -> RunRecord:
    """Return the record that `plain` made a value from; None becomes NaN where a record needs a number.

    Raises
    ------
    cattrs.BaseValidationError
        If the value is no record.
    """
    converter = cattrs.Converter()
    converter.register_structure_hook(float, lambda number, _: math.nan if number is None else float(number))
    return converter.structure(value, RunRecord)
