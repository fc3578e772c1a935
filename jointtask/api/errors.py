"""Errors that a user can cause: what happened, why, and what to do."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = ["ConfigError", "DataError", "PluginError", "RunError", "UserError", "did_you_mean"]


_LONGEST = 100  # characters of a name that anybody may have misspelt


class UserError(Exception):
    """A mistake in what the user gave, shown without a traceback.

    Parameters
    ----------
    message : str
        Fault, and where it is.
    cause : str, optional
        Reason for the fault.
    remedy : str, optional
        Advice on what to do about it.

    Attributes
    ----------
    exit_code : int
        What the command line returns: 2 for a wrong command or run file, 1 for work that failed.
    """

    exit_code = 2

    def __init__(self, message: str, *, cause: str = "", remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.cause = cause
        self.remedy = remedy

    def __str__(self) -> str:
        lines = [self.message]
        if self.cause:
            lines.append(f"  cause: {self.cause}")
        if self.remedy:
            lines.append(f"  remedy: {self.remedy}")
        return "\n".join(lines)


class ConfigError(UserError):
    """A run file, an override or a command-line argument that cannot be used."""


class PluginError(UserError):
    """A plugin that cannot be used, attributed to its distribution."""


class DataError(UserError):
    """Data that cannot be used."""


class RunError(UserError):
    """Work that started and failed."""

    exit_code = 1


def did_you_mean(name: object, names: Iterable[str], cutoff: float = 0.6) -> str:
    """Return a hint at the right name that is most like a wrong one, for the end of a message; "" if none is.

    Parameters
    ----------
    name : object
        Wrong name; anything but a string is like no name.
    names : iterable of str
        Right names.
    cutoff : float
        Least similarity of a name that is suggested, in [0, 1].

    Examples
    --------
    >>> did_you_mean("movess", ["moves", "seed"])
    "; did you mean 'moves'?"
    """
    matches = get_close_matches(name, names, 1, cutoff) if isinstance(name, str) and len(name) <= _LONGEST else []
    return f"; did you mean '{matches[0]}'?" if matches else ""
