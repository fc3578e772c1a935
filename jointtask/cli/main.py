"""The entry point of the command line: exit codes, and errors as a user sees them."""

from __future__ import annotations

import errno
import os
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from typing import NoReturn

import typer

from jointtask.api.errors import UserError
from jointtask.cli.app import app
from jointtask.cli.memory import keep_freed_memory
from jointtask.cli.streams import echo, prepare_streams

__all__ = ["main"]

_STORAGE = {
    errno.ENOSPC: "free some space, or name another folder",
    errno.EDQUOT: "free some space, or name another folder",
    errno.EACCES: "change its permissions, or name another folder",
    errno.EPERM: "change its permissions, or name another folder",
    errno.EROFS: "name a folder that can be written to",
    errno.ENOTDIR: "name a folder, where now a file is named",
    errno.EEXIST: "name a folder, where now a file is named",
    errno.ENAMETOOLONG: "choose a shorter name",
}


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit: 0 done, 1 the work failed, 2 the command or run file is wrong, 130 interrupted.

    Parameters
    ----------
    arguments : sequence of str, optional
        Instead of `sys.argv`.
    """
    # Idle threads sleep and freed memory is kept, before torch is imported: see docs/decisions/machine.md.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    keep_freed_memory()
    prepare_streams()
    try:
        try:
            typer.main.get_command(app)(args=arguments, prog_name="jointtask")
        finally:
            sys.stdout.flush()
    except UserError as error:
        if os.environ.get("JOINTTASK_TRACEBACK"):
            traceback.print_exc()
        echo(str(error), err=True)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        # The reader of our output has closed it: Python would fail once more when it flushes at exit.
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:
        if isinstance(error, OSError) and error.errno in _STORAGE:
            where = error.filename or "a file"
            echo(f"{where}: {error.strerror}\n  remedy: {_STORAGE[error.errno]}", err=True)
        else:
            traceback.print_exc()
            echo("This is a bug, in jointtask or in a plugin: please report it with the lines above.", err=True)
        sys.exit(1)
    sys.exit(0)
