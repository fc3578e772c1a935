"""The command `new`."""

from __future__ import annotations

from typing import Annotated

import typer

from jointtask.cli.options import open_registry
from jointtask.cli.streams import echo

__all__ = ["new"]


def new(
    kind: Annotated[
        str,
        typer.Argument(
            metavar="KIND",
            help="A part (sampler, task, bridge, proposal, dataset, metric, panel, predictor, optimizer, observer), a "
            "plugin with a whole pair, or a run file (run).",
        ),
    ],
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Lower-case letters and digits, in words joined by hyphens.")
    ],
) -> None:
    """Write a package to start from, or a run file.

    A package is the folder NAME: it passes its tests, runs and installs as written. A run file is NAME.toml. What
    exists is never replaced.
    """
    from pathlib import Path

    from jointtask.cli.scaffold import scaffold

    written = scaffold(kind, name, Path(), open_registry(()))
    for path in written.files:
        echo(f"wrote {path}")
    echo("next:")
    for command in written.commands:
        echo(f"  {command}")
