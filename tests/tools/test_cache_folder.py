from __future__ import annotations

from pathlib import Path

import pytest

from jointtask.tools.cache import cache_folder


def test_cache_folder_is_the_users_or_the_chosen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("JOINTTASK_CACHE", raising=False)
    assert cache_folder().is_absolute()
    assert cache_folder().name == "jointtask"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JOINTTASK_CACHE", "here")
    assert cache_folder() == tmp_path / "here"
