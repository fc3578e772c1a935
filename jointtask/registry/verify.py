"""What is refused at registration: records of the wrong type, bad names, builds and settings that cannot be used."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any, get_type_hints

import attrs

from jointtask.api.component import Command, SamplerComponent, TrivialComponent
from jointtask.api.errors import PluginError
from jointtask.registry.kinds import Kind
from jointtask.registry.settings import type_name

__all__ = ["verify"]


def verify(kind: Kind, item: Any) -> None:
    """Raise a `PluginError` if what a hook gave breaks the contract of its kind.

    Parameters
    ----------
    kind : Kind
        The kind that the hook gives.
    item : Any
        Item of what the hook returned.
    """
    record: Any = kind.record
    if not isinstance(item, record):
        raise PluginError(f"{kind.hook} gave {item!r}; expected a {kind.record.__name__}")
    what = f"the {kind.title} {item.name!r}"
    if not isinstance(item.name, str) or not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", item.name):
        raise PluginError(f"{what}: a name is lower-case letters and digits, in words joined by hyphens")
    if isinstance(item, Command):
        if not re.fullmatch(r"[\w.]+:\w+", item.target):
            raise PluginError(f"{what}: its target must be 'module:function', got {item.target!r}")
        return
    if not callable(item.build):
        raise PluginError(f"{what}: its build cannot be called")
    if problem := _build_problem(item.build):
        raise PluginError(f"{what}: {problem}")
    if isinstance(item, SamplerComponent) and not _is_proposal(item.proposal):
        raise PluginError(f"{what}: proposal must be 'all', 'none' or a tuple of names of terms, got {item.proposal!r}")
    if isinstance(item, TrivialComponent) and not _is_names(item.bridges):
        raise PluginError(f"{what}: bridges must be a tuple of names of bridges, got {item.bridges!r}")
    if problem := _settings_problem(kind, item.settings):
        raise PluginError(f"{what}: {problem}")


def _build_problem(build: Callable[..., Any]) -> str:
    """Say why a function cannot be called as ``build(settings, context)``; "" if it can, or nothing is known."""
    try:
        signature = inspect.signature(build)
    except ValueError:  # a function written in C may have none
        return ""
    try:
        signature.bind(None, None)
    except TypeError:
        return f"its build takes ({', '.join(signature.parameters)}); expected build(settings, context)"
    return ""


def _is_proposal(value: object) -> bool:
    return value in ("all", "none") or _is_names(value)


def _is_names(value: object) -> bool:
    return isinstance(value, tuple) and all(isinstance(name, str) for name in value)


def _settings_problem(kind: Kind, settings: Any) -> str:
    """Say what keeps a class from being the settings of a component; "" if nothing does."""
    if not isinstance(settings, type) or not attrs.has(settings):
        return f"its settings {getattr(settings, '__name__', settings)!r} are no attrs class; use @attrs.frozen"
    try:
        settings.__new__(settings).probe = None  # type: ignore[attr-defined]  # frozen classes refuse any name
    except attrs.exceptions.FrozenInstanceError:
        pass
    except AttributeError:
        return f"its settings {settings.__name__!r} are not frozen; use @attrs.frozen"
    else:
        return f"its settings {settings.__name__!r} are not frozen; use @attrs.frozen"
    try:
        hints = get_type_hints(settings)
    except NameError as error:
        return f"a type of its settings cannot be resolved: {error}; import it outside `if TYPE_CHECKING`"
    for key in attrs.fields(settings):
        if key.alias in (kind.core or ()):
            return f"its setting '{key.alias}' is a core key of the table"
        if kind.core is None and key.init and key.default is attrs.NOTHING:
            return f"its setting '{key.alias}' needs a default, as no table can set it"
        if key.name not in hints:
            return f"its setting '{key.alias}' has no type annotation"
        try:
            type_name(hints[key.name])
        except TypeError as error:
            return f"its setting '{key.alias}': {error}"
    return ""
