"""Numbers and tables as text: one way for each kind of number, a dash for what is not a number."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = [
    "MISSING",
    "NO_INTERVAL",
    "PERCENT",
    "align",
    "bounds",
    "count",
    "duration",
    "finite",
    "label",
    "listing",
    "number",
    "score",
    "sentence",
    "share",
    "shortened",
    "signed",
    "width",
]

MISSING = "–"  # noqa: RUF001 - an en dash is what a table shows for nothing

NO_INTERVAL = "n/a"

PERCENT = "\N{NO-BREAK SPACE}%"


def finite(value: float | None) -> float:
    """Return the value as a float, NaN for None (a NaN that went through JSON) and for infinities."""
    return float(value) if value is not None and math.isfinite(value) else math.nan


def score(value: float | None, percent: bool) -> str:
    """Write a score: times 100 with two decimals if it is shown in percent, else with four; never as -0."""
    finite_value = finite(value)
    if math.isnan(finite_value):
        return MISSING
    return f"{100 * finite_value:z.2f}" if percent else f"{finite_value:z.4f}"


def number(value: float | None) -> str:
    """Write a number of unknown size with four significant digits."""
    finite_value = finite(value)
    if math.isnan(finite_value):
        return MISSING
    return f"{finite_value:,.0f}" if abs(finite_value) >= 10_000 else f"{finite_value:.4g}"


def sentence(words: str) -> str:
    """End a sentence that somebody else wrote, so that another can follow."""
    words = words.strip()
    return words if not words or words.endswith((".", "!", "?")) else f"{words}."


def count(value: int) -> str:
    """Write a whole number with separators."""
    return f"{value:,}"


def share(value: float | None) -> str:
    """Write a share in percent with one decimal."""
    finite_value = finite(value)
    return MISSING if math.isnan(finite_value) else f"{100 * finite_value:.1f}{PERCENT}"


def shortened(words: str, limit: int = 200) -> str:
    """Cut a text that somebody else wrote, and say how long it was.

    Examples
    --------
    >>> shortened("1" * 5000, limit=5)
    '11111... (5,000 characters)'
    """
    return words if len(words) <= limit else f"{words[:limit]}... ({len(words):,} characters)"


def duration(seconds: float) -> str:
    """Write a time span in its two largest units.

    Examples
    --------
    >>> duration(0.254), duration(12.34), duration(75), duration(7500)
    ('0.25 s', '12.3 s', '1 min 15 s', '2 h 5 min')
    """
    if seconds < 59.95:
        return f"{round(seconds, 2):.3g} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def listing(names: Sequence[str], shown: int = 5, between: str = ", ") -> str:
    """Write the first names of a list, and how many more there are.

    Parameters
    ----------
    names : sequence of str
        Names to list.
    shown : int
        Largest number of names that are written out.
    between : str
        Text between two names; a line break makes one line a name.

    Examples
    --------
    >>> listing(["a", "b", "c"], shown=2)
    'a, b and 1 more'
    """
    written = between.join(names[:shown])
    if len(names) <= shown:
        return written
    return f"{written}{between if between.strip() == '' else ' '}and {len(names) - shown:,} more"


def width(fraction: float) -> float:
    """Return the width of a bar, in percent of the full one."""
    return round(100 * min(1.0, max(0.0, fraction)), 2) if math.isfinite(fraction) else 0.0


def signed(value: float, percent: bool) -> str:
    """Write a difference with its sign."""
    written = score(value, percent)
    return written if written.startswith(("-", MISSING)) else f"+{written}"


def bounds(interval: tuple[float, float] | None, percent: bool, *, sign: bool = False) -> str:
    """Write an interval."""
    if interval is None:
        return NO_INTERVAL
    return " to ".join((signed if sign else score)(bound, percent) for bound in interval)


def label(name: str, definition: Mapping[str, Any]) -> str:
    """Write the name of a score, that it is in percent, and which way is better."""
    arrow = {"higher": " ↑", "lower": " ↓"}.get(str(definition.get("better", "")), "")
    return f"{name}{', %' if definition.get('percent') else ''}{arrow}"


def align(rows: Sequence[Sequence[str]], indent: int = 0) -> list[str]:
    """Pad the cells of a table so that its columns stand under each other."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [" " * indent + "  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
