"""The commands `plugins` and `components`."""

from __future__ import annotations

from typing import Annotated

import typer

from jointtask.api.errors import ConfigError, did_you_mean
from jointtask.cli.options import JsonOption, PluginOption, open_registry, print_json
from jointtask.cli.streams import echo

__all__ = ["components", "plugins"]


def plugins(plugin: PluginOption = None, json: JsonOption = False) -> None:
    """List what is installed, and what failed.

    For each plugin: where it comes from, what it provides, and why it, or something of it, is not used.
    """
    from jointtask.cli.tables import plugin_lines, plugin_list

    registry = open_registry(plugin)
    if json:
        print_json(plugin_list(registry))
    else:
        for line in plugin_lines(registry):
            echo(line)


def components(
    kind: Annotated[str | None, typer.Argument(metavar="KIND", help="One kind alone, such as sampler.")] = None,
    plugin: PluginOption = None,
    json: JsonOption = False,
) -> None:
    """List what a run file can name.

    For each component: where it comes from, and its settings with their types, bounds and defaults.
    """
    from jointtask.cli.tables import component_lines, component_list
    from jointtask.registry.kinds import KINDS

    if kind is not None and kind not in KINDS:
        raise ConfigError(
            f"there is no kind '{kind}' of component{did_you_mean(kind, KINDS)}",
            remedy=f"name one of {', '.join(KINDS)}",
        )
    registry = open_registry(plugin)
    kinds = list(KINDS) if kind is None else [kind]
    if json:
        print_json(component_list(registry, kinds))
    else:
        for line in component_lines(registry, kinds):
            echo(line)
