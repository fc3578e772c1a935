"""Words for the types, bounds and values of settings: one source for error messages, listings and the reference."""

from __future__ import annotations

import json
import types
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import attrs
from attrs import Attribute, frozen

__all__ = [
    "FACTORY",
    "Setting",
    "bound",
    "either",
    "leaves",
    "optional",
    "settings_of",
    "show",
    "type_name",
    "with_article",
]

FACTORY: Any = attrs.Factory
"""The class of the defaults that a function makes; attrs types it as a function."""

_OPTIONAL: Any = type(attrs.validators.optional(attrs.validators.ge(0)))
_SCALARS = {bool: "boolean", int: "integer", float: "number", str: "string"}
_COMPARISONS = {">=": "at least", ">": "above", "<=": "at most", "<": "below"}


@frozen
class Setting:
    """One key of a table, in words.

    Attributes
    ----------
    key : str
        Key as written in the run file.
    type : str
        Type of the value, in words.
    default : str or None
        Default as TOML; None where the key is required, "" where leaving it out is the default.
    bounds : str
        Bounds of the value, beyond its type.
    help : str
        Purpose of the setting.
    """

    key: str
    type: str
    default: str | None
    bounds: str
    help: str


def settings_of(cls: type, without: Sequence[str] = ()) -> list[Setting]:
    """Describe every key of an attrs class, in its order, except those named in `without`."""
    hints = get_type_hints(cls)
    return [
        Setting(
            key=field.alias or field.name,
            type=type_name(hints[field.name]),
            default=_default(field),
            bounds=" and ".join(filter(None, (bound(leaf) for leaf in leaves(field.validator)))),
            help=str(field.metadata.get("help", "")),
        )
        for field in attrs.fields(cls)
        if field.init and field.name not in without
    ]


def optional(kind: Any) -> Any:
    """Return T of ``T | None``, and any other type as it is."""
    if get_origin(kind) in (Union, types.UnionType):
        given = [option for option in get_args(kind) if option is not type(None)]
        if len(given) == 1:
            return given[0]
    return kind


def type_name(kind: Any, *, plural: bool = False) -> str:
    """Name a type as a user of run files would.

    Raises
    ------
    TypeError
        If a run file cannot hold the type.
    """
    kind = optional(kind)
    origin, arguments = get_origin(kind), get_args(kind)
    if kind in _SCALARS:
        return _SCALARS[kind] + "s" * plural
    if origin is Literal and all(isinstance(option, str) for option in arguments):
        return either([show(option) for option in arguments])
    if origin is tuple and Ellipsis not in arguments and arguments:
        return ("arrays of " if plural else "array of ") + ", ".join(type_name(item) for item in arguments)
    if origin in (Sequence, list, tuple) and arguments:
        return ("arrays of " if plural else "array of ") + type_name(arguments[0], plural=True)
    if origin in (Mapping, dict) and arguments == (str, Any):
        return "tables" if plural else "table"
    if origin in (Mapping, dict) and arguments[0] is str:
        return ("tables of " if plural else "table of ") + type_name(arguments[1], plural=True)
    if isinstance(kind, type) and attrs.has(kind):
        return "tables" if plural else "table"
    name = getattr(kind, "__name__", str(kind))
    raise TypeError(f"a run file cannot hold the type {name}")


def with_article(name: str) -> str:
    """Put "a" or "an" before a type's name, unless it lists choices."""
    if name.startswith("'"):
        return name
    return f"an {name}" if name[0] in "aeiou" else f"a {name}"


def show(value: object) -> str:
    """Show a value as a run file would write it, with strings in single quotes."""
    if isinstance(value, str):
        return f"'{value}'"
    if isinstance(value, bool | int | float) or value is None:
        return repr(value).lower()
    if isinstance(value, Sequence):
        return f"[{', '.join(show(item) for item in value)}]"
    return str(value)


def leaves(validator: Any) -> list[Any]:
    """Return the simple validators that an attrs validator is composed of."""
    if validator is None:
        return []
    if hasattr(validator, "_validators"):
        return [leaf for part in validator._validators for leaf in leaves(part)]
    if isinstance(validator, _OPTIONAL):  # a run file cannot hold None, so the bound inside is what matters
        return leaves(validator.validator)
    return [validator]


def bound(validator: Any) -> str:
    """Say what a simple attrs validator demands; "" for one that is not known."""
    if hasattr(validator, "compare_op"):
        limit = validator.bound
        return f"{_COMPARISONS[validator.compare_op]} {f'{limit:,}' if isinstance(limit, int) else limit}"
    if hasattr(validator, "min_length"):
        return "non-empty" if validator.min_length == 1 else f"of length {validator.min_length} or more"
    if hasattr(validator, "options"):
        return either([show(option) for option in validator.options])
    return ""


def either(choices: Sequence[str]) -> str:
    """Join choices: "a, b or c"."""
    return " or ".join(filter(None, [", ".join(choices[:-1]), choices[-1]]))


def _default(field: Attribute[Any]) -> str | None:
    default = field.default
    if default is attrs.NOTHING:
        name = field.metadata.get("default_component")
        return json.dumps(name) if name else None
    if isinstance(default, FACTORY):
        if default.takes_self:
            return "from the other keys"
        default = default.factory()
    if default is None:
        return ""
    if attrs.has(type(default)):
        return "{}"
    return json.dumps(list(default) if isinstance(default, tuple) else default, ensure_ascii=False)
