"""The members that a protocol demands, read from the protocol itself, so that nobody writes them down a second time."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from attrs import frozen

__all__ = ["Member", "members", "missing_members"]


@frozen
class Member:
    """One attribute or method of a protocol.

    Attributes
    ----------
    name : str
        Name of the member.
    meaning : str
        Type of an attribute, or the signature of a method with the first line of its documentation.
    method : bool
        Whether it is a method.
    """

    name: str
    meaning: str
    method: bool

    def __str__(self) -> str:
        return f"'{self.name}' ({self.meaning})"


def members(protocol: type) -> list[Member]:
    """Return the members of a `typing.Protocol`, those of the protocols that it extends first."""
    listed: list[Member] = []
    for cls in reversed(protocol.__mro__):
        if getattr(cls, "_is_protocol", False) and cls.__module__ != "typing":
            listed += [Member(name, str(kind), False) for name, kind in inspect.get_annotations(cls).items()]
            listed += [
                Member(name, _signature(name, member), True)
                for name, member in vars(cls).items()
                if inspect.isfunction(member) and (not name.startswith("_") or name in ("__len__", "__call__"))
            ]
    return listed


def missing_members(part: object, protocol: type) -> list[Member]:
    """Return the members of a protocol that an object lacks; a method that cannot be called is lacking."""
    return [
        member
        for member in members(protocol)
        if not (callable(getattr(part, member.name, None)) if member.method else hasattr(part, member.name))
    ]


def _signature(name: str, method: Callable[..., Any]) -> str:
    parameters = [each for each in inspect.signature(method).parameters if each != "self"]
    summary = (inspect.getdoc(method) or "").partition("\n")[0].rstrip(".")
    return f"{name}({', '.join(parameters)}): {summary[:1].lower()}{summary[1:]}"
