"""One process at a time in a folder, and what happens on file systems without locks."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from jointtask.api.errors import ConfigError
from jointtask.running.lock import locked

HOLD = """
import sys, time
from pathlib import Path
from jointtask.running.lock import locked
with locked(Path(sys.argv[1]), print):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_process_is_kept_out_until_the_first_leaves(tmp_path: Path) -> None:
    said: list[str] = []
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(ConfigError, match="another process is running in") as caught, locked(tmp_path, said.append):
        pass
    assert "wait for it" in caught.value.remedy
    holder.send_signal(signal.SIGKILL)
    holder.communicate()
    with locked(tmp_path, said.append):
        pass
    assert not list(tmp_path.iterdir())
    assert said == []


def test_the_same_process_is_kept_out_too_and_no_file_is_left(tmp_path: Path) -> None:
    with locked(tmp_path / "a" / "b", print):
        with pytest.raises(ConfigError, match="another process is running in"), locked(tmp_path / "a" / "b", print):
            pass
        with pytest.raises(ConfigError, match="another process"), locked(tmp_path / "a" / "b", print):
            pass
    assert not list((tmp_path / "a" / "b").iterdir())


@pytest.mark.parametrize("number", ["EBADF", "ENOSYS", "ENOLCK", "EOPNOTSUPP", "EINVAL", "EIO"])
def test_a_file_system_without_locks_is_said_and_used(
    number: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(handle: int, operation: int) -> None:
        raise OSError(getattr(errno, number), os.strerror(getattr(errno, number)))

    monkeypatch.setattr("fcntl.flock", refuse)
    said: list[str] = []
    for _ in range(2):
        with locked(tmp_path, said.append):
            assert tmp_path.is_dir()
    assert len(said) == 2
    assert os.strerror(getattr(errno, number)) in said[0]
    assert "nothing keeps a second one out" in said[0]
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be made or opened") as caught, locked(tmp_path / "file" / "x", print):
        pass
    assert "--output" in caught.value.remedy
