"""Holds what plugins build to its contract, and says whose it was when something goes wrong."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import attrs

from jointtask.api.errors import PluginError, RunError, UserError
from jointtask.registry.discover import Plugins, Source, reason

if TYPE_CHECKING:
    from jointtask.api.component import Component

__all__ = ["TRACEBACK", "blaming", "guarded", "remedy", "tolerated"]

TRACEBACK = "JOINTTASK_TRACEBACK"
"""The environment variable that has the traceback of an error shown, for those who write plugins."""

_NOT_THE_PLUGINS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


def guarded(kind: str, title: str, component: Component, source: Source) -> Component:
    """Return a component whose `build` attributes what it raises, and holds what it gives to its contract."""
    what = f"the {title} '{component.name}' of {source}"

    def build(settings: Any, context: Any) -> Any:
        # Listing components should not have to wait for torch.
        from jointtask.registry.contracts import CONTRACTS

        try:
            return CONTRACTS[kind](component.build(settings, context), what)
        except UserError:
            raise
        except (Exception, SystemExit) as error:
            if isinstance(error, OSError) and error.errno in _NOT_THE_PLUGINS:
                raise
            raise PluginError(f"{what} cannot be built", cause=reason(error), remedy=remedy(error, source)) from error

    return attrs.evolve(component, build=build)


def remedy(error: BaseException, source: Source) -> str:
    """Say what to do about an exception that came out of a plugin."""
    if isinstance(error, ModuleNotFoundError) and error.name:
        return f"install what it needs: the module '{error.name.partition('.')[0]}'"
    shown = f"{TRACEBACK}=1 shows the traceback"
    return shown if source.named else f"report it to the plugin's authors; {shown}"


@contextmanager
def blaming(plugins: Plugins) -> Iterator[None]:
    """Turn an exception that came out of a plugin's code into a `RunError` that names the plugin.

    What came out of no plugin stays what it is.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        source = _culprit(error, plugins)
        if source is None or (isinstance(error, OSError) and error.errno in _NOT_THE_PLUGINS):
            raise
        raise RunError(f"the plugin {source} failed", cause=reason(error), remedy=remedy(error, source)) from error


@contextmanager
def tolerated(say: Callable[[str], None], what: str) -> Iterator[None]:
    """Report an exception, and go on: for what decorates a run and must not end it."""
    try:
        yield
    except (Exception, SystemExit) as error:
        say(f"warning: {what} raised {reason(error)}; the run goes on")


def _culprit(error: BaseException, plugins: Plugins) -> Source | None:
    """Return the plugin whose code was entered last on the way to an exception, the core's own aside."""
    roots = {_root(module.__name__): plugins.loaded[name] for name, module in _modules(plugins)}
    found, trace = None, error.__traceback__
    while trace is not None:
        name = trace.tb_frame.f_globals.get("__name__") or ""
        found = roots.get(name) or roots.get(name.partition(".")[0]) or found
        trace = trace.tb_next
    return found


def _modules(plugins: Plugins) -> Sequence[tuple[str, Any]]:
    known = plugins.manager.list_name_plugin()
    return [(name, module) for name, module in known if name != "jointtask" and hasattr(module, "__name__")]


def _root(name: str) -> str:
    """Return the package that a plugin's module belongs to; a module inside the core stands for itself."""
    return name if name.startswith("jointtask.") else name.partition(".")[0]
