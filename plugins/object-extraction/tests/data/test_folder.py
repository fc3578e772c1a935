from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from attrs import define, evolve, field
from jointtask_object_extraction.data.decode import decode_image, squash
from jointtask_object_extraction.data.folder import image_folder
from jointtask_object_extraction.data.frames import FrameDataset
from jointtask_object_extraction.settings import ImageFolder
from PIL import Image

from jointtask.api import Context, DataError, RunError


@define
class Recorder:
    """A `Progress` that is its own bar."""

    phases: dict[str, int] = field(factory=dict)

    @contextmanager
    def phase(self, name: str, total: int) -> Iterator[Recorder]:
        self.phases[name] = total
        yield self

    def advance(self, amount: int = 1) -> None:
        pass

    def say(self, line: str) -> None:
        raise AssertionError(line)


@define
class Folder:
    """A folder of images and one of masks, to be spoilt by a test."""

    root: Path

    def __attrs_post_init__(self) -> None:
        for number in range(6):
            self.add(f"a{number}")

    @property
    def settings(self) -> ImageFolder:
        return ImageFolder(images=str(self.root / "images"), masks=str(self.root / "masks"))

    def add(self, id_: str, image: str = ".jpg", mask: str = ".png", size: tuple[int, int] = (30, 40)) -> None:
        random = np.random.default_rng(list(id_.encode()))
        self.write(f"images/{id_}{image}", random.integers(0, 256, (*size, 3), dtype=np.uint8))
        values = np.zeros(size, dtype=np.uint8)
        values[5:15, 5:25] = 255
        self.write(f"masks/{id_}{mask}", values)

    def write(self, name: str, values: np.ndarray) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(values).save(path)
        return path

    def read(self, progress: Recorder | None = None, **changes: Any) -> FrameDataset:
        context = Context(torch.device("cpu"), workers=2, cache=self.root / "cache", progress=progress or Recorder())
        return image_folder(evolve(self.settings, **changes), context)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def test_frames_and_examples_show_the_same_files(folder: Folder) -> None:
    dataset = folder.read()
    assert list(dataset.ids) == [f"a{i}" for i in range(6)]
    assert len(dataset) == 6
    batch = dataset.batch([4, 1])
    assert {name: (tuple(t.shape), t.dtype) for name, t in batch.items()} == {
        "image": ((2, 3, 224, 224), torch.uint8),
        "mask": ((2, 224, 224), torch.uint8),
    }
    example = dataset.example(4)
    assert example.id == "a4"
    np.testing.assert_array_equal(example.image, decode_image(folder.root / "images" / "a4.jpg", 10**6))
    assert example.mask is not None
    assert example.mask.sum() == 200
    np.testing.assert_array_equal(batch["image"][0].permute(1, 2, 0).numpy(), squash(example.image))
    assert abs(float(batch["mask"][0].float().mean()) - 200 / 1200) < 0.01
    assert any("masks read as 0/255, 6:" in note for note in dataset.notes)


def test_without_masks_there_is_no_mask(folder: Folder) -> None:
    dataset = folder.read(masks="")
    assert dataset.batch([0]).keys() == {"image"}
    assert dataset.example(0).mask is None


def test_folders_are_searched_in_depth_suffixes_are_free_and_hidden_files_are_not_there(folder: Folder) -> None:
    folder.add("cats/b1", image=".PNG", mask=".Tif")
    (folder.root / "images" / "._a0.jpg").write_bytes(b"not an image")
    (folder.root / "images" / "readme.txt").write_text("no image either")
    assert "cats/b1" in folder.read().ids


def test_a_second_start_decodes_nothing(folder: Folder) -> None:
    first, second = Recorder(), Recorder()
    folder.read(first)
    folder.read(second)
    assert first.phases == {"read files": 6, "decode images": 6}
    assert second.phases == {"read files": 6}


def test_the_fingerprint_covers_ids_and_content_and_nothing_else(folder: Folder) -> None:
    dataset = folder.read()
    assert len(set(dataset.digests)) == 6
    (folder.root / "masks" / "a3.png").touch()
    assert folder.read().fingerprint == dataset.fingerprint
    values = np.asarray(Image.open(folder.root / "masks" / "a3.png")).copy()
    values[0, 0] = 255
    folder.write("masks/a3.png", values)
    changed = folder.read()
    assert changed.fingerprint != dataset.fingerprint
    assert [a == b for a, b in zip(changed.digests, dataset.digests, strict=True)] == [i != 3 for i in range(6)]
    (folder.root / "images" / "a3.jpg").rename(folder.root / "images" / "a9.jpg")
    (folder.root / "masks" / "a3.png").rename(folder.root / "masks" / "a9.png")
    assert folder.read().fingerprint != changed.fingerprint


def test_a_list_of_ids_chooses_with_or_without_suffix(folder: Folder) -> None:
    (folder.root / "ids.txt").write_text("\ufeffa4\r\n\r\na1.jpg\na4\n", encoding="utf-8")
    dataset = folder.read(ids=str(folder.root / "ids.txt"))
    assert dataset.ids == ["a1", "a4"]
    assert any("2 of the 6 images" in note for note in dataset.notes)


def test_a_limit_chooses_the_same_whatever_else_is_there(folder: Folder) -> None:
    three, five = folder.read(limit=3), folder.read(limit=5)
    assert len(three) == 3
    assert set(three.ids) < set(five.ids)
    assert folder.read(limit=3).fingerprint == three.fingerprint
    assert len(folder.read(limit=100)) == 6


@pytest.mark.parametrize(
    ("low", "high", "count"), [(0, 1, 6), (0, 0.5, 3), (0.5, 1, 3), (0, 0.2, 1), (0.2, 1, 5), (0.3, 0.7, 2)]
)
def test_a_part_is_a_share_of_all(folder: Folder, low: float, high: float, count: int) -> None:
    assert len(folder.read(part=(low, high)).ids) == count


def test_parts_that_meet_share_nothing_and_leave_nothing(folder: Folder) -> None:
    parts = [folder.read(part=part).ids for part in ((0, 0.2), (0.2, 0.8), (0.8, 1))]
    assert sorted(id_ for part in parts for id_ in part) == folder.read().ids


def test_images_and_masks_may_share_a_folder(folder: Folder) -> None:
    for mask in (folder.root / "masks").iterdir():
        mask.rename(folder.root / "images" / mask.name)
    dataset = folder.read(masks=str(folder.root / "images"))
    assert len(dataset) == 6
    assert any("JPEG files are the images" in note for note in dataset.notes)


def test_a_missing_folder_is_named(folder: Folder) -> None:
    with pytest.raises(DataError, match=r"no such folder: .*/gone, .*/away"):
        folder.read(images=str(folder.root / "gone"), masks=str(folder.root / "away"))


def test_a_missing_list_of_ids_is_named(folder: Folder) -> None:
    with pytest.raises(DataError, match=r"gone.txt: the list of ids cannot be read"):
        folder.read(ids=str(folder.root / "gone.txt"))


def test_a_folder_without_images_says_what_it_holds(folder: Folder) -> None:
    (folder.root / "empty").mkdir()
    for name in ("a.psd", "b.psd"):
        (folder.root / "empty" / name).touch()
    with pytest.raises(DataError, match=r"no image in .*empty") as caught:
        folder.read(images=str(folder.root / "empty"))
    assert "2 .psd (a.psd, b.psd; to read them: save as PNG" in caught.value.cause


def test_everything_that_is_wrong_comes_at_once(folder: Folder) -> None:
    root = folder.root
    empty = np.zeros((30, 40), dtype=np.uint8)
    (root / "masks" / "a0.png").unlink()
    folder.write("masks/a1.png", empty)
    truncated = root / "images" / "a2.jpg"
    truncated.write_bytes(truncated.read_bytes()[:700])
    folder.write("masks/a3.png", np.zeros((40, 30), dtype=np.uint8))
    (root / "images" / "a4.jpg").rename(root / "images" / "a4.png")
    (root / "images" / "a4.png").write_text("this is text")
    folder.add("b0")
    folder.write("images/b0.png", np.zeros((30, 40, 3), dtype=np.uint8))
    folder.add("b1")
    folder.write("masks/b1.bmp", empty)
    folder.add("b2")
    folder.write("masks/b2.png", np.arange(1200, dtype=np.uint8).reshape(30, 40) // 4)
    (root / "ids.txt").write_text("\n".join([*(f"a{i}" for i in range(6)), "b0", "b1", "b2", "nowhere"]))
    with pytest.raises(DataError) as caught:
        folder.read(ids=str(root / "ids.txt"))
    lines = caught.value.message.splitlines()
    expected = {
        "id without an image, 1:": "nowhere",
        "image without a mask, 1:": "a0",
        "more than one image of one name, 1:": "b0.jpg, b0.png",
        "more than one mask of one name, 1:": "b1.bmp, b1.png",
        "empty mask, 1:": "a1.png",
        "cannot be read, 1:": "a2.jpg (image file is truncated",
        "mask of another size than its image, 1:": "a3.png (the mask is 30 x 40 pixels, its image 40 x 30)",
        "not an image, 1:": "a4.png (its content is none of",
        "mask that cannot be decided, 1:": "b2.png (64 values from 0 to 63",
    }
    assert lines[0] == f"the data cannot be used: {len(expected)} problems"
    assert len(lines) == 1 + len(expected)
    for start, name in expected.items():
        (line,) = (line for line in lines if line.strip().startswith(start))
        assert name in line
    assert "empty = 'skip'" in caught.value.remedy


def test_many_of_a_kind_are_counted_and_the_first_named(folder: Folder) -> None:
    for path in (folder.root / "masks").iterdir():
        path.rename(path.with_name(f"{'uvwxyz'[int(path.stem[1])]}.png"))
    with pytest.raises(DataError, match="image without a mask, 6: a0, a1, a2, a3, a4 and 1 more"):
        folder.read()


def test_empty_masks_can_be_skipped_and_are_counted(folder: Folder) -> None:
    folder.write("masks/a1.png", np.zeros((30, 40), dtype=np.uint8))
    dataset = folder.read(empty="skip")
    assert dataset.ids == ["a0", "a2", "a3", "a4", "a5"]
    assert any("skipped for their empty masks, 1:" in note and "a1.png" in note for note in dataset.notes)
    for index in range(5):
        np.testing.assert_array_equal(
            dataset.batch([index])["image"][0].permute(1, 2, 0).numpy(), squash(dataset.example(index).image)
        )
    with pytest.raises(DataError, match=r"empty mask, 1: .*a1.png"):
        folder.read()


def test_nothing_left_is_an_error(folder: Folder) -> None:
    for path in (folder.root / "masks").iterdir():
        folder.write(f"masks/{path.name}", np.zeros((30, 40), dtype=np.uint8))
    with pytest.raises(DataError, match="no example is left") as caught:
        folder.read(empty="skip")
    assert "skipped for their empty masks, 6:" in caught.value.cause


def test_what_is_odd_but_usable_is_noted(folder: Folder) -> None:
    folder.write("masks/z9.png", np.full((30, 40), 255, dtype=np.uint8))
    folder.write("masks/a5.png", np.full((30, 40), 255, dtype=np.uint8))
    folder.add("b0")
    (folder.root / "images" / "b0.jpg").write_bytes((folder.root / "images" / "a0.jpg").read_bytes())
    notes = "\n".join(folder.read().notes)
    assert "masks without an image, not used, 1: z9" in notes
    assert "masks that cover the whole image, 1: " in notes
    assert "images that are there more than once, 1: a0 = b0" in notes


def test_a_huge_image_is_refused_by_its_settings(folder: Folder) -> None:
    with pytest.raises(DataError, match=r"too large, 6: .*40 x 30 pixels, and the limit is 1,000"):
        folder.read(max_pixels=1000)


def test_an_unreadable_file_is_named(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    open_ = Path.open

    def closed(path: Path, *args: Any, **kwargs: Any) -> Any:
        if path.name == "a2.jpg":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return open_(path, *args, **kwargs)

    monkeypatch.setattr(Path, "open", closed)
    with pytest.raises(DataError, match=r"cannot be read, 1: .*a2.jpg \(Permission denied\)"):
        folder.read()


def test_a_full_disk_is_explained(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(np, "save", full)
    with pytest.raises(RunError, match="No space left on device"):
        folder.read()
    assert not list((folder.root / "cache").rglob("*.*"))


@pytest.mark.shared
def test_real_pairs(tmp_path: Path, duts: Path) -> None:
    settings = ImageFolder(images=str(duts / "images"), masks=str(duts / "masks"), ids=str(duts / "val.txt"), limit=40)
    dataset = image_folder(settings, Context(torch.device("cpu"), workers=2, cache=tmp_path, progress=Recorder()))
    assert len(dataset) == 40
    assert any("masks read as 0/255, 40:" in note for note in dataset.notes)
    batch = dataset.batch(range(40))
    for index in range(40):
        example = dataset.example(index)
        assert example.mask is not None
        assert example.mask.shape == example.image.shape[:2]
        assert abs(example.mask.mean() - float(batch["mask"][index].float().mean())) < 0.01
        assert abs(example.image.mean() - float(batch["image"][index].float().mean())) < 1
