"""The command `compare`."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from jointtask.cli.options import PluginOption, RunFileArgument, SetOption, open_registry
from jointtask.cli.streams import echo

__all__ = ["compare"]


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
        str | None, typer.Option(metavar="ARM", help="The arm that the others are compared with, instead of the first.")
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Start all runs again, even those that are finished.")] = False,
) -> None:
    """Run arms of a run file side by side.

    The arms are the file's [compare.arms.NAME] tables, which set keys as --set does, and the values given with --vary.
    Each arm is run with each seed in a directory of its own, and compared with the reference arm, with intervals. The
    same command again continues a comparison that was interrupted; runs that are finished are not run again.
    """
    from jointtask.compare.arms import plan
    from jointtask.tools.progress import open_progress

    registry = open_registry(plugin, warn=True)
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
        echo(line)
    echo(f"comparison: {os.path.join(comparison.directory, 'comparison.html')}")  # noqa: PTH118
    if comparison.failures:
        raise typer.Exit(1)
