"""Which plugins are installed while a test runs."""

from __future__ import annotations

from importlib.metadata import entry_points


def others_installed() -> str:
    """Name every installed plugin but the core's own, as JOINTTASK_DISABLE_PLUGINS takes them."""
    return ",".join({entry.name for entry in entry_points(group="jointtask")} - {"jointtask"})
