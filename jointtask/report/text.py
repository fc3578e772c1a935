"""How the report writes numbers: one way for each kind, a dash for what is not a number."""

from __future__ import annotations

import math

__all__ = ["MISSING", "PERCENT", "count", "duration", "finite", "number", "score", "sentence", "share", "width"]

MISSING = "–"  # noqa: RUF001 - an en dash is what a table shows for nothing

PERCENT = "\N{NO-BREAK SPACE}%"


def finite(value: float | None) -> float:
    """Return the value as a float, NaN for None (a NaN that went through JSON) and for infinities."""
    return float(value) if value is not None and math.isfinite(value) else math.nan


def score(value: float | None, percent: bool) -> str:
    """Write a score: times 100 with two decimals if it is shown in percent, else with four."""
    known = finite(value)
    if math.isnan(known):
        return MISSING
    return f"{100 * known:.2f}" if percent else f"{known:.4f}"


def number(value: float | None) -> str:
    """Write a number of unknown size with four significant digits."""
    known = finite(value)
    if math.isnan(known):
        return MISSING
    return f"{known:,.0f}" if abs(known) >= 10_000 else f"{known:.4g}"


def sentence(words: str) -> str:
    """End a sentence that somebody else wrote, so that another can follow."""
    words = words.strip()
    return words if not words or words.endswith((".", "!", "?")) else f"{words}."


def count(value: int) -> str:
    """Write a whole number with separators."""
    return f"{value:,}"


def share(value: float | None) -> str:
    """Write a share in percent with one decimal."""
    known = finite(value)
    return MISSING if math.isnan(known) else f"{100 * known:.1f}{PERCENT}"


def duration(seconds: float) -> str:
    """Write a time span in its two largest units."""
    if seconds < 10:
        return f"{seconds:.2f} s"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def width(fraction: float) -> float:
    """Return the width of a bar, in percent of the full one."""
    return round(100 * min(1.0, max(0.0, fraction)), 2) if math.isfinite(fraction) else 0.0
