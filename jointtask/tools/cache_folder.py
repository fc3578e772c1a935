"""Where the cache lies, and what is said where it cannot be used."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import platformdirs

from jointtask.api.errors import RunError
from jointtask.tools.notice import note_once

__all__ = ["cache_folder", "explained"]

_REMEDY = "free space there, or set JOINTTASK_CACHE to a folder that can be written and has room"


def cache_folder() -> Path:
    """Return the absolute path of the cache folder, which may not exist yet.

    It is what the environment variable ``JOINTTASK_CACHE`` names, or else the user's cache folder of the platform. A
    user without a home folder, as in some containers, gets one among the temporary files.
    """
    chosen = os.environ.get("JOINTTASK_CACHE")
    try:
        return Path(chosen).expanduser().absolute() if chosen else platformdirs.user_cache_path("jointtask")
    except (RuntimeError, KeyError):  # no HOME, and no such user
        user = os.getuid() if hasattr(os, "getuid") else 0
        folder = Path(tempfile.gettempdir(), f"jointtask-{user}")
        note_once(f"no home folder is known: what is cached lies in {folder} and may be lost; JOINTTASK_CACHE moves it")
        return folder


@contextmanager
def explained(folder: Path) -> Iterator[None]:
    """Turn what a full or closed disk raises into a `RunError` that says where, and what to do.

    Parameters
    ----------
    folder : pathlib.Path
        The folder of the cache that is read or written.
    """
    try:
        yield
    except OSError as error:
        # NumPy's own words for a full disk are "N requested and M written"
        cause = error.strerror or f"{error}; {shutil.disk_usage(folder).free / 1e6:,.0f} MB are free there"
        raise RunError(f"the cache in {folder} cannot be used", cause=cause, remedy=_REMEDY) from error
