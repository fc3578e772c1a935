from __future__ import annotations

import numpy as np
import pytest
from jointtask_digit_reading.dataset import SPLITS, RotatedDigitsDataset
from jointtask_digit_reading.metrics import angle_difference
from jointtask_digit_reading.settings import RotatedDigits


def make(**chosen: object) -> RotatedDigitsDataset:
    settings: dict[str, object] = {"split": "train", "examples": 40}
    return RotatedDigitsDataset(RotatedDigits(**{**settings, **chosen}))  # type: ignore[arg-type]  # any settings


def deviations(data: RotatedDigitsDataset) -> np.ndarray:
    scenes = [data.example(index) for index in range(len(data))]
    return np.array([angle_difference(scene.annotated, scene.angle) for scene in scenes])


def test_a_batch_holds_the_frames_and_their_annotation() -> None:
    data = make()
    batch = data.batch([3, 1])
    assert {name: tuple(tensor.shape) for name, tensor in batch.items()} == {
        "image": (2, 40, 40),
        "digit": (2,),
        "angle": (2, 1),
    }
    scene = data.example(3)
    assert (batch["image"][0].numpy() == scene.image).all()
    assert (int(batch["digit"][0]), float(batch["angle"][0])) == (scene.digit, scene.annotated)


def test_a_scene_depends_on_its_seed_split_and_position_alone() -> None:
    first, longer = make(), make(examples=60)
    assert longer.digests[:40] == first.digests == make().digests
    assert set(first.digests).isdisjoint(make(seed=1).digests)
    assert set(first.digests).isdisjoint(make(split="test").digests)
    assert len({first.fingerprint, longer.fingerprint}) == 2


def test_the_splits_share_no_handwritten_digit_and_use_them_all() -> None:
    spans = sorted(SPLITS.values())
    assert [first for first, _ in spans[1:]] == [stop for _, stop in spans[:-1]]
    assert (spans[0][0], spans[-1][1]) == (0, 1797)


def test_every_digit_comes_once_before_any_comes_twice() -> None:
    data = make(split="validation", examples=300, clutter=0, noise=0.0)
    counts = np.bincount([data.example(index).digit for index in range(300)], minlength=10)
    assert counts.min() >= 25  # 300 distinct ones; drawn with replacement, some class would vary more


def test_angles_are_uniform_as_far_as_they_go() -> None:
    data = make(examples=400, rotation=60)
    angles = np.array([data.example(index).angle for index in range(400)])
    assert np.abs(angles).max() <= 60
    # a uniform one has a standard deviation of 34.6; that of 400 is off by more than 4 in about 1 of 10,000
    assert angles.std() == pytest.approx(60 / np.sqrt(3), abs=4)


def test_annotations_are_exact_unless_noise_is_asked_for() -> None:
    assert np.abs(deviations(make())).max() < 1e-4


def test_annotation_noise_has_the_scale_that_was_asked_for() -> None:
    off = deviations(make(examples=400, annotation_noise=20.0))
    assert off.mean() == pytest.approx(0, abs=4)  # four standard errors
    assert off.std() == pytest.approx(20, abs=3)


def test_a_share_of_the_annotations_is_upside_down() -> None:
    off = np.abs(deviations(make(examples=400, annotation_flips=0.25)))
    assert set(np.round(off)) == {0.0, 180.0}
    assert (off > 90).mean() == pytest.approx(0.25, abs=0.09)  # four standard errors


def test_annotation_changes_neither_image_nor_truth() -> None:
    clean, noisy = make(), make(annotation_noise=30.0, annotation_flips=0.5)
    for index in range(10):
        assert (clean.example(index).image == noisy.example(index).image).all()
        assert clean.example(index).angle == noisy.example(index).angle
    assert clean.fingerprint != noisy.fingerprint
