"""What a plugin's author is told when a part breaks its contract."""

from __future__ import annotations

from jointtask.api.errors import PluginError

__all__ = ["fault"]


def fault(what: str, gave: str, expected: str, contract: str) -> PluginError:
    """Return the error that says what a part gave, what was expected, and where the contract stands.

    Parameters
    ----------
    what : str
        Name of the part, with its plugin.
    gave : str
        Text about what it did, to stand after the name: "was built as int", "gave scores of two shapes".
    expected : str
        Text about what was expected instead.
    contract : str
        Dotted name of the protocol, or the page.
    """
    return PluginError(f"{what} {gave}; expected {expected}", remedy=f"see {contract} for the contract")
