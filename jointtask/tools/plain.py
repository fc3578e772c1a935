"""A record as plain JSON values, and back."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import attrs
import cattrs

from jointtask.api.record import RunRecord

__all__ = ["from_plain", "to_plain"]


def to_plain(value: Any, *, nulls: bool = True) -> Any:
    """Return a value as dicts, lists, strings, numbers, bools and None: what strict JSON can hold, or TOML.

    An attrs record becomes a dict of what it is made from; a field with the metadata ``{"flat": True}`` gives its keys
    to the record around it. NaN and infinities become None; what JSON does not know, such as a path, becomes its text.

    Parameters
    ----------
    value : object
        A record, or anything made of mappings, sequences and plain values.
    nulls : bool
        Whether None is kept: JSON has a word for it, TOML leaves the key out.
    """
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if attrs.has(type(value)):
        fields = [field for field in attrs.fields(type(value)) if field.init]
        own = {field.alias: getattr(value, field.name) for field in fields if not field.metadata.get("flat")}
        flat = [to_plain(getattr(value, field.name), nulls=nulls) for field in fields if field.metadata.get("flat")]
        return {key: item for table in (to_plain(own, nulls=nulls), *flat) for key, item in table.items()}
    if isinstance(value, Mapping):
        plain = {str(key): to_plain(item, nulls=nulls) for key, item in value.items()}
        return {key: item for key, item in plain.items() if nulls or item is not None}
    if isinstance(value, Sequence):
        items = [to_plain(item, nulls=nulls) for item in value]
        return [item for item in items if nulls or item is not None]
    return str(value)


def from_plain(value: Any) -> RunRecord:
    """Return the record that `to_plain` made a value from; None becomes NaN where a record needs a number.

    Raises
    ------
    cattrs.BaseValidationError
        If the value is no record.
    """
    converter = cattrs.Converter()
    converter.register_structure_hook(float, lambda number, _: math.nan if number is None else float(number))
    return converter.structure(value, RunRecord)
