"""One process at a time in a folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from jointtask.api.errors import ConfigError

__all__ = ["LOCK", "locked"]

LOCK = ".lock"
"""The name of the lock file, which is there while a process works in the folder."""


@contextmanager
def locked(folder: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Make a folder and keep other processes out of it.

    Parameters
    ----------
    folder : pathlib.Path
        The folder; it is made if it is not there.
    say : callable
        Receiver of one line if the file system has no locks; the work then goes on without one.

    Raises
    ------
    ConfigError
        If the folder cannot be made or written to, or another process holds the lock.
    """
    file = folder / LOCK
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file.touch()
    except OSError as error:
        raise ConfigError(
            f"{folder} cannot be made or opened",
            cause=error.strerror or str(error),
            remedy="name another folder with --output, or change its permissions",
        ) from error
    # A soft lock would outlive a process that is killed, and keep every later one out.
    lock = FileLock(file, timeout=0, fallback_to_soft=False)
    try:
        lock.acquire()
    except Timeout as error:
        raise ConfigError(
            f"another process is running in {folder}",
            cause="two runs in one directory would overwrite each other's checkpoints",
            remedy="wait for it, or give this run another name (--set run.name=...)",
        ) from error
    except OSError as error:
        say(
            f"warning: {folder} cannot be locked ({error.strerror or error}): the run goes on, but nothing keeps "
            "a second one out of this directory"
        )
    try:
        yield
    finally:
        # Remove the file before the lock is released: afterwards it may be another process's.
        with suppress(OSError):
            file.unlink()
        with suppress(OSError):
            lock.release()
