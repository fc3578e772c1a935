from __future__ import annotations

import errno
import os
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from attrs import define, field

import jointtask.tools.cache_file
from jointtask.api.errors import DataError, RunError
from jointtask.tools.cache import CachedArrays, FaultsError, cached_arrays

COUNT = 50
KEYS = [f"key {i}" for i in range(COUNT)]


@define
class Recorder:
    """A `Progress` that is its own bar."""

    phases: list[tuple[str, int]] = field(factory=list)
    advanced: int = 0

    @contextmanager
    def phase(self, name: str, total: int) -> Iterator[Recorder]:
        self.phases.append((name, total))
        yield self

    def advance(self, amount: int = 1) -> None:
        self.advanced += amount

    def say(self, line: str) -> None:
        raise AssertionError(line)


def arrays_of(index: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(index)
    return {
        "number": np.array(index),
        "flags": random.random((3, 5)) < 0.5,
        "values": random.normal(size=7).astype(np.float32),
    }


def build(
    folder: Path, make: Callable[[int], Any] = arrays_of, keys: list[str] = KEYS, progress: Recorder | None = None
) -> CachedArrays:
    progress = progress or Recorder()
    return cached_arrays(folder, keys, make, workers=2, progress=progress, label="make", examples_per_file=8)


def never(index: int) -> dict[str, np.ndarray]:
    raise AssertionError(f"example {index} was made again")


def test_rows_come_back_as_they_were_made_in_any_order(tmp_path: Path) -> None:
    cached = build(tmp_path)
    index = np.random.default_rng(0).permutation(COUNT)
    batch = cached.batch(index)
    assert len(cached) == COUNT
    for place, i in enumerate(index):
        for name, array in arrays_of(i).items():
            np.testing.assert_array_equal(batch[name][place], array)
            assert batch[name].dtype == array.dtype
    np.testing.assert_array_equal(cached.batch([4, 4, 0])["number"], [4, 4, 0])


def test_named_arrays_alone_are_read(tmp_path: Path) -> None:
    assert build(tmp_path).batch([1], ["flags"]).keys() == {"flags"}


@pytest.mark.parametrize("index", [[], [-1], [COUNT]])
def test_positions_outside_are_refused(tmp_path: Path, index: list[int]) -> None:
    with pytest.raises(IndexError, match="positions"):
        build(tmp_path).batch(index)


def test_what_a_batch_returns_can_be_changed_and_the_cache_does_not_change(tmp_path: Path) -> None:
    cached = build(tmp_path)
    cached.batch([3])["values"][:] = 0
    np.testing.assert_array_equal(cached.batch([3])["values"][0], arrays_of(3)["values"])


def test_progress_counts_what_is_made_and_a_full_cache_makes_nothing(tmp_path: Path) -> None:
    first, second = Recorder(), Recorder()
    build(tmp_path, progress=first)
    build(tmp_path, never, progress=second)
    assert (first.phases, first.advanced) == ([("make", COUNT)], COUNT)
    assert second.phases == []


def test_an_interrupted_build_resumes_by_shard(tmp_path: Path) -> None:
    made: list[int] = []

    def interrupted(index: int) -> dict[str, np.ndarray]:
        if index == COUNT - 1:
            raise KeyboardInterrupt
        return arrays_of(index)

    def counted(index: int) -> dict[str, np.ndarray]:
        made.append(index)
        return arrays_of(index)

    with pytest.raises(KeyboardInterrupt):
        build(tmp_path, interrupted)
    cached = build(tmp_path, counted)
    assert 0 < len(made) <= 16
    np.testing.assert_array_equal(cached.batch(range(COUNT))["number"], np.arange(COUNT))


def test_one_example_less_makes_one_shard_anew(tmp_path: Path) -> None:
    build(tmp_path)
    progress = Recorder()
    left = [i for i in range(COUNT) if i != 20]
    cached = build(tmp_path, lambda i: arrays_of(left[i]), [KEYS[i] for i in left], progress)
    np.testing.assert_array_equal(cached.batch(range(COUNT - 1))["number"], left)
    assert progress.advanced <= 32  # two shards at most, where the longest possible one is cut


@pytest.mark.parametrize("length", [0, 1, 40, 200, -1])
def test_a_truncated_file_is_made_again(tmp_path: Path, length: int) -> None:
    build(tmp_path)
    path = sorted(tmp_path.glob("*.npy"))[0]
    content = path.read_bytes()
    path.write_bytes(content[:length])
    build(tmp_path)
    assert path.read_bytes() == content


def test_a_damaged_header_is_seen_and_the_file_made_again(tmp_path: Path) -> None:
    expected = build(tmp_path).batch(range(COUNT))
    path = sorted(tmp_path.glob("*.npy"))[0]
    content = path.read_bytes()
    random = np.random.default_rng(0)
    for _ in range(100):
        damaged = bytearray(content)
        damaged[random.integers(128)] = random.integers(256)
        path.write_bytes(damaged)
        found = build(tmp_path).batch(range(COUNT))
        for name, array in expected.items():
            np.testing.assert_array_equal(found[name], array)


def test_a_damaged_row_is_found_when_it_is_read_removed_and_made_again(tmp_path: Path) -> None:
    cached = build(tmp_path)
    path = sorted(tmp_path.glob("*.npy"))[0]
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(RunError, match="damaged"):
        cached.batch(range(COUNT))
    assert not path.exists()
    np.testing.assert_array_equal(build(tmp_path).batch(range(COUNT))["number"], np.arange(COUNT))


def test_a_file_that_shrinks_while_it_is_used_is_an_error_not_a_crash(tmp_path: Path) -> None:
    cached = build(tmp_path)
    for path in tmp_path.glob("*.npy"):
        os.truncate(path, 300)
    with pytest.raises(RunError, match="damaged or gone"):
        cached.batch([0])


def test_all_faults_are_collected_and_the_good_shards_kept(tmp_path: Path) -> None:
    def faulty(index: int) -> dict[str, np.ndarray]:
        if index < 12:
            raise DataError(f"example {index} is bad", cause="no reason", remedy="mend it")
        return arrays_of(index)

    with pytest.raises(FaultsError) as caught:
        build(tmp_path, faulty)
    assert list(caught.value.faults) == list(range(12))
    assert caught.value.message.startswith("12 of 50 examples cannot be used\n  example 0 is bad (no reason)\n")
    assert caught.value.message.endswith("example 9 is bad (no reason)\n  and 2 more")
    assert caught.value.remedy == "mend it"
    progress = Recorder()
    build(tmp_path, progress=progress)
    assert progress.advanced < COUNT


def test_another_error_comes_through_as_it_is(tmp_path: Path) -> None:
    def broken(index: int) -> dict[str, np.ndarray]:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        build(tmp_path, broken)


def test_arrays_of_changing_shape_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="one fixed layout"):
        build(tmp_path, lambda i: {"values": np.zeros(1 + (i == 3))})


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EACCES])
def test_a_disk_that_refuses_is_explained_and_leaves_nothing_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def refusing(file: Any, array: np.ndarray) -> None:
        file.write(b"half of it")
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(jointtask.tools.cache_file.np, "save", refusing)
    with pytest.raises(RunError) as caught:
        build(tmp_path)
    assert str(tmp_path) in caught.value.message
    assert caught.value.cause == os.strerror(code)
    assert "JOINTTASK_CACHE" in caught.value.remedy
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
def test_numpys_own_words_for_a_full_disk_are_translated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save = np.save

    def full(file: Any, array: np.ndarray) -> None:
        with Path("/dev/full").open("wb") as device:
            save(device, array)

    monkeypatch.setattr(jointtask.tools.cache_file.np, "save", full)
    with pytest.raises(RunError, match=r"MB are free|No space left"):
        build(tmp_path)


def test_a_folder_that_cannot_be_made_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(RunError, match=r"cache in .*file") as caught:
        build(tmp_path / "file" / "cache")
    assert "JOINTTASK_CACHE" in caught.value.remedy


def test_an_unreadable_file_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cached = build(tmp_path)

    def closed(*args: Any, **kwargs: Any) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(np, "memmap", closed)
    with pytest.raises(RunError, match="cannot be used"):
        cached.batch([0])


def test_temporary_files_of_dead_writers_go_and_those_of_living_ones_stay(tmp_path: Path) -> None:
    old, new = tmp_path / ".0123abcd.part", tmp_path / ".4567abcd.part"
    for path in (old, new):
        path.touch()
    os.utime(old, (0, 0))
    build(tmp_path)
    assert not old.exists()
    assert new.exists()


def zipped(path: Path) -> None:
    with path.open("wb") as file:
        np.savez(file, a=np.arange(3))


@pytest.mark.parametrize(
    "replace",
    [
        zipped,
        lambda path: np.save(path, np.arange(3)),
        lambda path: np.save(path, np.array({"a": 1}), allow_pickle=True),
        lambda path: path.write_bytes(b"PK\x03\x04 not a zip file"),
        lambda path: path.write_text("a text"),
        lambda path: path.write_bytes(b"\x93NUMPY\x01\x00" + b"\xff" * 300),
    ],
)
def test_another_file_in_the_place_of_one_of_the_cache_is_made_again(
    tmp_path: Path, replace: Callable[[Path], object]
) -> None:
    expected = build(tmp_path).batch(range(COUNT))["values"]
    replace(sorted(tmp_path.glob("*.npy"))[0])
    np.testing.assert_array_equal(build(tmp_path).batch(range(COUNT))["values"], expected)


def test_keys_that_are_not_utf8_are_keys_like_others(tmp_path: Path) -> None:
    keys = [f"caf\udce9 {i}" for i in range(COUNT)]
    build(tmp_path, keys=keys)
    build(tmp_path, never, keys=keys)
    with pytest.raises(AssertionError, match="made again"):
        build(tmp_path, never, keys=[f"caf\udcea {i}" for i in range(COUNT)])


def test_two_builds_at_once_do_not_harm_each_other(tmp_path: Path) -> None:
    barrier = threading.Barrier(2)
    found: list[np.ndarray] = []

    def run() -> None:
        barrier.wait()
        found.append(build(tmp_path).batch(range(COUNT))["number"])

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 2
    for numbers in found:
        np.testing.assert_array_equal(numbers, np.arange(COUNT))
    assert list(tmp_path.glob(".*.part")) == []


def test_memory_and_open_files_stay_bounded_however_large_the_cache(tmp_path: Path) -> None:
    row = 1 << 18
    keys = [f"large {i}" for i in range(256)]

    def files() -> int:
        folder = Path("/proc/self/fd")
        return len(list(folder.iterdir())) if folder.exists() else 0

    tracemalloc.start()
    cached = build(tmp_path, lambda i: {"values": np.full(row, i % 251, dtype=np.uint8)}, keys)
    before = files()
    for start in range(0, 256, 8):
        assert cached.batch(range(start, start + 8))["values"].shape == (8, row)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert files() <= before
    assert peak < 0.25 * 256 * row  # a shard of at most 16 rows, its copy and the rows under way


def test_no_keys_give_an_empty_cache(tmp_path: Path) -> None:
    assert len(build(tmp_path, keys=[])) == 0
