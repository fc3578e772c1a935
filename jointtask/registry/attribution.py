"""Says whose part it was when something goes wrong: component, plugin and version."""

from __future__ import annotations

import errno
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import TYPE_CHECKING, Any

import attrs

from jointtask.api.errors import PluginError, RunError, UserError
from jointtask.registry.sources import CORE, Plugins, Source, reason

if TYPE_CHECKING:
    from jointtask.api.component import Component
    from jointtask.registry.registry import Registry

__all__ = ["TRACEBACK", "BuiltParts", "attributed", "remedy", "tolerated", "with_contract"]

TRACEBACK = "JOINTTASK_TRACEBACK"
"""The environment variable that has the traceback of an error shown, for those who write plugins."""

_NOT_THE_PLUGINS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


class BuiltParts:
    """What has been built from the components of plugins, for as long as it is in use, with its name in messages."""

    def __init__(self) -> None:
        self._parts: list[tuple[Callable[[], Any], str, Source]] = []

    def add(self, part: Any, name: str, source: Source) -> None:
        """Remember a part, such as a network or a function, by its name; nothing keeps it alive."""
        self._parts = [entry for entry in self._parts if entry[0]() is not None]
        with suppress(TypeError):  # a class may refuse weak references: its plugin is named all the same
            self._parts.append((weakref.ref(part), name, source))

    def name(self, part: Any) -> str:
        """Return what a part is called, such as "the bridge 'interval' of my-plugin 1.0"; "" if it is not known."""
        return next((name for given, name, _ in self._parts if given() is part), "")

    def of_frame(self, frame: FrameType) -> tuple[str, Source] | None:
        """Return the name and the source of the part whose method, or which itself, a frame runs."""
        owner = frame.f_locals.get("self")
        for given, name, source in self._parts:
            part = given()
            if part is not None and (part is owner or _code(part) is frame.f_code):
                return name, source
        return None


def _code(part: Any) -> object:
    """Return the code that a part runs when it is called, where it is a function; of a metric, that of its score."""
    function = getattr(part, "score", part)
    return getattr(getattr(function, "func", function), "__code__", part)


def with_contract(kind: str, title: str, component: Component, source: Source, parts: BuiltParts) -> Component:
    """Return a component whose `build` holds what it makes to the contract of its kind.

    What the build raises becomes a `PluginError` that names the component, and what it makes is added to `parts`.
    """
    name = f"the {title} '{component.name}' of {source}"

    def build(settings: Any, context: Any) -> Any:
        # Listing components should not have to wait for torch.
        from jointtask.registry.contracts import CONTRACTS

        try:
            built = component.build(settings, context)
            used = CONTRACTS[kind](built, name)
        except KeyboardInterrupt:
            raise
        except UserError as error:
            if kind == "bridge" and name not in error.message:  # the grid that it makes does not know whose it is
                error.message = f"{name}: {error.message}"
            raise
        except BaseException as error:
            if isinstance(error, OSError) and error.errno in _NOT_THE_PLUGINS:
                raise
            raise PluginError(
                f"{name} cannot be built", cause=reason(error, source), remedy=remedy(error, source)
            ) from error
        if source.plugin != CORE:
            parts.add(built, name, source)
            parts.add(used, name, source)
        return used

    return attrs.evolve(component, build=build)


def remedy(error: BaseException, source: Source) -> str:
    """Say what to do about an exception that came out of a plugin."""
    if isinstance(error, ModuleNotFoundError) and error.name:
        return f"install what it needs: the module '{error.name.partition('.')[0]}'"
    if isinstance(error, MemoryError):
        return "lower the settings that ask for so much memory"
    shown = f"{TRACEBACK}=1 shows the traceback"
    return shown if source.named else f"report it to the plugin's authors; {shown}"


@contextmanager
def attributed(registry: Registry) -> Iterator[None]:
    """Turn an exception that came out of a plugin's code into a `RunError` that names the component and its plugin.

    SystemExit is one of them: a plugin cannot end the program. What came out of no plugin stays what it is.
    """
    try:
        yield
    except (UserError, KeyboardInterrupt):
        raise
    except BaseException as error:
        responsible = _responsible(error, registry.plugins, registry.parts)
        if responsible is None or (isinstance(error, OSError) and error.errno in _NOT_THE_PLUGINS):
            raise
        name, source = responsible
        raise RunError(f"{name} failed", cause=reason(error, source), remedy=remedy(error, source)) from error


@contextmanager
def tolerated(say: Callable[[str], None], what: str, source: Source) -> Iterator[None]:
    """Report an exception, and go on: for what decorates a run and must not end it.

    Parameters
    ----------
    say : callable
        Function that shows a line to the user.
    what : str
        Name of the part in the message.
    source : Source
        Plugin that it comes from.
    """
    try:
        yield
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        say(f"warning: {what} of {source} raised {reason(error, source)}; the run goes on")


def _responsible(error: BaseException, plugins: Plugins, parts: BuiltParts) -> tuple[str, Source] | None:
    """Return the name and the source of what was entered last on the way to an exception, the core's own aside."""
    sources = {source.root: source for source in plugins.loaded.values() if source.plugin != CORE}
    responsible: tuple[str, Source] | None = None
    trace = error.__traceback__
    while trace is not None:
        if (part := parts.of_frame(trace.tb_frame)) is not None:
            responsible = part
        else:
            source = _source(trace.tb_frame, sources)
            # A helper function of the component's own plugin is no other part.
            if source is not None and (responsible is None or responsible[1] != source):
                responsible = f"the plugin {source}", source
        trace = trace.tb_next
    return responsible


def _source(frame: FrameType, sources: dict[str, Source]) -> Source | None:
    module = frame.f_globals.get("__name__") or ""
    return sources.get(module) or sources.get(module.partition(".")[0])
