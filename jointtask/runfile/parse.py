"""TOML from a file or a text: what the parser cannot take is the user's error, with its place and its reason."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from jointtask.api.errors import ConfigError
from jointtask.api.names import printable
from jointtask.tools.text import shortened

__all__ = ["parse", "parse_toml"]

_PART = r"""(?:[\w-]+|"[^"\n]*"|'[^'\n]*')"""
_LONGEST_KEY = 50  # parts; the parser's time grows with their square
_DEEPEST = 100
_LONG_KEY = re.compile(
    rf"(?:^[ \t]*\[{{0,2}}|[{{,])[ \t]*{_PART}(?:[ \t]*\.[ \t]*{_PART}){{{_LONGEST_KEY}}}", re.MULTILINE
)


def parse_toml(text: str) -> dict[str, Any]:
    """Parse TOML.

    Raises
    ------
    ValueError
        If it is no TOML, or more than the parser can take; a `tomllib.TOMLDecodeError` where it knows the place.
    """
    if _LONG_KEY.search(text):
        raise ValueError(f"a dotted key has more than {_LONGEST_KEY} parts")
    try:
        tables = tomllib.loads(text)
    except RecursionError:
        tables = None
    except MemoryError as error:
        raise ValueError("it is too large for the memory") from error
    if tables is None or not _shallow(tables):
        raise ValueError(f"tables and arrays are nested more than {_DEEPEST} deep")
    return tables


def _shallow(tables: dict[str, Any]) -> bool:
    """Say whether nothing is nested deeper than what is copied and read without a thought for the stack."""
    level: list[Any] = [tables]
    for _ in range(_DEEPEST):
        nested = [item.values() if isinstance(item, dict) else item for item in level if isinstance(item, dict | list)]
        level = [item for items in nested for item in items]
        if not level:
            return True
    return False


def parse(path: str | Path) -> dict[str, Any]:
    """Read a TOML file.

    Raises
    ------
    ConfigError
        If there is no such file, or it is no TOML, with line and column.
    """
    name = printable(str(path))
    try:
        # Some editors on Windows write a byte-order mark first, which TOML does not allow.
        return parse_toml(Path(path).read_bytes().decode("utf-8-sig"))
    except tomllib.TOMLDecodeError as error:
        match = re.fullmatch(r"(.*) \(at (?:line (\d+), column (\d+)|end of document)\)", str(error), re.DOTALL)
        text, line, column = match.groups() if match else (str(error), None, None)
        where = f"line {line}, column {column}" if line else "end of the file"
        text = shortened(f"{text[:1].lower()}{text[1:]}")
        raise ConfigError(f"{name}: not valid TOML at {where}: {text}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{name}: not a text file", cause=f"byte {error.start} is not UTF-8", remedy="save it as UTF-8"
        ) from error
    except OSError as error:
        raise ConfigError(f"{name}: {error.strerror}", remedy="name an existing run file (TOML)") from error
    except ValueError as error:  # NUL in the path, an integer of thousands of digits, or what `parse_toml` says
        raise ConfigError(f"{name}: it cannot be read", cause=shortened(str(error))) from error
