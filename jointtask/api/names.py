"""Names of files and examples, which are bytes: one rule for what is hashed, and one for what is shown.

Python reads a file name that is not UTF-8 with lone surrogates in the place of the bytes that it cannot decode. Such a
name is valid everywhere inside the program: `name_bytes` for hashes and keys, `printable` for people.
"""

from __future__ import annotations

__all__ = ["name_bytes", "printable"]


def name_bytes(name: str) -> bytes:
    """Return the bytes of a name for hashes and keys: its UTF-8, with lone surrogates as three bytes each.

    Different names give different bytes.
    """
    return name.encode("utf-8", "surrogatepass")


def printable(text: str) -> str:
    r"""Return text that any UTF-8 stream or file can hold, and that no terminal acts upon.

    Lone surrogates become U+FFFD, the replacement character; control characters, line breaks and tabs aside, become
    escapes such as ``\x1b``.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_printable, text))


def _printable(character: str) -> str:
    code = ord(character)
    if 0xD800 <= code <= 0xDFFF:
        return "\N{REPLACEMENT CHARACTER}"
    control = code < 0x20 or 0x7F <= code < 0xA0
    return f"\\x{code:02x}" if control and character not in "\n\t" else character
