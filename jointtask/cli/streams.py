"""Standard streams that take every text: what their encoding lacks is written another way; a closed one is no error.

A result that took hours must not be lost because the terminal, or the pipe, cannot show a character of it.
"""

from __future__ import annotations

import codecs
import io
import os
import sys

from jointtask.api.names import printable

__all__ = ["echo", "prepare_streams"]

_PLAIN = {"↑": "^", "↓": "v", "★": "*", "–": "-", "…": "...", "\N{NO-BREAK SPACE}": " "}  # noqa: RUF001
_HANDLER = "jointtask.plain"


def prepare_streams() -> None:
    """Let the standard streams write any text, and stand in for those that are closed."""
    codecs.register_error(_HANDLER, _replace)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            # The stream was closed before Python started: there is nowhere to write.
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8", errors=_HANDLER))  # noqa: PTH123, SIM115
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_HANDLER)


def _replace(error: UnicodeError) -> tuple[str | bytes, int]:
    """Write our own signs in ASCII, and everything else that the encoding lacks as a backslash escape."""
    if isinstance(error, UnicodeEncodeError) and (plain := _PLAIN.get(error.object[error.start])):
        return plain, error.start + 1
    if isinstance(error, UnicodeEncodeError):
        return error.object[error.start].encode("ascii", "backslashreplace").decode("ascii"), error.start + 1
    raise error


def echo(line: str, *, err: bool = False) -> None:
    """Print a line; control characters, as in the name of a file, do not reach the terminal.

    Parameters
    ----------
    line : str
        Text of one line or several.
    err : bool
        Whether it goes to standard error. There, a reader that has gone is no error: the text is for people, and the
        work goes on.
    """
    try:
        print(printable(line), file=sys.stderr if err else sys.stdout, flush=True)
    except OSError:
        if not err:
            raise
