"""The commands `data ...`."""

from __future__ import annotations

import typer

from jointtask.cli.options import JsonOption, PluginOption, RunFileArgument, SetOption, open_registry, print_json
from jointtask.cli.streams import echo

__all__ = ["check", "index"]


def check(file: RunFileArgument, set_: SetOption = None, plugin: PluginOption = None, json: JsonOption = False) -> None:
    """Read the data sets of a run file.

    For each: what was recognised, what was decided and what is odd, what is missing and where it comes from; and which
    examples two of them share. Nothing else of the file is read, and no network is built.
    """
    from jointtask.runfile.load import load_data
    from jointtask.tools.progress import open_progress

    registry = open_registry(plugin, warn=True)
    progress = open_progress()
    tables = load_data(file, set_ or (), registry, progress.say)
    from jointtask.running.check_data import check_data, lines

    report = check_data(tables, registry, progress)
    if json:
        print_json(report)
    else:
        for line in lines(report):
            echo(line)
    if report.unusable:
        raise typer.Exit(2)


def index(file: RunFileArgument, set_: SetOption = None, plugin: PluginOption = None) -> None:
    """Index the data sets of a run file, so that a run starts without reading them.

    What is known of every example - its name, its files, the digests of their contents - is noted in columns in the
    cache folder, which all processes of a machine share, and what a run prepares of the images is made. From then on
    the data are taken as they were. Call it again after a change: files of the same size, time and inode are not read
    again. Data sets without an index are read as ever.
    """
    from jointtask.runfile.load import load_data
    from jointtask.tools.progress import open_progress

    registry = open_registry(plugin, warn=True)
    progress = open_progress()
    tables = load_data(file, set_ or (), registry, progress.say)
    from jointtask.running.index_data import index_data

    for line in index_data(tables, registry, progress):
        echo(line)
