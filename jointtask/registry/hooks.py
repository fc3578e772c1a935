"""The hooks of plugins: held to their specifications when a plugin is registered, and called one by one."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pluggy

from jointtask.api.errors import PluginError, did_you_mean
from jointtask.registry import hookspecs
from jointtask.registry.sources import Plugins, Source, reason

__all__ = ["HOOKS", "implementations", "make_manager", "notify", "verify_hooks"]

HOOKS = tuple(name for name in vars(hookspecs) if name.startswith("jointtask_"))
"""The names of all hooks."""


def make_manager() -> pluggy.PluginManager:
    """Return a manager that knows the hooks and no plugin."""
    manager = pluggy.PluginManager("jointtask")
    manager.add_hookspecs(hookspecs)
    return manager


def implementations(plugins: Plugins, hook: str) -> Iterator[tuple[Source, Callable[..., Any]]]:
    """Yield the implementations of one hook, each with its source and taking the hook's arguments by keyword."""
    for implementation in getattr(plugins.manager.hook, hook).get_hookimpls():
        source = plugins.loaded[implementation.plugin_name]
        function, taken = implementation.function, implementation.argnames

        def call(*, function: Callable[..., Any] = function, taken: Sequence[str] = taken, **arguments: object) -> Any:
            return function(*(arguments[name] for name in taken))

        yield source, call


def notify(plugins: Plugins, hook: str, /, **arguments: object) -> tuple[str, ...]:
    """Call every observer of a hook, each on its own.

    Parameters
    ----------
    plugins : Plugins
        Plugins that were loaded.
    hook : str
        Name of an observer hook.
    **arguments
        Arguments of the hook.

    Returns
    -------
    tuple of str
        One warning line for each observer that raised.
    """
    lines = []
    for source, call in implementations(plugins, hook):
        try:
            call(**arguments)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # an observer can watch and not end the run, by SystemExit neither
            lines.append(f"warning: {hook} of {source} raised {reason(error, source)}; the run goes on")
    return tuple(lines)


def verify_hooks(plugin: object) -> None:
    """Refuse a plugin whose hooks are misspelt, unmarked, wrappers, or take arguments that the hook has not."""
    trial = make_manager()
    for name in dir(plugin):
        options = trial.parse_hookimpl_opts(plugin, name)
        if options is None:
            function = inspect.getattr_static(plugin, name)
            own = getattr(function, "__module__", None) == getattr(plugin, "__name__", None)
            if not (name.startswith("jointtask_") and inspect.isfunction(function) and own):
                continue
        hook = (options["specname"] if options else None) or name
        if hook not in HOOKS:
            raise PluginError(f"there is no hook '{hook}'{did_you_mean(hook, HOOKS, cutoff=0.0)}")
        if options is None:
            raise PluginError(f"the function {name} is not marked with @jointtask.hookimpl")
        if options["wrapper"] or options["hookwrapper"]:
            raise PluginError(f"{name} is a hook wrapper; hooks are collected and cannot be wrapped")
        has, takes = _arguments(getattr(hookspecs, hook)), _arguments(getattr(plugin, name))
        if not set(takes) <= set(has):
            expected = f"the hook takes {' and '.join(has)}, or fewer" if has else "the hook takes no arguments"
            raise PluginError(f"wrong arguments in {name}({', '.join(takes)}): {expected}")


def _arguments(function: Callable[..., Any]) -> list[str]:
    """Return the names of what must be given to a function: pluggy gives nothing to an argument with a default."""
    parameters = inspect.signature(function).parameters.values()
    variable = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [each.name for each in parameters if each.default is each.empty and each.kind not in variable]
