"""The command line: a file for each group of commands, over functions that can be imported."""

from jointtask.cli.main import main

__all__ = ["main"]
