"""Overrides of a run file from the command line: ``a.b=VALUE``."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import attrs
import tomli_w

from jointtask.api.errors import ConfigError
from jointtask.runfile.parse import parse_toml
from jointtask.runfile.schema import OptimizerTable, SamplerTable, Table, TaskTable
from jointtask.tools.text import shortened

__all__ = ["Setting", "apply", "flatten", "names_component", "override", "split", "typed_values"]

Setting = tuple[Sequence[str], Any]
"""A key as its parts, and the value that it is given."""

_ROLES = ("upstream", "downstream")
_TABLES = {"upstream": TaskTable, "downstream": TaskTable, "sampler": SamplerTable}


def override(data: Mapping[str, Any], overrides: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    """Apply ``a.b=VALUE`` settings to parsed TOML.

    A VALUE that is not TOML is a string. An entry of an array is named by its position, from 0; the position after
    the last appends. Naming another component in a component's table drops the keys of the old one.

    Parameters
    ----------
    data : mapping
        The parsed file; it is not changed.
    overrides : sequence of str
        Applied in order, names of components before everything else.

    Returns
    -------
    dict
        The changed tables.
    list of str
        What was dropped, a line for each component that lost keys.

    Raises
    ------
    ConfigError
        If an override is not ``KEY=VALUE``, or its key leads through something that is no table.
    """
    return apply(data, [split(text) for text in overrides])


def apply(data: Mapping[str, Any], settings: Sequence[Setting]) -> tuple[dict[str, Any], list[str]]:
    """Apply settings whose keys are split; all else as `override`."""
    result = copy.deepcopy(dict(data))
    notes: list[str] = []
    for keys, value in sorted(settings, key=lambda setting: not names_component(setting[0])):
        parent = _descend(result, keys)
        if names_component(keys) and isinstance(parent, dict):
            old = parent.get("name", value)
            if old != value:
                cls = {1: _TABLES.get(keys[0], Table), 2: OptimizerTable if keys[1] == "optimizer" else Table}
                core = {field.name for field in attrs.fields(cls.get(len(keys) - 1, Table))}
                dropped = {key: parent.pop(key) for key in list(parent) if key not in core}
                lost = ", ".join(f"{key} = {_toml(item)}" for key, item in dropped.items())
                notes += [f"{'.'.join(keys[:-1])}: '{old}' became '{value}'; dropped {lost}"] if lost else []
        _assign(parent, keys, value)
    return result, notes


def split(text: str, option: str = "--set") -> Setting:
    """Split ``a.b=VALUE`` into its keys and its value, which is TOML or else text.

    Raises
    ------
    ConfigError
        If it is not ``KEY=VALUE``, naming the option that it was given with.
    """
    key, equals, value = text.partition("=")
    keys = _parts(key)
    if not equals or not keys:
        raise ConfigError(
            f"{option} {shortened(text)}: not KEY=VALUE", remedy=f"write for example {option} em.rounds=3"
        )
    try:
        parsed = parse_toml(f"value = {value}")
    except ValueError:
        return keys, value
    return keys, parsed["value"] if len(parsed) == 1 else value


def typed_values(overrides: Sequence[str]) -> dict[str, str]:
    """Return the values of overrides as they were typed, by dotted key."""
    return {".".join(split(text)[0]): text.partition("=")[2] for text in overrides}


def flatten(tables: Mapping[str, Any], parents: Sequence[str] = ()) -> list[Setting]:
    """Return what nested tables set; a key may be dotted, as in ``"em.rounds"``, and an empty table is a value."""
    settings: list[Setting] = []
    for key, value in tables.items():
        keys = [*parents, *(_parts(key) or [key])]
        settings += flatten(value, keys) if isinstance(value, dict) and value else [(keys, value)]
    return settings


def setting_texts(overrides: Mapping[str, Any] | Sequence[str]) -> list[str]:
    """Return overrides as ``--set`` takes them, from such texts or from a mapping of dotted keys to values.

    Examples
    --------
    >>> setting_texts({"em.rounds": 3, "bridge": {"levels": [-5, 0, 5]}, "sampler.name": "gibbs"})
    ['em.rounds=3', 'bridge.levels=[-5, 0, 5]', "sampler.name='gibbs'"]
    """
    if not isinstance(overrides, Mapping):
        return list(overrides)
    return [f"{'.'.join(keys)}={_inline(value)}" for keys, value in flatten(overrides)]


def _inline(value: Any) -> str:
    """Write a value as TOML in one line."""
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{key} = {_inline(item)}' for key, item in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_inline, value))}]"
    if isinstance(value, bool | int | float):
        return tomli_w.dumps({"value": value}).partition("= ")[2].strip()
    text = str(value)
    plain = "'" not in text and text.isprintable()
    return f"'{text}'" if plain else tomli_w.dumps({"value": text}).partition("= ")[2].strip()


def _parts(key: str) -> list[str]:
    """Return the parts of a dotted key as TOML reads it; none if it is no key."""
    try:
        tree: Any = parse_toml(f"{key} = 0")
    except ValueError:
        return []
    parts: list[str] = []
    while isinstance(tree, dict) and len(tree) == 1:
        ((name, tree),) = tree.items()
        parts.append(name)
    return parts if tree == 0 else []


def names_component(keys: Sequence[str]) -> bool:
    """Say whether keys lead to the name in a component's table."""
    table = keys[:-1]
    return keys[-1] == "name" and (
        (len(table) == 1 and table[0] in ("upstream", "downstream", "bridge", "sampler"))
        or (len(table) == 2 and table[0] in ("data", "proposal", "observer"))
        or (len(table) == 2 and table[0] in _ROLES and table[1] == "optimizer")
        or (len(table) == 3 and table[0] in _ROLES and list(table[1:]) == ["optimizer", "schedule"])
    )


def _descend(data: dict[str, Any], keys: Sequence[str]) -> Any:
    """Walk to the table or array that holds the last key, making tables on the way."""
    at: Any = data
    for depth, key in enumerate(keys[:-1]):
        if isinstance(at, dict):
            # A missing array of tables begins where its first position is named.
            at = at.setdefault(key, [] if keys[depth + 1] == "0" else {})
        else:
            index = _position(at, keys, depth)
            if index == len(at):
                at.append({})
            at = at[index]
    return at


def _assign(parent: Any, keys: Sequence[str], value: Any) -> None:
    if isinstance(parent, dict):
        parent[keys[-1]] = value
    else:
        index = _position(parent, keys, len(keys) - 1)
        parent[index : index + 1] = [value]


def _position(at: Any, keys: Sequence[str], depth: int) -> int:
    where, key = ".".join(keys[:depth]), keys[depth]
    if not isinstance(at, list):
        raise ConfigError(f"{'.'.join(keys)}: {where} is a value, not a table")
    if not key.isdecimal() or int(key) > len(at):
        raise ConfigError(
            f"{'.'.join(keys)}: {where} is an array of {len(at)}, and '{key}' is none of its positions",
            remedy=f"name a position from 0; {len(at)} appends",
        )
    return int(key)


def _toml(value: Any) -> str:
    return tomli_w.dumps({"value": value}).removeprefix("value = ").strip()
