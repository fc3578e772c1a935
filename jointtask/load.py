"""Run files from and to text: TOML, overrides from the command line, and the resolved file."""

from __future__ import annotations

import copy
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import tomli_w

from jointtask.config import EvaluationFile, RunFile, SamplerTable, Table, TaskTable
from jointtask.errors import ConfigError
from jointtask.registry import Registry
from jointtask.structure import structure

__all__ = ["dump", "load", "load_evaluation", "load_resolved", "override", "parse"]

_TABLES = {"upstream": TaskTable, "downstream": TaskTable, "sampler": SamplerTable}


def load(
    path: str | Path, overrides: Sequence[str], registry: Registry, say: Callable[[str], None] = lambda line: None
) -> RunFile:
    """Read a run file.

    Parameters
    ----------
    path : path
        The TOML file.
    overrides : sequence of str
        ``a.b=VALUE``, as ``--set`` takes them; see `override`.
    registry : Registry
        Where components are looked up.
    say : callable, optional
        Is told, a line at a time, what the overrides dropped.

    Returns
    -------
    RunFile
        Defaults filled, paths absolute.

    Raises
    ------
    ConfigError
        If the file cannot be read, is no TOML, or has faults: all of them in one message.
    """
    data, notes = override(parse(path), overrides)
    source = " ".join([str(path), *(f"--set {text}" for text in overrides)])
    runfile = structure(data, registry, source, RunFile)
    for note in notes:
        say(note)
    return runfile


def load_resolved(path: str | Path, registry: Registry, overrides: Sequence[str] = ()) -> RunFile:
    """Read the resolved run file of a run directory; the same as `load`, and nobody is told what was dropped."""
    return load(path, overrides, registry)


def load_evaluation(overrides: Sequence[str], registry: Registry) -> EvaluationFile:
    """Make from overrides alone what it takes to score a predictor: `data.test`, `evaluate`, perhaps `run`.

    Raises
    ------
    ConfigError
        As `load` does.
    """
    data, _ = override({"run": {"name": "evaluation"}, "data": {}}, overrides)
    source = " ".join(f"--set {text}" for text in overrides) or "no --set"
    return structure(data, registry, source, EvaluationFile)


def dump(runfile: RunFile) -> str:
    """Return the run file as TOML, defaults filled; loading it gives an equal `RunFile`."""
    return tomli_w.dumps(_plain(runfile))


def parse(path: str | Path) -> dict[str, Any]:
    """Read a TOML file.

    Raises
    ------
    ConfigError
        If there is no such file, or it is no TOML, with line and column.
    """
    try:
        # Editors on Windows like to put a byte-order mark first, which TOML does not allow.
        return tomllib.loads(Path(path).read_bytes().decode("utf-8-sig"))
    except tomllib.TOMLDecodeError as error:
        found = re.fullmatch(r"(.*) \(at (?:line (\d+), column (\d+)|end of document)\)", str(error))
        text, line, column = found.groups() if found else (str(error), None, None)
        where = f"line {line}, column {column}" if line else "end of the file"
        raise ConfigError(f"{path}: not valid TOML at {where}: {text[:1].lower()}{text[1:]}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{path}: not a text file", cause=f"byte {error.start} is not UTF-8", remedy="save it as UTF-8"
        ) from error
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}", remedy="name an existing run file (TOML)") from error


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


def _plain(value: Any) -> Any:
    """Turn records into what TOML can hold; None is left out, being the default wherever it is allowed."""
    if isinstance(value, Table):
        core = {field.name: getattr(value, field.name) for field in attrs.fields(type(value))}
        settings = core.pop("settings")
        return {**_plain(core), **_plain(settings)}
    if attrs.has(type(value)):
        return _plain({field.alias: getattr(value, field.name) for field in attrs.fields(type(value)) if field.init})
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def _toml(value: Any) -> str:
    return tomli_w.dumps({"value": value}).removeprefix("value = ").strip()
