"""Overrides of a run file from the command line: ``a.b=VALUE``."""

from __future__ import annotations

import copy
import tomllib
from collections.abc import Mapping, Sequence
from typing import Any

import attrs
import tomli_w

from jointtask.config import SamplerTable, Table, TaskTable
from jointtask.errors import ConfigError

__all__ = ["override"]

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
        What was dropped, a line for each component that changed.

    Raises
    ------
    ConfigError
        If an override is not ``KEY=VALUE``, or its key leads through something that is no table.
    """
    result = copy.deepcopy(dict(data))
    notes: list[str] = []
    pairs = [_split(text) for text in overrides]
    for keys, value in sorted(pairs, key=lambda pair: not _names_component(pair[0])):
        parent = _descend(result, keys)
        if _names_component(keys) and isinstance(parent, dict):
            old = parent.get("name", value)
            if old != value:
                core = {field.name for field in attrs.fields(_TABLES.get(keys[0], Table))}
                dropped = {key: parent.pop(key) for key in list(parent) if key not in core}
                lost = ", ".join(f"{key} = {_toml(item)}" for key, item in dropped.items()) or "nothing"
                notes.append(f"{'.'.join(keys[:-1])}: '{old}' became '{value}'; dropped {lost}")
        _assign(parent, keys, value)
    return result, notes


def _split(text: str) -> tuple[list[str], Any]:
    key, equals, value = text.partition("=")
    try:
        tree: Any = tomllib.loads(f"{key} = 0")
    except tomllib.TOMLDecodeError:
        tree = {}
    keys: list[str] = []
    while isinstance(tree, dict) and len(tree) == 1:
        ((name, tree),) = tree.items()
        keys.append(name)
    if not equals or not keys or tree != 0:
        raise ConfigError(f"--set {text}: not KEY=VALUE", remedy="write for example --set em.rounds=3")
    try:
        parsed = tomllib.loads(f"value = {value}")
    except tomllib.TOMLDecodeError:
        return keys, value
    return keys, parsed["value"] if len(parsed) == 1 else value


def _names_component(keys: Sequence[str]) -> bool:
    """Say whether keys lead to the name in a component's table."""
    table = keys[:-1]
    return keys[-1] == "name" and (
        (len(table) == 1 and table[0] in ("upstream", "downstream", "bridge", "sampler"))
        or (len(table) == 2 and table[0] in ("data", "proposal"))
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
        raise ConfigError(f"--set {'.'.join(keys)}: {where} is a value, not a table")
    if not key.isdecimal() or int(key) > len(at):
        raise ConfigError(
            f"--set {'.'.join(keys)}: {where} is an array of {len(at)}, and '{key}' is none of its positions",
            remedy=f"name a position from 0; {len(at)} appends",
        )
    return int(key)


def _toml(value: Any) -> str:
    return tomli_w.dumps({"value": value}).removeprefix("value = ").strip()
