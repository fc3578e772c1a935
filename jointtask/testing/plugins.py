"""What every plugin must hold."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

from jointtask.api.errors import ConfigError
from jointtask.registry.kinds import KINDS
from jointtask.registry.registry import Registry, load_registry
from jointtask.registry.settings import settings_of

__all__ = ["check_plugin"]


def check_plugin(plugin: str) -> tuple[str, ...]:
    """Load a plugin as ``jointtask`` does, and require that nothing of it is refused.

    Parameters
    ----------
    plugin : str
        The name of an installed plugin, that of its entry point; or a Python file or module, as ``--plugin`` takes it.

    Returns
    -------
    tuple of str
        "KIND NAME" of everything that it provides.

    Raises
    ------
    AssertionError
        If there is no such plugin, it is refused or disabled, or something that it gives is (with the reason), it
        provides nothing, a component has no summary, a setting has no help, a command cannot be imported, or loading it
        imports torch: every ``jointtask --help`` would wait for it. (A file is loaded on demand, and may.)
    """
    installed = {row.source.plugin: row for row in load_registry().rows()}
    registry = load_registry() if plugin in installed else _with(plugin)
    rows = {row.source.plugin: row for row in registry.rows()}
    row = rows[plugin if plugin in installed or not plugin.endswith(".py") else Path(plugin).stem]
    reasons = "; ".join(row.reasons)
    assert row.state == "loaded", f"the plugin {row.source} is {row.state}, expected loaded: {reasons or 'disabled'}"
    assert not row.reasons, f"of the plugin {row.source}, something is not used: {reasons}"
    for kind in KINDS:
        for component in registry.components(kind):
            if registry.source(kind, component.name) != row.source:
                continue
            what = f"the {KINDS[kind].title} '{component.name}'"
            assert component.summary.strip(), f"{what} has no summary; expected one line, for `jointtask components`"
            assert "\n" not in component.summary, f"the summary of {what} has more than one line; expected one"
            silent = [setting.key for setting in settings_of(component.settings) if not setting.help.strip()]
            assert not silent, f"{what}: no help for {', '.join(silent)}; expected metadata={{'help': '...'}}"
    for entry in registry.entries["command"].values():
        if entry.source == row.source:
            _command(entry.item.name, entry.item.target)
    if not plugin.endswith(".py") and not plugin.startswith("jointtask."):
        _light(plugin if plugin not in installed else "", plugin)
    hooks = row.provides or registry.plugins.manager.get_hookcallers(
        registry.plugins.manager.get_plugin(row.source.plugin)
    )
    assert hooks, f"the plugin {row.source} implements no hook; expected functions marked @hookimpl"
    return row.provides


def _with(plugin: str) -> Registry:
    try:
        return load_registry([plugin])
    except ConfigError as error:
        raise AssertionError(
            f"no plugin is installed by the name '{plugin}', and it is no file or module: {error.message}"
        ) from None


def _light(module: str, plugin: str) -> None:
    """Load the plugins in another process, and require that torch is not imported there because of this one."""
    named = [module] if module else []
    code = (
        "import sys, time; from jointtask.registry.registry import load_registry; start = time.perf_counter();"
        f"load_registry({named!r}); print(int('torch' in sys.modules), time.perf_counter() - start)"
    )
    disabled = (
        ""
        if module
        else ",".join(
            row.source.plugin for row in load_registry().rows() if row.source.plugin not in (plugin, "jointtask")
        )
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    if disabled:
        environment["JOINTTASK_DISABLE_PLUGINS"] = disabled
    said = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    imported, seconds = said.stdout.split()
    assert imported == "0", (
        f"loading the plugin imports torch, {float(seconds):.1f} s that every `jointtask --help` waits for; expected"
        " heavy imports in the modules that `build` comes from, as with jointtask.api.deferred"
    )


def _command(name: str, target: str) -> None:
    module, _, function = target.partition(":")
    try:
        getattr(import_module(module), function)
    except Exception as error:
        raise AssertionError(f"the command '{name}' cannot be imported from {target}: {error!r}") from error
