"""Where jointtask keeps what can be made again."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

__all__ = ["cache_folder"]


def cache_folder() -> Path:
    """Return the absolute path of the cache folder, which may not exist yet.

    It is the user's cache folder of the platform, or what the environment variable ``JOINTTASK_CACHE`` names.
    """
    chosen = os.environ.get("JOINTTASK_CACHE")
    return Path(chosen).expanduser().absolute() if chosen else platformdirs.user_cache_path("jointtask")
