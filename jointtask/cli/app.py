"""The commands of the core and of the plugins; a command imports what it needs when it is called."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from jointtask.api.errors import ConfigError, PluginError
from jointtask.cli import compare, data, evaluate, new, plugins, run
from jointtask.cli.known_commands import remember, remembered
from jointtask.cli.options import open_registry
from jointtask.cli.streams import echo

if TYPE_CHECKING:
    from jointtask.api.component import Command
    from jointtask.registry.registry import Entry, Registry

__all__ = ["app"]


class _Commands(TyperGroup):
    """The commands of the core, and those of plugins, which are imported when they are called."""

    @cached_property
    def registry(self) -> Registry:
        registry = open_registry(())
        remember(registry)
        return registry

    @cached_property
    def known(self) -> dict[str, str] | None:
        return remembered()

    @property
    def summaries(self) -> dict[str, str]:
        if self.known is not None:
            return self.known
        return {name: entry.item.summary for name, entry in self.registry.entries["command"].items()}

    def list_commands(self, ctx: Any) -> list[str]:
        return [*super().list_commands(ctx), *sorted(set(self.summaries) - set(self.commands))]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        own = super().get_command(ctx, cmd_name)
        if own is not None:
            return own
        if cmd_name in self.summaries:
            return _PluginCommand(cmd_name, self.summaries[cmd_name], self)
        if self.known is None and self.registry.failures:
            raise ConfigError(
                f"no command is called '{cmd_name}'",
                cause="; ".join(f"not used: {failure.source}: {failure.reason}" for failure in self.registry.failures),
                remedy=f"available: {', '.join(self.list_commands(ctx))}",
            )
        return None

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            echo("interrupted", err=True)
            raise typer.Exit(130) from None


class _PluginCommand(TyperCommand):
    """A plugin's command as ``--help`` shows it, which becomes the real one when it is called."""

    def __init__(self, name: str, summary: str, group: _Commands) -> None:
        super().__init__(name, short_help=summary)
        self._group = group

    def make_context(self, info_name: Any, args: Any, parent: Any = None, **extra: Any) -> Any:
        return self._load().make_context(info_name, args, parent=parent, **extra)

    def _load(self) -> Any:
        from importlib import import_module

        from jointtask.registry.sources import reason

        entry: Entry | None = self._group.registry.entries["command"].get(str(self.name))
        if entry is None:
            raise ConfigError(f"no command is called '{self.name}' any more", remedy="call jointtask --help again")
        command: Command = entry.item
        module, _, name = command.target.partition(":")
        try:
            target = getattr(import_module(module), name)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            cause = reason(error, entry.source)
            raise PluginError(
                f"the command '{command.name}' of {entry.source} cannot be loaded", cause=cause
            ) from error
        if not isinstance(target, typer.Typer):
            function, target = target, _typer()
            target.command(command.name)(function)
        return typer.main.get_command(target)


def _typer(**options: Any) -> typer.Typer:
    # Without rich, help takes a third of the time.
    return typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False, **options)


_GROUP: dict[str, Any] = {"no_args_is_help": True, "context_settings": {"help_option_names": ["-h", "--help"]}}

app = _typer(cls=_Commands, **_GROUP)


def _version(wanted: bool) -> None:
    if wanted:
        from jointtask.api import __version__

        echo(f"jointtask {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Joint-task learning: two task networks tied by a latent adjustment, trained by an EM loop that samples it."""


for _command in (
    run.run,
    run.check,
    compare.compare,
    evaluate.evaluate,
    plugins.plugins,
    plugins.components,
    new.new,
):
    app.command()(_command)

_data = _typer(**_GROUP)
_data.command()(data.check)
_data.command()(data.index)
app.add_typer(_data, name="data", help="Look at data sets, or index them.")
