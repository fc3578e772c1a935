"""Text files that a user names, whatever program wrote them."""

from __future__ import annotations

import codecs
import re
from pathlib import Path

from jointtask.api import DataError
from jointtask_object_extraction.data.names import shown

__all__ = ["read_lines", "read_text"]

_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""Byte-order marks and the encodings that they tell; those of UTF-32 begin with those of UTF-16."""


def read_text(path: Path, what: str) -> str:
    """Read a text file in UTF-8, or in the encoding that its byte-order mark tells.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    what : str
        Name of its content, for the error: "list of ids".

    Returns
    -------
    str
        The text. Bytes that are not UTF-8 are kept as in names of files, so that a list in Latin-1 finds its files.

    Raises
    ------
    DataError
        If it is missing, no regular file or no text.
    """
    try:
        if path.exists() and not path.is_file():
            raise DataError(f"{shown(path)}: the {what} cannot be read", cause="it is no regular file")
        content = path.read_bytes()
        encoding = next((name for prefix, name in _MARKS if content.startswith(prefix)), "utf-8")
        text = content.decode(encoding, "surrogateescape" if encoding == "utf-8" else "strict")
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise DataError(
            f"{shown(path)}: the {what} cannot be read", cause=reason, remedy="name a text file, saved as UTF-8"
        ) from error
    if "\0" in text:
        raise DataError(
            f"{shown(path)}: the {what} cannot be read",
            cause="it holds NUL characters: it is UTF-16 without a byte-order mark, or no text",
            remedy="save it as UTF-8",
        )
    return text


def read_lines(path: Path, what: str) -> list[str]:
    """Read the lines of a text file that are not empty, as `read_text` does, without white space around them."""
    return [line for line in map(str.strip, re.split(r"\r\n|\r|\n", read_text(path, what))) if line]
