from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from jointtask.tools.files import write_atomic


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


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EACCES])
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
