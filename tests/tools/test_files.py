from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import Any

import pytest
import torch

from jointtask.tools.files import remove_leftovers, replacing, write_atomic
from jointtask.tools.tensorfile import save_tensors


@pytest.mark.parametrize(("content", "stored"), [(b"\x00\xff", b"\x00\xff"), ("é\n", "é\n".encode())])
def test_writes_bytes_and_text(tmp_path: Path, content: bytes | str, stored: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    write_atomic(path, content)
    assert path.read_bytes() == stored
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_respects_the_umask(tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        write_atomic(tmp_path / "file", b"")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o640


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EACCES, errno.EIO])
def test_failure_keeps_the_old_file_and_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def fail(descriptor: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match=os.strerror(code)) as caught:
        write_atomic(path, b"new")
    assert caught.value.filename == str(path)
    assert path.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_interruption_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*arguments: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_atomic(tmp_path / "file", b"new")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("length", [1, 100, 244, 255])
def test_a_name_that_fits_can_be_written(tmp_path: Path, length: int) -> None:
    for name in ("a" * length, "\N{CJK UNIFIED IDEOGRAPH-5199}" * (length // 3) or "b"):
        write_atomic(tmp_path / name, b"content")
        assert (tmp_path / name).read_bytes() == b"content"


@pytest.mark.parametrize("name", ["caf\udce9", "\udcff\udcfe", "a\nb", "\x1b[31m", " "])
def test_names_are_bytes(tmp_path: Path, name: str) -> None:
    write_atomic(tmp_path / name, f"about {name}")
    assert [os.fsencode(path.name) for path in tmp_path.iterdir()] == [os.fsencode(name)]
    (tmp_path / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("code", [errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EPERM])
@pytest.mark.parametrize("call", ["fsync", "chmod"])
def test_a_file_system_without_a_call_does_without_it_and_says_so_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], code: int, call: str
) -> None:
    def refuse(*arguments: Any, **more: Any) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, call, refuse)
    for _ in range(2):
        save_tensors(tmp_path / "file", {"a": torch.zeros(3)})
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("note: ")
    assert str(tmp_path) in lines[0]


@pytest.mark.parametrize(
    "name", [".0123abcd.part", ".ffffffff.part", ".tmpAb3dEf", ".tmp000000", ".deadbeef.part/folder/file"]
)
def test_what_a_killed_writer_left_is_removed(tmp_path: Path, name: str) -> None:
    left = tmp_path / name
    left.parent.mkdir(parents=True, exist_ok=True)
    left.write_bytes(b"half")
    remove_leftovers(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "name", ["a.part", ".part", ".hidden", ".tmp", ".tmpfile", "model.safetensors", ".0123ABCD.part"]
)
def test_what_is_somebody_elses_stays(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"whole")
    remove_leftovers(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_folder_that_is_not_there_has_nothing_left_in_it(tmp_path: Path) -> None:
    remove_leftovers(tmp_path / "none")
    (tmp_path / "file").write_bytes(b"")
    remove_leftovers(tmp_path / "file")


def test_a_folder_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    with replacing(tmp_path / "made") as temporary:
        temporary.mkdir()
        (temporary / "file").write_text("content")
    assert (tmp_path / "made" / "file").read_text() == "content"
    with pytest.raises(OSError, match=r"not empty|exists") as caught, replacing(tmp_path / "made") as temporary:
        temporary.mkdir()
    assert caught.value.filename == str(tmp_path / "made")
    assert [path.name for path in tmp_path.iterdir()] == ["made"]
