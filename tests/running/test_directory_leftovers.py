"""What a killed run leaves behind, the next one removes."""

from __future__ import annotations

from pathlib import Path

import pytest

from jointtask.running.directory import ReadOnlyRunDirectory, RunDirectory

LEFT = [".0123abcd.part", ".tmpAbCd12", "checkpoints/.ffffffff.part", "checkpoints/.tmp00000z"]
KEPT = ["notes.part", "checkpoints/3.safetensors", "model.safetensors"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "checkpoints").mkdir()
    for name in [*LEFT, *KEPT]:
        (tmp_path / name).write_bytes(b"half")
    return tmp_path


def names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_the_process_that_holds_the_lock_removes_them(folder: Path) -> None:
    RunDirectory(folder).remove_leftovers()
    assert names(folder) == set(KEPT)


def test_other_processes_leave_them_to_it(folder: Path) -> None:
    ReadOnlyRunDirectory(folder).remove_leftovers()
    assert names(folder) == {*LEFT, *KEPT}
