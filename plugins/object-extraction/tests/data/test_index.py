"""The index of a folder: the same data set without reading a file, noticed changes, and no reading twice."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from attrs import evolve
from jointtask_object_extraction.data import folder as folder_module
from jointtask_object_extraction.data import index as index_module
from jointtask_object_extraction.data.folder import image_folder, index_folder
from jointtask_object_extraction.settings import ImageFolder
from PIL import Image

from jointtask.api import Context, DataError
from jointtask.testing import check_dataset
from jointtask.tools import SilentProgress


class Heard(SilentProgress):
    """A progress display that keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.phases: list[str] = []

    def phase(self, name: str, total: int) -> Any:
        self.phases.append(name)
        return super().phase(name, total)

    def say(self, line: str) -> None:
        self.lines.append(line)


def write(root: Path, name: str, seed: int, *, size: int = 30) -> None:
    random = np.random.default_rng(seed)
    mask = np.zeros((size, 40), dtype=np.uint8)
    mask[5:15, 5 + seed % 9 : 25] = 255
    for path, values in (
        (root / "images" / f"{name}.png", random.integers(0, 256, (size, 40, 3), dtype=np.uint8)),
        (root / "masks" / f"{name}.png", mask),
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(values).save(path)


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def context(tmp_path: Path, heard: Heard) -> Context:
    return Context(torch.device("cpu"), workers=2, cache=tmp_path / "cache", progress=heard)


@pytest.fixture
def settings(tmp_path: Path) -> ImageFolder:
    for number in range(5):
        write(tmp_path, f"a{number}", number)
    write(tmp_path, "below/b", 7)
    return ImageFolder(images=str(tmp_path / "images"), masks=str(tmp_path / "masks"))


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files whose content is read."""
    names: list[str] = []
    original = index_module.file_digest

    def digest(path: Path) -> str:
        names.append(f"{path.parent.name}/{path.name}")
        return original(path)

    monkeypatch.setattr(index_module, "file_digest", digest)
    monkeypatch.setattr(folder_module, "file_digest", digest)
    return names


def same(one: Any, other: Any) -> bool:
    columns = ("ids", "digests", "input_digests")
    batches = one.batch(range(len(one))), other.batch(range(len(other)))
    return (
        all(list(getattr(one, name)) == list(getattr(other, name)) for name in columns)
        and one.fingerprint == other.fingerprint
        and list(one.notes) == list(other.notes)
        and all(torch.equal(batches[0][name], batches[1][name]) for name in batches[0])
        and all(np.array_equal(one.example(row).mask, other.example(row).mask) for row in range(len(one)))
    )


@pytest.mark.parametrize(
    "changes",
    [{}, {"masks": ""}, {"limit": 3}, {"part": (0.0, 0.5)}, {"encoding": "grey"}, {"box_noise": 0.1}],
    ids=str,
)
def test_indexed_data_are_the_same_and_no_file_is_read(
    changes: dict[str, Any], settings: ImageFolder, context: Context, heard: Heard, read: list[str]
) -> None:
    settings = evolve(settings, **changes)
    plain = image_folder(settings, context)
    assert index_folder(settings, context) == len(plain)
    read.clear()
    heard.phases.clear()
    indexed = image_folder(settings, context)
    assert (heard.phases, heard.lines, read) == ([], [], [])
    assert same(indexed, plain)
    check_dataset(indexed, again=image_folder(settings, context))


def test_data_under_other_settings_or_without_their_cache_are_read_as_ever(
    settings: ImageFolder, context: Context, heard: Heard
) -> None:
    index_folder(settings, context)
    heard.phases.clear()
    assert len(image_folder(evolve(settings, limit=2), context)) == 2
    assert "read files" in heard.phases
    shutil.rmtree(context.cache / "frames")
    assert len(image_folder(settings, context)) == 6


def test_a_list_of_ids_that_changed_has_no_index(settings: ImageFolder, context: Context, tmp_path: Path) -> None:
    ids = tmp_path / "ids.txt"
    ids.write_text("a0\na1\n")
    settings = evolve(settings, ids=str(ids))
    index_folder(settings, context)
    ids.write_text("a2\n")
    assert list(image_folder(settings, context).ids) == ["a2"]


CHANGES: dict[str, Callable[[Path], object]] = {
    "added": lambda root: write(root, "new", 9),
    "added below": lambda root: write(root, "below/new", 9),
    "added in a new folder": lambda root: write(root, "elsewhere/new", 9),
    "removed": lambda root: [(root / kind / "a0.png").unlink() for kind in ("images", "masks")],
    "renamed": lambda root: [(root / kind / "a0.png").rename(root / kind / "z.png") for kind in ("images", "masks")],
    "replaced": lambda root: [
        (root / kind / "below" / "b.png").replace(root / kind / "a0.png") for kind in ("images", "masks")
    ],
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_folder_is_noticed_and_indexed_again_without_reading_the_rest(
    change: str, settings: ImageFolder, context: Context, tmp_path: Path, heard: Heard, read: list[str]
) -> None:
    index_folder(settings, context)
    CHANGES[change](tmp_path)
    found = image_folder(settings, context)
    assert heard.lines
    assert all("was changed since it was indexed" in line for line in heard.lines)
    heard.lines.clear()
    read.clear()
    index_folder(settings, context)
    assert len(read) == (0 if change == "removed" else 2)
    indexed = image_folder(settings, context)
    assert not heard.lines
    assert same(indexed, found)


def test_a_file_changed_in_its_place_is_noticed_when_it_is_used(
    settings: ImageFolder, context: Context, tmp_path: Path
) -> None:
    index_folder(settings, context)
    os.utime(tmp_path / "images" / "a1.png", ns=(1, 1))  # another time, the same content
    mask = tmp_path / "masks" / "a2.png"
    mask.write_bytes(mask.read_bytes() + b"more")
    indexed = image_folder(settings, context)
    assert indexed.example(1).id == "a1"
    with pytest.raises(DataError, match=r"a2\.png was changed since it was indexed") as caught:
        indexed.example(2)
    assert "jointtask data index" in caught.value.remedy


def test_a_killed_index_has_read_nothing_in_vain(
    settings: ImageFolder, context: Context, monkeypatch: pytest.MonkeyPatch, read: list[str]
) -> None:
    counting = index_module.file_digest

    def dying(path: Path) -> str:
        if len(read) == 7:
            raise KeyboardInterrupt
        return counting(path)

    monkeypatch.setattr(index_module, "file_digest", dying)
    with pytest.raises(KeyboardInterrupt):
        index_folder(settings, evolve(context, workers=1))
    log = next((context.cache / "index").glob("*.read"))
    log.write_text(log.read_text() + '["cut o')
    monkeypatch.setattr(index_module, "file_digest", counting)
    index_folder(settings, context)
    assert len(read) == 12
    assert not list((context.cache / "index").glob("*.read"))
