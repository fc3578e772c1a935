"""Errors that a user can cause: what happened, why, and what to do."""

from __future__ import annotations

__all__ = ["ConfigError", "DataError", "PluginError", "RunError", "UserError"]


class UserError(Exception):
    """A mistake in what the user gave, shown without a traceback.

    Parameters
    ----------
    message : str
        What is wrong, and where.
    cause : str, optional
        Why it is wrong.
    remedy : str, optional
        What to do about it.

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
