"""Names of files and examples, which are bytes: one rule for what is hashed, and one for what is shown.

Python reads a file name that is not UTF-8 with lone surrogates in the place of the bytes that it cannot decode. Such a
name is valid everywhere inside the program: `name_bytes` for hashes and keys, `printable` for people.
"""

from __future__ import annotations

import re

__all__ = ["name_bytes", "printable"]

_NOT_SHOWN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def name_bytes(name: str) -> bytes:
    """Return the bytes of a name for hashes and keys: its UTF-8, with lone surrogates as three bytes each.

    Different names give different bytes.
    """
    return name.encode("utf-8", "surrogatepass")


def printable(text: str) -> str:
    r"""Return text that any UTF-8 stream or file can hold, and that cannot steer a terminal.

    Lone surrogates and control characters, line breaks and tabs aside, become escapes; so do the marks that turn the
    direction of writing.

    Examples
    --------
    >>> printable("a\x1b[31mb\udce9")
    'a\\x1b[31mb\\udce9'
    """
    return _NOT_SHOWN.sub(lambda match: match[0].encode("unicode_escape").decode("ascii"), text)
