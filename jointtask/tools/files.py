"""Files that are written whole or not at all."""

from __future__ import annotations

import errno
import os
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from jointtask.tools.notice import note_once

__all__ = ["remove_leftovers", "replacing", "set_mode", "write_atomic"]

_NOT_SUPPORTED = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EPERM)
_LEFTOVER = re.compile(r"\.[0-9a-f]{8}\.part|\.tmp[0-9A-Za-z]{6}")  # the second is what safetensors writes


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path beside `path`, which takes its place when the context is left without an error.

    A reader, or a crash at any moment, finds the old content or the new, never a part. What is written may be a file or
    a folder; a folder takes the place of an empty one at most. The temporary name is short, whatever the length of the
    final one; `remove_leftovers` knows it.

    Raises
    ------
    OSError
        If it cannot be written, naming `path`; the old file is untouched and nothing is left behind.
    """
    target = Path(path)
    temporary = target.with_name(f".{secrets.token_hex(4)}.part")
    try:
        yield temporary
        if not temporary.is_dir():
            _flush(temporary, target)
        temporary.replace(target)
    except BaseException as error:
        _remove(temporary)
        if isinstance(error, OSError) and error.errno is not None:
            # A full disk does not say which file it was, and the temporary name would mean nothing to the user.
            raise OSError(error.errno, os.strerror(error.errno), str(target)) from error
        raise


def write_atomic(path: str | os.PathLike[str], content: bytes | str) -> None:
    """Write a file whole or not at all.

    Parameters
    ----------
    path : path
        The file; its folder exists.
    content : bytes or str
        Content of the file; text is written as UTF-8, with "?" for what UTF-8 cannot hold (a name that is not text).

    Raises
    ------
    OSError
        As `replacing`.
    """
    with replacing(path) as temporary:
        temporary.write_bytes(content.encode(errors="replace") if isinstance(content, str) else content)


def set_mode(path: Path, mode: int) -> None:
    """Set the permissions of a file, where its file system lets us."""
    try:
        path.chmod(mode)
    except OSError as error:
        if error.errno not in (*_NOT_SUPPORTED, errno.EACCES):
            raise
        note_once(f"permissions of files cannot be set in {path.parent}; others may not be able to read them")


def remove_leftovers(folder: Path, age: float = 0.0) -> None:
    """Remove the temporary files that processes left in a folder which were killed while they wrote.

    Parameters
    ----------
    folder : pathlib.Path
        The folder; it need not exist.
    age : float
        Seconds since a file was last written: younger ones stay, as their writer may still be at work. 0 where nobody
        else can be writing.
    """
    with suppress(FileNotFoundError, NotADirectoryError):
        for path in folder.iterdir():
            if _LEFTOVER.fullmatch(path.name):
                with suppress(OSError):
                    if not age or time.time() - path.stat().st_mtime > age:
                        _remove(path)


def _flush(temporary: Path, target: Path) -> None:
    with temporary.open("rb+") as stream:
        try:
            os.fsync(stream.fileno())
        except OSError as error:
            if error.errno not in _NOT_SUPPORTED:
                raise
            note_once(f"{target.parent} cannot flush files (fsync): a power cut may lose what was written last")


def _remove(path: Path) -> None:
    with suppress(FileNotFoundError):
        if path.is_dir() and not path.is_symlink():
            # A run rarely gets here, and most commands need not wait for the import.
            import shutil

            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink()
