"""Text files that a user names."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from jointtask_object_extraction.data.textfile import read_lines

from jointtask.api import DataError


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_what_other_programs_write_is_read_or_explained(tmp_path: Path, encoding: str, newline: str) -> None:
    path = tmp_path / "ids.txt"
    path.write_bytes(f"é1{newline}{newline} b 2 {newline}".encode(encoding))
    if encoding.endswith(("-le", "-be")):  # without a byte-order mark
        with pytest.raises(DataError) as caught:
            read_lines(path, "list of ids")
        assert "UTF-8" in caught.value.remedy
    else:
        assert read_lines(path, "list of ids") == ["é1", "b 2"]


def test_bytes_that_are_no_utf_8_are_kept_as_in_names_of_files(tmp_path: Path) -> None:
    path = tmp_path / "ids.txt"
    path.write_bytes(b"caf\xe9\n")
    assert read_lines(path, "list of ids") == [os.fsdecode(b"caf\xe9")]


@pytest.mark.parametrize("make", ["missing", "folder", "pipe", "odd UTF-16"])
def test_what_cannot_be_read_is_named_with_a_remedy(tmp_path: Path, make: str) -> None:
    path = tmp_path / "ids.txt"
    if make == "folder":
        path.mkdir()
    elif make == "pipe":
        os.mkfifo(path)
    elif make == "odd UTF-16":
        path.write_bytes(b"\xff\xfea")
    with pytest.raises(DataError, match=r"ids\.txt: the list of ids cannot be read") as caught:
        read_lines(path, "list of ids")
    assert caught.value.cause
