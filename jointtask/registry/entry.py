"""How plugins are found and blocked, in words that the command line needs before it loads any."""

from __future__ import annotations

__all__ = ["DISABLE", "GROUP"]

GROUP = "jointtask"
"""The entry-point group that plugins are found by."""

DISABLE = "JOINTTASK_DISABLE_PLUGINS"
"""The environment variable that names plugins not to load, separated by commas."""
