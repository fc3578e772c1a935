"""One key of a component's table: its default, its help text and its bounds, in one call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
from attrs import validators

__all__ = ["setting"]


def setting(
    default: Any = attrs.NOTHING,
    help: str = "",
    *,
    ge: float | None = None,
    gt: float | None = None,
    le: float | None = None,
    lt: float | None = None,
    min_length: int | None = None,
    factory: Callable[[], Any] | None = None,
    validator: Callable[[Any, Any, Any], Any] | None = None,
    path: bool = False,
    component: str = "",
    default_component: str = "",
    named: str = "",
    training_only: bool = False,
) -> Any:
    """Return the attrs field of one setting, for a class made with ``@attrs.frozen``.

    Parameters
    ----------
    default : object, optional
        Value where the run file does not set the key; without it, the key is required.
    help : str
        Purpose of the setting as a noun phrase, shown by ``jointtask components`` and in the reference of the run file.
    ge, gt, le, lt : float, optional
        Bounds of the value: at least, above, at most, below.
    min_length : int, optional
        Least number of items of an array.
    factory : callable, optional
        Function that makes the default, for a value that must not be shared.
    validator : callable, optional
        Further check, ``validator(instance, attribute, value)``; raises `ValueError` with the text for the user.
    path : bool
        Whether the value is a path, which is resolved against the working directory and stored absolute.
    component : str
        Kind of component that the table or the string names; "" for any other value.
    default_component : str
        Name of the component where the table is missing or names none.
    named : str
        Kind of component whose name may stand in the place of a path; a file of that name goes first.
    training_only : bool
        Whether only training needs the value: it is left out where a finished run is loaded for use.

    Returns
    -------
    Any
        The field. Its type is Any, so that it can stand after any annotation.

    Raises
    ------
    TypeError
        If there is no help text.

    Examples
    --------
    >>> @attrs.frozen
    ... class Chain:
    ...     moves: int = setting(20, "proposals drawn per example", ge=1)
    >>> Chain().moves
    20
    """
    if not help:
        raise TypeError("a setting needs a help text: setting(default, 'what it is for')")
    limits = [(validators.ge, ge), (validators.gt, gt), (validators.le, le), (validators.lt, lt)]
    checks: list[Any] = [make(limit) for make, limit in limits if limit is not None]
    checks += [validators.min_len(min_length)] if min_length is not None else []
    checks += [validator] if validator is not None else []
    if default is None:
        checks = [validators.optional(check) for check in checks]
    marks = {
        "path": path,
        "component": component,
        "default_component": default_component,
        "named": named,
        "training_only": training_only,
    }
    metadata = {"help": help, **{name: value for name, value in marks.items() if value}}
    made = {"factory": factory} if factory is not None else {"default": default}
    return attrs.field(**made, validator=checks or None, metadata=metadata)
