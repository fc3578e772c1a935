"""The command of `light_plugin`, which is imported when it is called."""

from __future__ import annotations

from typing import Annotated

import typer


def greet(name: Annotated[str, typer.Argument(metavar="NAME")] = "world") -> None:
    """Say hello."""
    typer.echo(f"hello {name}")
    if name == "nobody":
        raise typer.Exit(1)
