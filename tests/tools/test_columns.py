"""Columns in files: what is read is what was written, whatever the texts; a writer that is killed leaves the old."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import numpy as np
import pytest

from jointtask.tools.columns import Columns, LazySequence, open_columns, write_columns

TEXTS = [
    [],
    [""],
    ["", "", "a"],
    ["one", "zwölf", "三", "a\nb", "\x00"],
    ["not text \udce9", "\udcff"],
    [f"folder/{row:07d}" for row in range(70_001)],
]


def written(path: Path, texts: list[str], **facts: object) -> Columns:
    write_columns(path, {"ids": texts}, {"rows": np.arange(len(texts))}, facts, distinct=["ids"])
    columns = open_columns(path)
    assert columns is not None
    return columns


@pytest.mark.parametrize("texts", TEXTS, ids=range(len(TEXTS)))
def test_a_column_of_text_is_the_list_that_was_written(texts: list[str], tmp_path: Path) -> None:
    columns = written(tmp_path / "index.json", texts, notes=["seen"])
    ids = columns.texts["ids"]
    assert len(ids) == len(texts)
    assert list(ids) == texts
    assert [ids[row] for row in range(min(5, len(texts)))] == texts[:5]
    for some in (slice(2), slice(1, 3), slice(None, None, -2), slice(-2, None), slice(5, 2), slice(1, 10**9)):
        assert ids[some] == texts[some]
    if texts:
        assert ids[-1] == texts[-1]
    with pytest.raises(IndexError):
        ids[len(texts)]
    assert ids.distinct
    assert columns.numbers["rows"].tolist() == list(range(len(texts)))
    assert columns.facts == {"notes": ["seen"]}


def test_columns_that_are_written_again_replace_the_old_ones_which_stay_readable(tmp_path: Path) -> None:
    old = written(tmp_path / "index.json", ["a", "b"])
    new = written(tmp_path / "index.json", ["c"])
    assert list(old.texts["ids"]) == ["a", "b"]
    assert list(new.texts["ids"]) == ["c"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["index.2", "index.json"]


def test_a_writer_that_fails_or_was_killed_leaves_the_old_columns(tmp_path: Path) -> None:
    path = tmp_path / "index.json"
    written(path, ["a", "b"])

    def broken() -> object:
        yield "c"
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space left"):
        write_columns(path, {"ids": broken()}, {}, {})  # type: ignore[dict-item]
    (tmp_path / "index.2").mkdir()  # as of one that was killed before it had named its folder
    (tmp_path / "index.2" / "ids.text").write_text("half")
    for name, age in (("0123abcd", 4000), ("4567abcd", 10)):  # one writer is gone, one may still be at work
        (tmp_path / f".{name}.part").mkdir()
        os.utime(tmp_path / f".{name}.part", (time.time() - age,) * 2)
    columns = open_columns(path)
    assert columns is not None
    assert list(columns.texts["ids"]) == ["a", "b"]
    assert list(written(path, ["d"]).texts["ids"]) == ["d"]
    assert [found.name for found in tmp_path.glob(".*.part")] == [".4567abcd.part"]


@pytest.mark.parametrize("damage", ["no file", "no JSON", "a list", "no folder", "no column", "cut off"])
def test_what_is_not_whole_is_not_opened(damage: str, tmp_path: Path) -> None:
    path = tmp_path / "index.json"
    written(path, ["a", "b"])
    folder = tmp_path / "index.1"
    if damage == "no file":
        path.unlink()
    elif damage in ("no JSON", "a list"):
        path.write_text("{" if damage == "no JSON" else json.dumps([1]))
    elif damage == "no folder":
        folder.rename(tmp_path / "elsewhere")
    elif damage == "no column":
        (folder / "ids.text").unlink()
    else:
        (folder / "ids.ends.npy").write_bytes(b"\x93NUMPY")
    assert open_columns(path) is None


def test_a_lazy_sequence_is_the_list_of_the_function() -> None:
    values = list(range(7))
    lazy = LazySequence(values, str)
    expected = [str(value) for value in values]
    assert len(lazy) == 7
    assert list(lazy) == expected
    assert lazy[2:5] == expected[2:5]
    assert lazy[-1] == "6"
    assert "3" in lazy
