"""`jointtask new`: packages and run files to start from."""

from jointtask.cli.scaffold.scaffold import KINDS, Scaffold, scaffold

__all__ = ["KINDS", "Scaffold", "scaffold"]
