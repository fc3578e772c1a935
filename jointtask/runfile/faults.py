"""The faults of a run file, each with the path of its key, and the words for values that cannot be used."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from attrs import frozen

from jointtask.api.errors import ConfigError
from jointtask.registry.settings import show
from jointtask.tools.text import shortened

__all__ = ["Fault", "FaultyFileError", "got", "join", "shown", "unusable_text"]

_KINDS: Mapping[type, str] = {bool: "the boolean", int: "the integer", float: "the number", str: "the string"}
_INTEGERS = range(-(2**63), 2**63)  # TOML promises integers of 64 bits, and so do tensors
_LONGEST_KEY = 80  # characters


@frozen
class Fault:
    """What is wrong with one key."""

    path: str
    reason: str


class FaultyFileError(ConfigError):
    """A file with faults; the message lists all of them.

    Parameters
    ----------
    source : str
        Name of the file in messages.
    faults : sequence of Fault
        Faults, at least one.
    """

    def __init__(self, source: str, faults: Sequence[Fault]) -> None:
        super().__init__(_listing(source, faults))
        self.faults = faults


def _listing(source: str, faults: Sequence[Fault]) -> str:
    width = max(len(fault.path) for fault in faults) + 3
    rows = ["  " + fault.path.ljust(width) + fault.reason.replace("\n", "\n" + " " * (width + 2)) for fault in faults]
    return "\n".join([f"{source}: {len(faults)} problem{'s' * (len(faults) > 1)}", *rows])


def shown(value: object) -> str:
    """Write a value of a run file as the file would, cut where it is long."""
    if isinstance(value, int) and value not in _INTEGERS:
        return f"an integer of {value.bit_length()} bits"
    return shortened(show(value))


def got(value: object) -> str:
    """Name the type of a value, and the value."""
    if isinstance(value, int) and value not in _INTEGERS:
        return shown(value)
    if type(value) in _KINDS:
        return f"{_KINDS[type(value)]} {shown(value)}"
    if isinstance(value, dict | list):
        return "a table" if isinstance(value, dict) else "an array"
    return f"the date or time {value}"


def unusable_text(value: object) -> str:
    """Say why a value of the right type cannot be used, whatever its key; "" if it can."""
    if isinstance(value, str) and "\0" in value:
        return "holds the character NUL, which no path and no name can hold"
    if isinstance(value, str) and any("\ud800" <= character <= "\udfff" for character in value):
        return "is not UTF-8, which a run file has to be: rename the file or folder, or link to it"
    if isinstance(value, int) and value not in _INTEGERS:
        return f"must be an integer of 64 bits, got {shown(value)}"
    return ""


def join(path: str, key: str) -> str:
    """Return the dotted path of a key, cut where it is long."""
    key = shortened(key, _LONGEST_KEY)
    key = key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else f'"{key}"'
    return f"{path}.{key}" if path else key
