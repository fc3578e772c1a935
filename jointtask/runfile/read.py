"""Strict TOML mapping to attrs: every fault of a run file at once, each with its key path."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import attrs
from attrs import Attribute

from jointtask.api.component import Component
from jointtask.api.errors import ConfigError, did_you_mean
from jointtask.registry.registry import Registry
from jointtask.registry.settings import FACTORY, bound, leaves, optional, type_name, with_article
from jointtask.runfile.earlier import modern_optimizer
from jointtask.runfile.faults import Fault, FaultyFileError, got, join, shown, unusable_text
from jointtask.runfile.partial import CompareFile, DataFile, EvaluationFile
from jointtask.runfile.schema import RunFile, Table
from jointtask.tools.text import shortened

__all__ = ["absolute", "structure"]

File = TypeVar("File", RunFile, EvaluationFile, DataFile, CompareFile)

COMPARE = "compare"
"""The table that means nothing to a run: only `jointtask compare` reads it, as a `CompareFile`."""


def structure(
    data: Mapping[str, Any],
    registry: Registry,
    source: str,
    cls: type[File],
    typed: Mapping[str, str] | None = None,
) -> File:
    """Turn parsed TOML into the record of a whole file.

    Parameters
    ----------
    data : mapping
        The tables of the file.
    registry : Registry
        Registry that components are looked up in.
    source : str
        Name of the file in error messages.
    cls : type
        `RunFile`, `EvaluationFile` or `DataFile`; or `CompareFile`, which reads the table `compare` and nothing else.
    typed : mapping of str to str, optional
        Values of overrides as they were typed, by dotted key: where a key takes text, this is it.

    Returns
    -------
    RunFile, EvaluationFile, DataFile or CompareFile
        Defaults filled, paths absolute.

    Raises
    ------
    FaultyFileError
        If anything is wrong: the message lists every fault with its key path.
    """
    reader = _Reader(registry, typed or {})
    if cls is CompareFile:
        tables = {COMPARE: data[COMPARE]} if COMPARE in data else {}
    else:
        tables = {key: value for key, value in data.items() if key != COMPARE}
    file: File | None = reader.table(cls, tables, "")
    reader.cross_check(tables)
    if reader.faults or file is None:
        raise FaultyFileError(source, reader.faults)
    return file


def absolute(path: str) -> str:
    """Resolve a path against the working directory; nothing and URLs stay what they are."""
    if not path or "://" in path:
        return path
    return os.path.abspath(os.path.expanduser(path))  # noqa: PTH100, PTH111  # Path would not collapse ".."


class _Reader:
    """Reads values by type and collects faults; a value with a fault reads as None, which TOML cannot hold."""

    def __init__(self, registry: Registry, typed: Mapping[str, str]) -> None:
        self.registry, self.typed = registry, typed
        self.faults: list[Fault] = []

    def fault(self, path: str, reason: str) -> Any:
        self.faults.append(Fault(path, reason))

    def value(self, kind: Any, value: object, path: str, component: str | None = None) -> Any:
        """Read a value of type `kind`; `component` is the kind of component that it names, if it names one."""
        kind = optional(kind)
        if kind is str and type(value) is not str and path in self.typed:
            value = self.typed[path]  # a key that takes text takes what was typed: 2024-01-01, 1_1_1
        origin, arguments = get_origin(kind), get_args(kind)
        if isinstance(kind, type) and attrs.has(kind):
            if component is not None and issubclass(kind, Table):
                return self.component_table(kind, value, path, component)
            return self.table(kind, value, path)
        if origin is Literal:
            return self.choice(arguments, value, path)
        if origin in (Mapping, dict) and isinstance(value, dict):
            if arguments[1] is Any:
                return value
            items = {key: self.value(arguments[1], item, join(path, key)) for key, item in value.items()}
            return None if any(item is None for item in items.values()) else items
        if origin in (Sequence, list, tuple) and isinstance(value, list):
            return self.array(kind, value, path, component)
        if type(value) is kind and (reason := unusable_text(value)):
            return self.fault(path, reason)
        if kind is float and type(value) is int:
            try:
                return float(value)
            except OverflowError:
                return self.fault(path, "too large for a number")
        if type(value) is not kind:
            return self.fault(path, f"expected {with_article(type_name(kind))}, got {got(value)}")
        if isinstance(value, float) and not math.isfinite(value):
            return self.fault(path, f"must be finite, got {value}")
        if component is not None and isinstance(value, str):
            return value if self.component(component, value, path) is not None else None
        return value

    def choice(self, options: Sequence[str], value: object, path: str) -> Any:
        if isinstance(value, str) and value in options:
            return value
        value_shown = shown(value) if isinstance(value, str) else got(value)
        return self.fault(path, f"expected {type_name(Literal[tuple(options)])}, got {value_shown}")

    def array(self, kind: Any, value: list[object], path: str, component: str | None) -> Any:
        arguments = get_args(kind)
        fixed = get_origin(kind) is tuple and Ellipsis not in arguments
        if fixed and len(arguments) != len(value):
            return self.fault(path, f"expected {len(arguments)} values, got {len(value)}")
        kinds = arguments if fixed else [arguments[0]] * len(value)
        items = [
            self.value(each, item, join(path, str(index)), component)
            for index, (each, item) in enumerate(zip(kinds, value, strict=True))
        ]
        if any(item is None for item in items):
            return None
        return items if get_origin(kind) is list else tuple(items)

    def table(self, cls: type, value: object, path: str) -> Any:
        if not isinstance(value, dict):
            return self.fault(path, f"expected a table, got {got(value)}")
        keys = [field for field in attrs.fields(cls) if field.init]
        self.unknown(value, _names(keys), path)
        return self.make(cls, self.keys(cls, keys, value, path), path)

    def component_table(self, cls: type[Table], value: object, path: str, kind: str) -> Any:
        if not isinstance(value, dict):
            return self.fault(path, f"expected a table, got {got(value)}")
        core = [field for field in attrs.fields(cls) if field.name not in ("name", "settings")]
        component = None
        if "name" not in value:
            self.fault(join(path, "name"), f"required key is missing; available: {self.registry.available(kind)}")
        elif (name := self.value(str, value["name"], join(path, "name"))) is not None:
            component = self.component(kind, name, join(path, "name"))
        own = [] if component is None else [field for field in attrs.fields(component.settings) if field.init]
        values = self.keys(cls, core, value, path)
        if component is None:
            return None
        self.unknown(value, ["name", *_names(own), *_names(core)], path)
        settings = self.make(component.settings, self.keys(component.settings, own, value, path), path)
        if settings is None or values is None:
            return None
        return self.make(cls, {"name": component.name, "settings": settings, **values}, path)

    def component(self, kind: str, name: str, path: str) -> Component | None:
        """Look a component up."""
        try:
            return self.registry.find(kind, name)
        except ConfigError as error:
            self.fault(path, "\n".join(filter(None, [error.message, error.cause, error.remedy])))
            return None

    def unknown(self, value: Mapping[str, object], keys: Sequence[str], path: str) -> None:
        for key, item in value.items():
            if key not in keys:
                what = "table" if isinstance(item, dict) else "key"
                hint = did_you_mean(key, keys) or (f"; known here: {', '.join(keys)}" if keys else "")
                self.fault(join(path, key), f"unknown {what}{hint}")

    def keys(
        self, cls: type, fields: Iterable[Attribute[Any]], value: Mapping[str, object], path: str
    ) -> dict[str, Any] | None:
        """Read the keys that `fields` describe, with types and bounds; None if one has a fault."""
        before = len(self.faults)
        fields = list(fields)
        value = _with_default_components(fields, value)
        hints = get_type_hints(cls)
        values: dict[str, Any] = {}
        partial: Any = object.__new__(cls)
        for field in fields:
            key = field.alias or field.name
            if key in value:
                kind = field.metadata.get("component")
                read = self.value(hints[field.name], value[key], join(path, key), kind)
                if read is None:
                    continue
                values[key] = read
            elif field.default is attrs.NOTHING:
                what = "table" if type_name(hints[field.name]) == "table" else "key"
                help_ = field.metadata.get("help", "no description")
                self.fault(join(path, key), f"required {what} is missing ({help_})")
                continue
            if key in values or not isinstance(field.default, FACTORY):
                object.__setattr__(partial, field.name, values.get(key, field.default))
        for field in fields:
            key = field.alias or field.name
            if key in values and field.converter is None and (reason := _violation(partial, field, values[key])):
                self.fault(join(path, key), reason)
        return values if len(self.faults) == before else None

    def make(self, cls: type, values: Mapping[str, Any] | None, path: str) -> Any:
        """Make the object, with its paths absolute; None if a key has a fault."""
        if values is None:
            return None
        try:
            made = cls(**values)
        except (ValueError, TypeError) as error:
            return self.fault(path, _text(error))
        paths = {
            field.alias or field.name: self.path(field, getattr(made, field.name))
            for field in attrs.fields(cls)
            if field.init and field.metadata.get("path")
        }
        return attrs.evolve(made, **paths) if paths else made

    def path(self, field: Attribute[Any], value: str) -> str:
        """Return a path as an absolute one; a component's name, where one may stand for it, stays what it is."""
        path, kind = absolute(value), field.metadata.get("named")
        return value if kind and value in self.registry.entries[kind] and not os.path.exists(path) else path  # noqa: PTH110

    def cross_check(self, data: Mapping[str, Any]) -> None:
        """Find what is wrong between tables."""
        draws, estimate = _look(data, "em", "draws"), _look(data, "sampler", "estimate")
        if type(draws) is int and draws > 1 and estimate in (None, "best", "last"):
            self.fault("em.draws", f"must be 1 unless sampler.estimate is 'weighted', got {draws}")
        follows = [key for key, off in (("keep", "last"), ("patience", 0)) if _look(data, "em", key) not in (None, off)]
        scored = _look(data, "evaluate", "each_round") or _look(data, "evaluate", "metrics")
        if follows and not (_look(data, "data", "validation") and scored):
            self.fault(f"em.{follows[0]}", "needs [data.validation] and a metric in [evaluate]: it follows their score")


def _with_default_components(fields: Iterable[Attribute[Any]], value: Mapping[str, object]) -> Mapping[str, object]:
    """Return a table whose component tables that may be missing, or be a name alone, are tables with a name."""
    tables: dict[str, object] = dict(value)
    for field in fields:
        if default := field.metadata.get("default_component"):
            table = tables.get(field.name, {})
            table = {"name": table} if isinstance(table, str) else table
            if isinstance(table, dict):
                table = {"name": default, **(modern_optimizer(table) if field.name == "optimizer" else table)}
            tables[field.name] = table
    return tables


def _violation(partial: object, field: Attribute[Any], value: object) -> str:
    """Say which validator of a field a value breaks; "" if none."""
    for leaf in leaves(field.validator):
        try:
            leaf(partial, field, value)
        except AttributeError:
            continue  # it reads another key, which has a fault of its own; without faults, `make` runs it again
        except (ValueError, TypeError) as error:
            words = bound(leaf)
            return f"must be {words}, got {shown(value)}" if words else _text(error)
    return ""


def _text(error: Exception) -> str:
    return shortened(str(error.args[0] if error.args else error))


def _names(fields: Iterable[Attribute[Any]]) -> list[str]:
    return [field.alias or field.name for field in fields]


def _look(data: Mapping[str, Any], table: str, key: str) -> object:
    keys = data.get(table)
    return keys.get(key) if isinstance(keys, dict) else None
