"""Each published data set in the folders that its archives unpack to, made small."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from jointtask_object_extraction.data.published import LAYOUTS, published_components
from PIL import Image

from jointtask.api import Context, DataError
from jointtask.testing import check_dataset
from jointtask.tools import SilentProgress

SHARED = Path(__file__).parents[5] / "shared" / "data"
PAIRS = {  # by component and split: an image and its mask, as the archives name them
    "msra10k": ("MSRA10K_Imgs_GT/Imgs/{}.jpg", "MSRA10K_Imgs_GT/Imgs/{}.png"),
    "thur15k": ("THUR15000/Butterfly/Src/{}.jpg", "THUR15000/Butterfly/Src/{}.png"),
    "oe": ("OE/image/{}.jpg", "OE/groundtruth/{}.png"),
    "pascal-s": ("PASCAL-S/datasets/imgs/pascal/{}.jpg", "PASCAL-S/datasets/masks/pascal/{}.png"),
    "ecssd": ("ECSSD/images/{}.jpg", "ECSSD/ground_truth_mask/{}.png"),
    "duts train": ("DUTS-TR/DUTS-TR-Image/{}.jpg", "DUTS-TR/DUTS-TR-Mask/{}.png"),
    "duts test": ("DUTS-TE/DUTS-TE-Image/{}.jpg", "DUTS-TE/DUTS-TE-Mask/{}.png"),
}


def write(path: Path, values: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path)


def add(root: Path, which: str, name: str, value: int | None = 255, pairs: tuple[str, str] | None = None) -> None:
    """Write an image and its mask, with one value on the object; None writes no mask."""
    image, mask = pairs or PAIRS[which]
    random = np.random.default_rng(list(f"{which} {name}".encode()))
    write(root / image.format(name), random.integers(0, 256, (20, 30, 3), dtype=np.uint8))
    if value is not None:
        values = np.zeros((20, 30), dtype=np.uint8)
        values[5:15, 5:20] = value
        write(root / mask.format(name), values)


def read(root: Path, which: str, **keys: Any) -> Any:
    name, _, split = which.partition(" ")
    component = {component.name: component for component in published_components()}[name]
    settings = component.settings(root=str(root), **({"split": split} if split else {}), **keys)
    cache = root.parent / "cache"
    return component.build(settings, Context(torch.device("cpu"), workers=1, cache=cache, progress=SilentProgress()))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


def needed(root: Path, which: str) -> dict[str, str]:
    """The list that `oe` cannot do without."""
    if which != "oe":
        return {}
    (root / "train.list").write_text("a\nb\nc\n")
    return {"ids": str(root / "train.list")}


@pytest.mark.parametrize("which", PAIRS)
def test_a_data_set_is_recognised_where_its_archive_unpacks_to_one_folder_less_or_more(which: str, root: Path) -> None:
    for name in "abc":
        add(root, which, name)
    keys = needed(root, which)
    top = PAIRS[which][0].partition("/")[0]
    dataset, inside = read(root, which, **keys), read(root / top, which, **keys)
    assert [name.rpartition("/")[2] for name in dataset.ids] == ["a", "b", "c"]
    assert inside.ids == dataset.ids
    assert inside.fingerprint == dataset.fingerprint
    assert dataset.example(1).mask.sum() == 150
    assert dataset.notes[0].startswith("recognised as ")
    assert "here are 3" in dataset.notes[1]
    check_dataset(dataset, again=inside)
    (root / top).rename(root / "outer")
    (root / top).mkdir()
    (root / "outer").rename(root / top / top)
    assert read(root, which, **keys).ids == dataset.ids


@pytest.mark.parametrize("which", ["ecssd", "duts train"])
def test_plain_names_are_taken_in_a_folder_of_the_data_sets_own_name(which: str, root: Path) -> None:
    top = PAIRS[which][0].partition("/")[0]
    add(root, which, "a", pairs=(f"{top}/images/{{}}.jpg", f"{top}/masks/{{}}.png"))
    assert read(root, which).ids == read(root / top, which).ids == ["a"]
    (root / top).rename(root / "unknown")
    with pytest.raises(DataError, match=r"no .* in .*/unknown"):
        read(root / "unknown", which)


@pytest.mark.parametrize("which", PAIRS)
def test_what_is_missing_is_named_with_where_it_comes_from(which: str, root: Path) -> None:
    keys, layout = needed(root, which), LAYOUTS[which.replace(" ", "-")]
    (root / "something").mkdir()
    with pytest.raises(DataError, match=r"no .* in .*/data") as caught:
        read(root, which, **keys)
    assert "looked for " in caught.value.cause
    assert "something" in caught.value.cause
    assert layout.page in caught.value.remedy
    with pytest.raises(DataError) as caught:
        read(root / "gone", which, **keys)
    assert "no such folder" in caught.value.cause


def test_a_folder_of_masks_or_a_mask_that_is_missing(root: Path) -> None:
    add(root, "ecssd", "a", None)
    with pytest.raises(DataError, match="no ECSSD in") as caught:
        read(root, "ecssd")
    assert "images with ground_truth_mask" in caught.value.cause
    assert "ECSSD: images" in caught.value.cause
    add(root, "ecssd", "b")
    with pytest.raises(DataError, match="image without a mask, 1: a") as caught:
        read(root, "ecssd")
    assert LAYOUTS["ecssd"].page in caught.value.remedy


def test_unlabelled_images_of_thur15k_are_left_out_before_the_limit_chooses(root: Path) -> None:
    for name in "abcdef":
        add(root, "thur15k", name, 255 if name in "be" else None)
    dataset = read(root, "thur15k", limit=2)
    assert dataset.ids == ["Butterfly/Src/b", "Butterfly/Src/e"]
    assert "left out, without a mask, 4: Butterfly/Src/a, " in "\n".join(dataset.notes)


def test_pascal_s_is_where_at_least_half_of_its_observers_agree(root: Path) -> None:
    add(root, "pascal-s", "a", 128)
    add(root, "pascal-s", "b", 127)
    dataset = read(root, "pascal-s", empty="skip")
    assert dataset.ids == ["a"]
    assert dataset.example(0).mask.sum() == 150
    with pytest.raises(DataError, match=r"empty mask, 1: .*b.png"):
        read(root, "pascal-s")
    # The same files, decided mask by mask, are other examples: neither frames nor latents may be mistaken for these.
    add(root, "ecssd", "a", pairs=("ECSSD/images/{}.jpg", "ECSSD/masks/{}.png"))
    for kind, folder in (("images", "imgs/pascal/a.jpg"), ("masks", "masks/pascal/a.png")):
        source = root / "PASCAL-S" / "datasets" / folder
        (root / "ECSSD" / kind / source.name).write_bytes(source.read_bytes())
    other = read(root, "ecssd")
    assert other.digests != dataset.digests
    assert other.input_digests == dataset.input_digests


def test_oe_is_split_by_its_lists_and_a_source_can_be_left_out(root: Path) -> None:
    for number in range(1, 7):
        add(root, "oe", f"{number:05d}")
    lists = {"train": "00001 00002 00003 00004", "test": "00005 00006", "OD": "00002 00004 00006 00099"}
    for name, ids in lists.items():
        (root / f"{name}.list").write_text("\n".join(ids.split()))
    train = read(root, "oe", ids=str(root / "train.list"), without=str(root / "OD.list"))
    assert train.ids == ["00001", "00003"]
    assert f"left out, listed in {root / 'OD.list'}: 2" in train.notes
    with pytest.raises(DataError, match="id without an image, 1: 00099") as caught:
        read(root, "oe", ids=str(root / "OD.list"))
    assert "groundtruth.zip" in caught.value.remedy
    with pytest.raises(DataError, match=r"no.list: the list of ids cannot be read") as caught:
        read(root, "oe", ids=str(root / "no.list"))
    assert "train.list, test.list, OD.list" in caught.value.remedy


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.is_dir(), reason="no ../shared/data beside the project")
def test_real_copies(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    for name in ("ECSSD", "DUTS-TR"):
        (tmp_path / "data" / name).symlink_to(SHARED / name)
    assert len(read(tmp_path / "data", "ecssd", limit=8)) == 8
    dataset = read(tmp_path / "data" / "DUTS-TR", "duts train", ids=str(SHARED / "DUTS-TR" / "val.txt"), limit=8)
    assert "DUTS-TR is published with 10,553 images, here are 9,615" in dataset.notes


def test_every_published_data_set_is_on_the_page_on_data() -> None:
    page = (Path(__file__).parents[4] / "docs" / "data.md").read_text()
    for component in published_components():
        assert f"| `{component.name}`" in page
    for layout in LAYOUTS.values():
        archive = layout.terms.partition(".zip")[0] + ".zip"
        for part in (f"<{layout.page}>", f"`{layout.top}`", f"| {layout.images:,} |", archive):
            assert part in page, part
