"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["replacing", "write_atomic"]


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path beside `path`, which takes its place when the context is left without an error.

    A reader, or a crash at any moment, finds the old content or the new, never a part.

    Raises
    ------
    OSError
        If it cannot be written, naming `path`; the old file is untouched and nothing is left behind.
    """
    target = Path(path)
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    try:
        yield temporary
        with temporary.open("rb+") as stream:
            os.fsync(stream.fileno())
        temporary.replace(target)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
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
        All of it; text is written as UTF-8.

    Raises
    ------
    OSError
        As `replacing`.
    """
    with replacing(path) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)
