"""What the commands share: their common arguments, the registry with its warnings, and JSON output."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jointtask.api.errors import PluginError
from jointtask.cli.streams import echo

if TYPE_CHECKING:
    from jointtask.registry.registry import Registry

__all__ = ["JsonOption", "PluginOption", "RunFileArgument", "SetOption", "open_registry", "print_json"]

RunFileArgument = Annotated[str, typer.Argument(metavar="FILE", help="Run file (TOML).")]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="Override a key, as in em.rounds=3; may be repeated. VALUE is TOML or text."
    ),
]
PluginOption = Annotated[
    list[str] | None,
    typer.Option("--plugin", metavar="FILE", help="Python file, or module, to load as a plugin; may be repeated."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def open_registry(files: Sequence[str] | None, *, warn: bool = False, say: bool = True) -> Registry:
    """Load the plugins.

    Parameters
    ----------
    files : sequence of str or None
        The values of ``--plugin``.
    warn : bool
        Whether plugins that failed are reported: an error for those in `files`, a warning for the others.
    say : bool
        Whether the warnings are printed.
    """
    from jointtask.registry.registry import load_registry

    registry = load_registry(files or ())
    if not warn:
        return registry
    # An installed plugin that fails is passed over; one that is named on the command line must load.
    named = {os.path.basename(file) for file in files or ()}  # noqa: PTH119  # without pathlib, help is quicker
    for failure in registry.plugins.failures:
        if failure.source.plugin in named or failure.source.distribution in named:
            raise PluginError(f"the plugin {failure.source} cannot be used", cause=failure.reason)
    for failure in registry.failures if say else ():
        echo(f"warning: not used: {failure.source}: {failure.reason}", err=True)
    return registry


def print_json(value: Any) -> None:
    """Print a value as strict JSON: null for a number that is not finite."""
    import json

    from jointtask.tools.plain import to_plain

    # JSON escapes for the characters that the stream cannot encode.
    ascii_only = not (sys.stdout.encoding or "").lower().startswith("utf")
    echo(json.dumps(to_plain(value), indent=2, ensure_ascii=ascii_only))
