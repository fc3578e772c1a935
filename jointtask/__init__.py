"""Joint-task learning: two task networks, a latent adjustment between them, and an EM loop that samples it."""

from __future__ import annotations

from importlib.metadata import version

import pluggy

__all__ = ["__version__", "hookimpl"]

__version__ = version("jointtask")

hookimpl = pluggy.HookimplMarker("jointtask")
"""Marks a plugin's function as the implementation of the hook of the same name in `jointtask.hookspecs`."""
