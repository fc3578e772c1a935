"""How to use what a run trained: commands that can be copied."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from attrs import frozen

__all__ = ["Use", "uses"]


@frozen
class Use:
    """One way to use a trained run: what it does, and the lines to type."""

    does: str
    lines: str


def uses(directory: str, commands: Sequence[tuple[str, str]] = ()) -> list[Use]:
    """Return ways to use a run: the commands of its plugin first, then those that every run has.

    Parameters
    ----------
    directory : str
        The run directory.
    commands : sequence of pairs of str
        Pairs of what a command does and its command line, in which RUN stands for the directory.
    """
    run = shlex.quote(directory)
    again = shlex.quote(str(Path(directory, "config.toml")))
    return [
        *(Use(does[:1].upper() + does[1:], line.replace("RUN", run)) for does, line in commands),
        Use("Score it, on the test data of its run file or on other data", f"jointtask evaluate {run}"),
        Use(
            "Train on from it, with other settings",
            f"jointtask run {again} --set run.start={run} --set run.name=continued",
        ),
    ]
