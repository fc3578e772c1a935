"""Images and masks in tar files: the same examples as in a folder, an index by file, and what is refused."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from attrs import evolve
from jointtask_object_extraction.data import index as index_module
from jointtask_object_extraction.data.folder import image_folder
from jointtask_object_extraction.data.members import list_members
from jointtask_object_extraction.data.shards import image_shards, index_shards
from jointtask_object_extraction.settings import ImageFolder, ImageShards
from PIL import Image

from jointtask.api import Context, DataError
from jointtask.testing import check_dataset
from jointtask.tools import SilentProgress


def png(values: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(values).save(file, "PNG")
    return file.getvalue()


def files(seed: int) -> tuple[bytes, bytes]:
    mask = np.zeros((30, 40), dtype=np.uint8)
    mask[5:15, 5 + seed % 9 : 25] = 255
    return png(np.random.default_rng(seed).integers(0, 256, (30, 40, 3), dtype=np.uint8)), png(mask)


def write(path: Path, members: dict[str, bytes], mode: str = "w") -> None:
    with tarfile.open(path, mode) as tar:  # type: ignore[call-overload]
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))


def shard(path: Path, seeds: range) -> None:
    members = {}
    for seed in seeds:
        members[f"{seed:04d}.png"], members[f"{seed:04d}.mask.png"] = files(seed)
        members[f"{seed:04d}.json"] = b"{}"
    write(path, members)


@pytest.fixture
def settings(tmp_path: Path) -> ImageShards:
    (tmp_path / "data").mkdir()
    shard(tmp_path / "data" / "train-0.tar", range(4))
    shard(tmp_path / "data" / "train-1.tar", range(4, 7))
    return ImageShards(shards=str(tmp_path / "data"))


@pytest.fixture
def context(tmp_path: Path) -> Context:
    return Context(torch.device("cpu"), workers=2, cache=tmp_path / "cache", progress=SilentProgress())


def test_shards_hold_the_examples_of_a_folder_of_the_same_files(
    settings: ImageShards, context: Context, tmp_path: Path
) -> None:
    for seed in range(7):
        for kind, content in zip(("images", "masks"), files(seed), strict=True):
            (tmp_path / kind).mkdir(exist_ok=True)
            (tmp_path / kind / f"{seed:04d}.png").write_bytes(content)
    folder = image_folder(ImageFolder(images=str(tmp_path / "images"), masks=str(tmp_path / "masks")), context)
    dataset = image_shards(settings, context)
    assert list(dataset.ids) == [f"train-{int(seed > 3)}/{seed:04d}" for seed in range(7)]
    assert list(dataset.starts) == [0, 4]
    assert list(dataset.digests) == list(folder.digests)
    ours, theirs = dataset.batch([6, 0, 3]), folder.batch([6, 0, 3])
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert np.array_equal(dataset.example(5).image, folder.example(5).image)
    assert np.array_equal(dataset.example(5).mask, folder.example(5).mask)
    check_dataset(dataset, again=image_shards(settings, context))
    assert dataset.notes[0] == "2 shards"
    pattern = evolve(settings, shards=str(tmp_path / "data" / "*-1.tar"))
    assert list(image_shards(pattern, context).ids) == list(dataset.ids)[4:]
    assert "mask" not in image_shards(evolve(settings, mask="", image=("png",)), context).batch([0])


def test_indexed_shards_are_the_same_and_only_those_that_changed_are_read(
    settings: ImageShards, context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = image_shards(settings, context)
    read: list[str] = []
    original = index_module.file_digest

    def digest(file: Path) -> str:
        read.append(str(file))
        return original(file)

    monkeypatch.setattr(index_module, "file_digest", digest)
    assert index_shards(settings, context) == 7
    assert len(read) == 14
    with monkeypatch.context() as patch:
        patch.setattr("jointtask_object_extraction.data.shards.list_members", lambda path: pytest.fail("listed"))
        indexed = image_shards(settings, context)
    assert indexed.fingerprint == plain.fingerprint
    assert torch.equal(indexed.batch([5])["image"], plain.batch([5])["image"])
    assert np.array_equal(indexed.example(5).image, plain.example(5).image)
    read.clear()
    shard(tmp_path / "data" / "train-1.tar", range(4, 9))
    assert len(image_shards(settings, context)) == 9
    assert index_shards(settings, context) == 9
    assert len(read) == 10
    assert all("train-1" in name for name in read)


WRONG: dict[str, tuple[Callable[[Path], object], str]] = {
    "nothing there": (lambda path: path.unlink(), "no tar file in"),
    "no tar": (lambda path: path.write_bytes(b"PK" * 1000), "cannot be read as a tar file"),
    "compressed": (lambda path: write(path, {"a.png": b""}, "w:gz"), "cannot be read as a tar file"),
    "empty": (lambda path: write(path, {}), "no image in"),
    "cut off": (lambda path: path.write_bytes(path.read_bytes()[:1500]), "cut off within|cannot be read as a tar"),
    "no mask": (lambda path: write(path, {"a.png": files(1)[0]}), "image without a mask, 1: only/a"),
    "two images": (
        lambda path: write(path, {"a.png": files(1)[0], "a.jpg": files(1)[0], "a.mask.png": files(1)[1]}),
        "more than one image of one key",
    ),
    "no image file": (lambda path: write(path, {"a.png": b"text", "a.mask.png": files(1)[1]}), r"only\.tar/a\.png"),
    "empty mask": (
        lambda path: write(path, {"a.png": files(1)[0], "a.mask.png": png(np.zeros((30, 40), np.uint8))}),
        "empty mask",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_cannot_be_used_is_named(what: str, context: Context, tmp_path: Path) -> None:
    spoil, message = WRONG[what]
    path = tmp_path / "data" / "only.tar"
    path.parent.mkdir()
    shard(path, range(2))
    spoil(path)
    for work in (image_shards, index_shards):
        with pytest.raises(DataError, match=message):
            work(ImageShards(shards=str(path.parent)), context)


def test_members_are_read_in_place(tmp_path: Path) -> None:
    write(tmp_path / "a.tar", {"below/x.bin": b"one", ".hidden": b"no", "y.bin": b"", "z.bin": b"three"})
    members = list_members(tmp_path / "a.tar")
    assert [(member.name, member.read()) for member in members] == [
        ("below/x.bin", b"one"),
        ("y.bin", b""),
        ("z.bin", b"three"),
    ]
    assert [type(member).at(member.tar, member.place()) for member in members] == members
