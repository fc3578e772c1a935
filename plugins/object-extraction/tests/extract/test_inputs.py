"""Where outputs go, and what is left out of a folder."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from jointtask_object_extraction.extract.inputs import plan_extraction
from jointtask_object_extraction.extract.outputs import Outputs
from PIL import Image

from jointtask.api import ConfigError

MASKS = Outputs(("masks",))


def save(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros((6, 9, 3), np.uint8)).save(path)
    return path


def to_a_folder_beside(out: Path) -> None:
    (out.parent / "elsewhere").mkdir()
    (out / "deep").symlink_to(out.parent / "elsewhere")


def upwards(out: Path) -> None:
    (out / "deep").symlink_to("..")


def to_the_images(out: Path) -> None:
    (out / "deep").symlink_to(out.parent / "in")


def to_nothing_yet(out: Path) -> None:
    (out / "deep").symlink_to(out.parent / "later")


def by_way_of_another(out: Path) -> None:
    (out.parent / "elsewhere").mkdir()
    (out / "first").symlink_to(out.parent / "elsewhere")
    (out / "deep").symlink_to("first")


@pytest.mark.parametrize("make", [to_a_folder_beside, upwards, to_the_images, to_nothing_yet, by_way_of_another])
def test_a_link_inside_the_destination_leads_no_output_out_of_it(tmp_path: Path, make: Callable[[Path], None]) -> None:
    save(tmp_path / "in/deep/a.png")
    (tmp_path / "out").mkdir()
    make(tmp_path / "out")
    with pytest.raises(ConfigError, match="outputs would leave the destination") as caught:
        plan_extraction([tmp_path / "in"], tmp_path / "out", MASKS)
    assert caught.value.remedy


def test_a_destination_that_is_a_link_is_followed(tmp_path: Path) -> None:
    save(tmp_path / "in/deep/a.png")
    (tmp_path / "place").mkdir()
    (tmp_path / "out").symlink_to("place")
    assert len(plan_extraction([tmp_path / "in"], tmp_path / "out", MASKS).jobs) == 1


@pytest.mark.parametrize("suffixes", ["jpg png", "jpg jfif", "png webp bmp", "JPG jpg", "tif tiff"])
def test_images_of_one_name_fail_and_the_others_are_done(tmp_path: Path, suffixes: str) -> None:
    sources = [save(tmp_path / f"in/{name}") for name in ("b.png", "deep/a.png")]
    for suffix in suffixes.split():
        (tmp_path / f"in/a.{suffix}").write_bytes(sources[0].read_bytes())
    plan = plan_extraction([tmp_path / "in"], tmp_path / "out", MASKS)
    assert [job.source for job in plan.jobs] == sources
    assert len(plan.refused) == len(suffixes.split())
    assert all("rename one of them" in refused.reason for refused in plan.refused)


@pytest.mark.parametrize("name", ["a.CR2", "a.psd", "a.nef", "a.jxl", "a.svg"])
def test_a_photograph_that_is_not_read_counts_as_failed(tmp_path: Path, name: str) -> None:
    save(tmp_path / "in/b.png")
    (tmp_path / "in" / name).write_bytes(b"x")
    plan = plan_extraction([tmp_path / "in"], tmp_path / "out", MASKS)
    assert [refused.source.name for refused in plan.refused] == [name]
    assert name in plan.left_out[0]


def test_a_pipe_that_is_named_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.png")
    with pytest.raises(ConfigError, match="no regular file"):
        plan_extraction([tmp_path / "a.png"], tmp_path / "out", MASKS)


@pytest.mark.parametrize(
    ("stem", "kinds", "fits"),
    [
        ("a" * 243, ("masks", "cutouts", "boxes", "overlays"), True),
        ("a" * 244, ("masks", "cutouts", "boxes", "overlays"), False),
        ("a" * 246, ("masks",), True),
        ("a" * 247, ("masks",), False),
        ("写" * 81, ("overlays",), True),
        ("写" * 82, ("overlays",), False),
        ("é" * 122, ("boxes", "overlays"), False),
    ],
)
def test_an_image_whose_outputs_would_have_too_long_a_name_is_refused_alone(
    tmp_path: Path, stem: str, kinds: tuple[str, ...], fits: bool
) -> None:
    for name in (stem, "short"):
        (tmp_path / f"{name}.png").write_bytes(b"")
    planned = plan_extraction([tmp_path], tmp_path / "out", Outputs(kinds))
    assert {job.name.name for job in planned.jobs} == ({stem, "short"} if fits else {"short"})
    assert [refused.source.stem for refused in planned.refused] == ([] if fits else [stem])
    assert all("longer than 255 bytes; rename the image" in refused.reason for refused in planned.refused)
