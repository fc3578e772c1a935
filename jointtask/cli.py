"""The command line: thin commands over importable functions; everything heavy is imported inside a command."""

from __future__ import annotations

import errno
import os
import sys
import traceback
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from typer.core import TyperCommand, TyperGroup

from jointtask.errors import ConfigError, PluginError, UserError
from jointtask.memory import keep_freed_memory

if TYPE_CHECKING:
    from jointtask.component import Command
    from jointtask.registry import Entry, Registry

__all__ = ["app", "main"]

_STORAGE = {
    errno.ENOSPC: "free some space, or name another folder",
    errno.EDQUOT: "free some space, or name another folder",
    errno.EACCES: "change its permissions, or name another folder",
    errno.EPERM: "change its permissions, or name another folder",
    errno.EROFS: "name a folder that can be written to",
    errno.ENOTDIR: "name a folder, where now a file is named",
    errno.EEXIST: "name a folder, where now a file is named",
    errno.ENAMETOOLONG: "choose a shorter name",
}


class _Commands(TyperGroup):
    """The commands of the core, and those of plugins, which are imported when they are called."""

    @cached_property
    def registry(self) -> Registry:
        return _registry(())

    def list_commands(self, ctx: Any) -> list[str]:
        return [*super().list_commands(ctx), *sorted(set(self.registry.entries["command"]) - set(self.commands))]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        own = super().get_command(ctx, cmd_name)
        if own is not None:
            return own
        if entry := self.registry.entries["command"].get(cmd_name):
            return _PluginCommand(entry)
        if self.registry.failures:
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
            typer.echo("interrupted", err=True)
            raise typer.Exit(130) from None


class _PluginCommand(TyperCommand):
    """A plugin's command as ``--help`` shows it, which becomes the real one when it is called."""

    def __init__(self, entry: Entry) -> None:
        command: Command = entry.item
        super().__init__(command.name, short_help=command.summary)
        self._entry = entry

    def make_context(self, info_name: Any, args: Any, parent: Any = None, **extra: Any) -> Any:
        return self._load().make_context(info_name, args, parent=parent, **extra)

    def _load(self) -> Any:
        from importlib import import_module

        from jointtask.plugins import reason

        command: Command = self._entry.item
        module, _, name = command.target.partition(":")
        try:
            target = getattr(import_module(module), name)
        except Exception as error:
            raise PluginError(
                f"the command '{command.name}' of {self._entry.source} cannot be loaded", cause=reason(error)
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
data = _typer(**_GROUP)
app.add_typer(data, name="data", help="Look at data sets.")

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


def _version(wanted: bool) -> None:
    if wanted:
        from jointtask import __version__

        typer.echo(f"jointtask {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Joint-task learning: two task networks tied by a latent adjustment, trained by an EM loop that samples it."""


@app.command()
def run(
    file: RunFileArgument,
    set_: SetOption = None,
    output: Annotated[
        str | None, typer.Option(metavar="DIR", help="Folder that the run directory is made in (run.output).")
    ] = None,
    plugin: PluginOption = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Start again, even if there is a run to continue.")] = False,
) -> None:
    """Train, score and report a run file.

    The same command again continues a run that was interrupted.
    """
    from attrs import evolve

    from jointtask.distributed import joined
    from jointtask.load import load
    from jointtask.progress import SilentProgress, open_progress
    from jointtask.structure import absolute

    with joined() as world:
        registry = _registry(plugin, warn=True, say=world.leader)
        progress = open_progress() if world.leader else SilentProgress()
        runfile = load(file, set_ or (), registry, progress.say)
        if output is not None:
            runfile = evolve(runfile, run=evolve(runfile.run, output=absolute(output)))
        # A run file with a fault should not have to wait for torch.
        from jointtask.run import run as run_file

        record = run_file(runfile, registry, fresh=fresh, progress=progress, world=world)
    if not world.leader:
        return
    from jointtask.report import warnings
    from jointtask.summary import score_lines

    for line in score_lines(record.scores, record.definitions):
        typer.echo(line)
    if not record.scores:
        typer.echo("nothing was scored: the run file names no metrics, or neither [data.test] nor [data.validation]")
    for warning in warnings(record):
        typer.echo(f"warning: {warning}")
    typer.echo(f"report: {os.path.join(record.directory, 'report.html')}")  # noqa: PTH118


@app.command()
def check(file: RunFileArgument, set_: SetOption = None, plugin: PluginOption = None) -> None:
    """Validate a run file and try one batch.

    Builds everything that it names and says which time and memory to expect, and which settings nothing reads.
    """
    from jointtask.load import load
    from jointtask.progress import open_progress

    registry = _registry(plugin, warn=True)
    progress = open_progress()
    runfile = load(file, set_ or (), registry, progress.say)
    from jointtask.check import check as check_file

    for line in check_file(runfile, registry, progress):
        typer.echo(line)


@data.command("check")
def data_check(
    file: RunFileArgument, set_: SetOption = None, plugin: PluginOption = None, json: JsonOption = False
) -> None:
    """Read the data sets of a run file.

    For each: what was recognised, what was decided and what is odd, what is missing and where it comes from; and which
    examples two of them share. Nothing else of the file is read, and no network is built.
    """
    from attrs import asdict

    from jointtask.load import load_data
    from jointtask.progress import open_progress

    registry = _registry(plugin, warn=True)
    progress = open_progress()
    tables = load_data(file, set_ or (), registry, progress.say)
    from jointtask.data_check import check_data, lines

    report = check_data(tables, registry, progress)
    if json:
        _print_json(asdict(report))
    else:
        for line in lines(report):
            typer.echo(line)
    if report.unusable:
        raise typer.Exit(2)


@app.command()
def compare(
    file: RunFileArgument,
    vary: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUE",
            help="A value of a key that the arms differ in; may be repeated. Each value of one key is an arm; several "
            "keys, and the arms that the file names, are crossed.",
        ),
    ] = None,
    seeds: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Runs of each arm: seeds run.seed, run.seed + 1, ...")
    ] = None,
    set_: SetOption = None,
    output: Annotated[
        str | None, typer.Option(metavar="DIR", help="Folder that the comparison's folder is made in (run.output).")
    ] = None,
    plugin: PluginOption = None,
    reference: Annotated[
        str | None, typer.Option(metavar="ARM", help="The arm that the others are held against, instead of the first.")
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Start all runs again, even those that are finished.")] = False,
) -> None:
    """Run arms of a run file side by side.

    The arms are the file's [compare.arms.NAME] tables, which set keys as --set does, and the values given with --vary.
    Each arm is run with each seed in a directory of its own, and held against the reference arm with intervals. The
    same command again continues a comparison that was interrupted; runs that are finished are not run again.
    """
    from jointtask.compare.arms import plan
    from jointtask.progress import open_progress

    registry = _registry(plugin, warn=True)
    progress = open_progress()
    todo = plan(
        file,
        registry,
        overrides=set_ or (),
        vary=vary or (),
        seeds=seeds,
        reference=reference,
        output=output,
        say=progress.say,
    )
    # A run file with a fault should not have to wait for torch.
    from jointtask.compare.compare import compare as compare_arms
    from jointtask.compare.tables import lines

    comparison = compare_arms(todo, registry, fresh=fresh, progress=progress)
    for line in lines(comparison):
        typer.echo(line)
    typer.echo(f"comparison: {os.path.join(comparison.directory, 'comparison.html')}")  # noqa: PTH118
    if comparison.failures:
        raise typer.Exit(1)


@app.command()
def evaluate(
    run: Annotated[str, typer.Argument(metavar="RUN", help="Run directory, or name of a predictor.")],
    set_: SetOption = None,
    plugin: PluginOption = None,
    json: JsonOption = False,
) -> None:
    """Score a run or a predictor on a data set.

    The data set is the run's own test data, or what --set data.test.KEY=VALUE names.
    """
    from attrs import asdict

    from jointtask.evaluate import evaluate_run
    from jointtask.metric import definitions
    from jointtask.progress import open_progress
    from jointtask.summary import score_lines

    registry = _registry(plugin, warn=True)
    record, metrics = evaluate_run(run, registry, overrides=set_ or (), progress=open_progress())
    if json:
        _print_json({**asdict(record), "definitions": definitions(metrics)})
    else:
        for line in score_lines([record], definitions(metrics)):
            typer.echo(line)


@app.command()
def plugins(plugin: PluginOption = None, json: JsonOption = False) -> None:
    """List what is installed, and what failed.

    For each plugin: where it comes from, what it provides, and why it, or something of it, is not used.
    """
    from jointtask.summary import plugin_lines, plugin_list

    registry = _registry(plugin)
    if json:
        _print_json(plugin_list(registry))
    else:
        for line in plugin_lines(registry):
            typer.echo(line)


@app.command()
def components(
    kind: Annotated[str | None, typer.Argument(metavar="KIND", help="One kind alone, such as sampler.")] = None,
    plugin: PluginOption = None,
    json: JsonOption = False,
) -> None:
    """List what a run file can name.

    For each component: where it comes from, and its settings with their types, bounds and defaults.
    """
    from jointtask.registry import KINDS
    from jointtask.structure import near
    from jointtask.summary import component_lines, component_list

    if kind is not None and kind not in KINDS:
        raise ConfigError(
            f"there is no kind '{kind}' of component{near(kind, KINDS)}", remedy=f"name one of {', '.join(KINDS)}"
        )
    registry = _registry(plugin)
    kinds = list(KINDS) if kind is None else [kind]
    if json:
        _print_json(component_list(registry, kinds))
    else:
        for line in component_lines(registry, kinds):
            typer.echo(line)


@app.command()
def new(
    kind: Annotated[
        str,
        typer.Argument(metavar="KIND", help="sampler, task, bridge, proposal, dataset, metric, plugin or run."),
    ],
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Lower-case letters and digits, in words joined by hyphens.")
    ],
) -> None:
    """Write a package to start from, or a run file.

    The package is the folder NAME: it passes its tests, runs and installs as written. A run file is NAME.toml. What
    exists is never replaced.
    """
    from pathlib import Path

    from jointtask.scaffold import scaffold

    written = scaffold(kind, name, Path(), _registry(()))
    for path in written.files:
        typer.echo(f"wrote {path}")
    typer.echo("next:")
    for command in written.commands:
        typer.echo(f"  {command}")


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit: 0 done, 1 the work failed, 2 the command or run file is wrong, 130 interrupted.

    Parameters
    ----------
    arguments : sequence of str, optional
        Instead of `sys.argv`.
    """
    # Idle threads sleep and freed memory is kept, before torch is imported: see docs/decisions/machine.md.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    keep_freed_memory()
    try:
        try:
            typer.main.get_command(app)(args=arguments, prog_name="jointtask")
        finally:
            sys.stdout.flush()
    except UserError as error:
        if os.environ.get("JOINTTASK_TRACEBACK"):
            traceback.print_exc()
        typer.echo(str(error), err=True)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        # Whoever read our output has gone: nothing may be written when Python exits, either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:
        if isinstance(error, OSError) and error.errno in _STORAGE:
            where = error.filename or "a file"
            typer.echo(f"{where}: {error.strerror}\n  remedy: {_STORAGE[error.errno]}", err=True)
        else:
            traceback.print_exc()
            typer.echo("This is a bug, in jointtask or in a plugin: please report it with the lines above.", err=True)
        sys.exit(1)
    sys.exit(0)


def _registry(files: Sequence[str] | None, *, warn: bool = False, say: bool = True) -> Registry:
    from jointtask.registry import load_registry

    registry = load_registry(files or ())
    if not warn:
        return registry
    # A plugin that is installed may fail and harm nothing; one that was named on the command line is a demand.
    named = {os.path.basename(file) for file in files or ()}  # noqa: PTH119  # without pathlib, help is quicker
    for failure in registry.plugins.failures:
        if failure.source.plugin in named or failure.source.distribution in named:
            raise PluginError(f"the plugin {failure.source} cannot be used", cause=failure.reason)
    for failure in registry.failures if say else ():
        typer.echo(f"warning: not used: {failure.source}: {failure.reason}", err=True)
    return registry


def _print_json(value: Any) -> None:
    import json
    import math

    def finite(item: Any) -> Any:
        if isinstance(item, dict):
            return {key: finite(each) for key, each in item.items()}
        if isinstance(item, list | tuple):
            return [finite(each) for each in item]
        return None if isinstance(item, float) and not math.isfinite(item) else item

    typer.echo(json.dumps(finite(value), indent=2, ensure_ascii=False))
