from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from jointtask_object_extraction.data.masks import squash_mask
from jointtask_object_extraction.data.synthetic_scenes import materials, scene
from jointtask_object_extraction.data.synthetic_scenes.dataset import SyntheticDataset, synthetic_objects
from jointtask_object_extraction.photograph import FRAME, MINIMUM_SIDE
from jointtask_object_extraction.settings import SyntheticObjects

from jointtask.api import Context, DataError
from jointtask.tools import SilentProgress

Make = Callable[..., SyntheticDataset]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def build(split: str, examples: int, seed: int = 0, cache: str = "a", workers: int = 1) -> SyntheticDataset:
        context = Context(torch.device("cpu"), workers, tmp_path / cache, SilentProgress())
        return synthetic_objects(SyntheticObjects(split, examples, seed), context)  # type: ignore[arg-type]

    return build


def test_shapes_types_and_names(make: Make) -> None:
    data = make("test", 5)
    batch = data.batch([4, 0])
    assert len(data) == 5
    assert list(data.ids) == [f"test-{i:05d}" for i in range(5)]
    assert batch["image"].shape == (2, 3, FRAME, FRAME)
    assert batch["mask"].shape == (2, FRAME, FRAME)
    assert batch["image"].dtype == batch["mask"].dtype == torch.uint8
    assert set(batch["mask"].unique().tolist()) == {0, 1}
    example = data.example(4)
    assert example.id == "test-00004"
    assert example.mask is not None
    assert example.image.shape == (*example.mask.shape, 3)
    assert (torch.from_numpy(squash_mask(example.mask)) == batch["mask"][0].bool()).all()


def test_scenes_come_in_several_shapes(make: Make) -> None:
    data = make("test", 12)
    assert len({data.example(i).image.shape for i in range(12)}) >= 3


def test_an_example_depends_on_seed_split_and_position_alone(make: Make) -> None:
    few, many = make("train", 6), make("train", 12, cache="b", workers=2)
    assert list(few.digests) == list(many.digests[:6])
    assert few.fingerprint != many.fingerprint
    backwards = many.batch(range(5, -1, -1))
    for name, frames in few.batch(range(6)).items():
        assert torch.equal(frames, backwards[name].flip(0))


def test_another_process_makes_the_same() -> None:
    code = (
        "import hashlib\n"
        "from jointtask_object_extraction.data.synthetic_scenes.materials import load_materials\n"
        "from jointtask_object_extraction.data.synthetic_scenes.scene import make_scene\n"
        "materials = load_materials('validation')\n"
        "image, mask = [make_scene(materials, 3, i) for i in (7, 2)][1]\n"
        "print(hashlib.sha256(image.tobytes() + mask.tobytes()).hexdigest())\n"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    image, mask = scene.make_scene(materials.load_materials("validation"), 3, 2)
    assert printed.strip() == hashlib.sha256(image.tobytes() + mask.tobytes()).hexdigest()


def test_splits_and_seeds_share_nothing(make: Make) -> None:
    sets = [make("train", 3), make("validation", 3), make("test", 3), make("test", 3, seed=1)]
    assert len({digest for data in sets for digest in data.digests}) == 12
    assert len({data.example(0).image.tobytes() for data in sets}) == 4


def test_splits_see_disjoint_parts_of_the_photographs() -> None:
    shares = sorted(materials._SHARES.values())
    assert all(first[1] <= second[0] for first, second in pairwise(shares))


def test_every_object_is_usable(make: Make) -> None:
    masks = make("train", 96).batch(range(96))["mask"].bool()
    for mask in masks:
        for occupied in (mask.any(dim=0), mask.any(dim=1)):
            where = occupied.nonzero()
            side = int(where[-1] - where[0]) + 1
            assert MINIMUM_SIDE <= 0.25 * FRAME <= side <= 0.8 * FRAME


def test_objects_lie_anywhere(make: Make) -> None:
    mean = make("train", 96).batch(range(96))["mask"].float().mean(dim=0)
    assert mean.max() < 0.75
    quarters = mean.reshape(2, FRAME // 2, 2, FRAME // 2).mean(dim=(1, 3))
    assert quarters.min() > 0.1


def test_the_mask_is_where_the_object_was_painted() -> None:
    green = np.zeros((300, 300, 3), np.float32)
    green[:, :, 1] = 0.6
    for key in range(8):
        canvas = np.full((3, 200, 300), 0.4, np.float32)
        mask = scene._paint_object(canvas, green, np.random.Generator(np.random.Philox(key=key)))
        painted = canvas[1] > 1.05 * canvas[0]  # shadows keep the canvas grey
        assert (painted & ~mask).sum() < 0.15 * mask.sum()  # the soft rim
        assert (mask & ~painted).sum() < 0.02 * mask.sum()


def test_ground_is_rougher_than_objects(make: Make) -> None:
    data = make("test", 32)
    smoother = []
    for i in range(32):
        example = data.example(i)
        assert example.mask is not None
        detail = np.abs(np.diff(example.image.astype(float), axis=1)).mean(axis=2)
        inside = example.mask[:, 1:]
        smoother.append(detail[inside].mean() < detail[~inside].mean())
    assert np.mean(smoother) > 0.8


def test_pixel_values_are_a_photograph_s(make: Make) -> None:
    image = make("train", 32).batch(range(32))["image"].float()
    assert 60 < image.mean() < 150
    assert image.flatten(1).std(dim=1).min() > 10
    assert (image == 255).float().mean() < 0.05
    assert (image == 0).float().mean() < 0.05


def test_a_scikit_image_without_photographs_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(materials.skimage, "__file__", str(tmp_path / "__init__.py"))
    with pytest.raises(DataError, match=r"cannot read .*astronaut\.png") as caught:
        materials.load_materials.__wrapped__("train")
    assert "reinstall" in caught.value.remedy


def test_nothing_is_downloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a connection was tried")

    monkeypatch.setattr("socket.socket.connect", refuse)
    made = materials.load_materials.__wrapped__("test")
    assert len(made.objects) == len(made.colours)
