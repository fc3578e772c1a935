import math

import pytest

from jointtask.tools import text


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0.0, "0 s"),
        (0.254, "0.25 s"),
        (5.0, "5 s"),
        (12.34, "12.3 s"),
        (59.97, "1 min 0 s"),
        (75.0, "1 min 15 s"),
        (3599.7, "1 h 0 min"),
        (7500.0, "2 h 5 min"),
    ],
)
def test_a_duration_has_one_way_to_be_written(seconds: float, expected: str) -> None:
    assert text.duration(seconds) == expected


@pytest.mark.parametrize(
    ("names", "shown", "between", "expected"),
    [
        ([], 5, ", ", ""),
        (["a", "b"], 2, ", ", "a, b"),
        (["a", "b", "c"], 2, ", ", "a, b and 1 more"),
        (["x"] * 2000, 1, ", ", "x and 1,999 more"),
        (["a", "b", "c"], 2, "\n", "a\nb\nand 1 more"),
    ],
)
def test_a_listing_says_how_many_names_it_leaves_out(names: list[str], shown: int, between: str, expected: str) -> None:
    assert text.listing(names, shown, between) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [(3.14159, "3.142"), (123456.7, "123,457"), (math.nan, text.MISSING), (None, text.MISSING), (0.00012, "0.00012")],
)
def test_numbers(value: float | None, expected: str) -> None:
    assert text.number(value) == expected


@pytest.mark.parametrize(("words", "expected"), [("a mean", "a mean."), ("A mean. ", "A mean."), ("", "")])
def test_sentences(words: str, expected: str) -> None:
    assert text.sentence(words) == expected
