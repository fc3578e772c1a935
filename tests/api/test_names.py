import hashlib

import pytest

from jointtask.api import Streams, derive, name_bytes, printable

NAMES = ["plain", "é", "\udce9", "\udcc3\udca9", "\ud800", "a\x1b[31m", "\N{GRINNING FACE}", "", "\n"]


def test_different_names_have_different_bytes() -> None:
    assert len({name_bytes(name) for name in NAMES}) == len(NAMES)


@pytest.mark.parametrize("name", [name for name in NAMES if name.isprintable()])
def test_ordinary_names_keep_their_numbers(name: str) -> None:
    before = hashlib.blake2b(f"int:3\x1fstr:{name}".encode(), digest_size=8).digest()
    assert derive(3, name) == int.from_bytes(before, "little") >> 1


def test_every_name_has_a_stream_of_its_own() -> None:
    drawn = Streams(0, 1, NAMES, "test").uniform(1)[:, 0].tolist()
    assert len(set(drawn)) == len(NAMES)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("plain", "plain"),
        ("é \N{GRINNING FACE}", "é \N{GRINNING FACE}"),
        ("caf\udce9", "caf\\udce9"),
        ("\ud800", "\\ud800"),
        ("a\x1b]0;title\x07", "a\\x1b]0;title\\x07"),
        ("a\x9bb", "a\\x9bb"),
        ("two\n\tlines", "two\n\tlines"),
    ],
)
def test_what_is_shown_fits_every_stream_and_moves_no_cursor(name: str, shown: str) -> None:
    assert printable(name) == shown
    shown.encode()
