"""The commands `run` and `check`."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from jointtask.cli.options import PluginOption, RunFileArgument, SetOption, open_registry
from jointtask.cli.streams import echo

__all__ = ["check", "run"]


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

    from jointtask.runfile.load import load
    from jointtask.runfile.read import absolute
    from jointtask.running.torchrun import joined
    from jointtask.tools.progress import SilentProgress, open_progress

    with joined() as world:
        registry = open_registry(plugin, warn=True, say=world.leader)
        progress = open_progress() if world.leader else SilentProgress()
        runfile = load(file, set_ or (), registry, progress.say)
        if output is not None:
            runfile = evolve(runfile, run=evolve(runfile.run, output=absolute(output)))
        # A run file with a fault should not have to wait for torch.
        from jointtask.running.run import run as run_file

        record = run_file(runfile, registry, fresh=fresh, progress=progress, world=world)
    if not world.leader:
        return
    from jointtask.cli.tables import score_lines

    for line in score_lines(record.scores, record.definitions):
        echo(line)
    if not record.scores:
        echo("nothing was scored: the run file names no metrics, or neither [data.test] nor [data.validation]")
    for warning in record.warnings:
        echo(f"warning: {warning}")
    echo(f"report: {os.path.join(record.directory, 'report.html')}")  # noqa: PTH118


def check(file: RunFileArgument, set_: SetOption = None, plugin: PluginOption = None) -> None:
    """Validate a run file and try one batch.

    Builds everything that it names, holds each part to its contract on a few examples, and says which time and memory
    to expect, and which settings nothing reads.
    """
    from jointtask.runfile.load import load
    from jointtask.tools.progress import open_progress

    registry = open_registry(plugin, warn=True)
    progress = open_progress()
    runfile = load(file, set_ or (), registry, progress.say)
    from jointtask.running.check import check as check_file
    from jointtask.testing.parts import check_parts

    for line in check_file(runfile, registry, progress, check_parts):
        echo(line)
