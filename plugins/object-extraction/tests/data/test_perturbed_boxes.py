"""Boxes that are wrong on purpose: by how much, where, and that nothing else changes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from jointtask_object_extraction.bridge.augment import Augmentation
from jointtask_object_extraction.bridge.box import BoxBridge, box_grid
from jointtask_object_extraction.data.folder import image_folder
from jointtask_object_extraction.data.frames import FrameDataset
from jointtask_object_extraction.data.perturbed_boxes import PerturbedBoxes, mask_boxes, overlap, perturb
from jointtask_object_extraction.photograph import FRAME
from jointtask_object_extraction.settings import ImageFolder
from PIL import Image
from torch import Tensor

from jointtask.api.component import Context
from jointtask.api.errors import ConfigError
from jointtask.api.randomness import Streams
from jointtask.testing import check_bridge, check_dataset

COUNT = 4000


def drawn(noise: float, wrong: float, seed: int = 0, count: int = COUNT) -> tuple[Tensor, Tensor]:
    box = torch.tensor([60.0, 80.0, 160.0, 130.0]).expand(count, -1)
    random = Streams(seed, 0, [f"photo {row}" for row in range(count)], "careless box")
    return box, perturb(box, random, noise=noise, wrong=wrong)


def bridge(boxes: str, context: float = 1.0) -> BoxBridge:
    return BoxBridge(
        grid=box_grid([-10, 0, 10], ()),
        input_size=64,
        output_size=16,
        boxes=boxes,
        context=context,
        augmentation=Augmentation(flip=True),
    )


@pytest.fixture
def folder(tmp_path: Path) -> ImageFolder:
    for part in ("images", "masks"):
        (tmp_path / part).mkdir()
    random = np.random.default_rng(0)
    for row in range(5):
        mask = np.zeros((60, 80), np.uint8)
        mask[10 + row : 40, 20 : 60 - row] = 255
        Image.fromarray(random.integers(0, 256, (60, 80, 3), dtype=np.uint8)).save(tmp_path / f"images/a{row}.png")
        Image.fromarray(mask).save(tmp_path / f"masks/a{row}.png")
    return ImageFolder(images=str(tmp_path / "images"), masks=str(tmp_path / "masks"), box_noise=0.1, wrong_boxes=0.2)


def test_each_side_is_off_by_its_share_of_the_box() -> None:
    """The standard error of a standard deviation from n normal numbers is sd / sqrt(2 n): 5 of them, each way."""
    box, careless = drawn(0.1, 0.0)
    error = (careless - box) / torch.tensor([100.0, 50.0, 100.0, 50.0])
    assert torch.allclose(error.std(dim=0), torch.full((4,), 0.1), atol=5 * 0.1 / (2 * COUNT) ** 0.5)
    assert torch.allclose(torch.corrcoef(error.T), torch.eye(4), atol=5 / COUNT**0.5)


def test_a_share_of_the_boxes_lies_elsewhere() -> None:
    """Within five standard errors of the share, of 4,000 boxes."""
    box, careless = drawn(0.0, 0.2)
    iou = overlap(box, careless)
    elsewhere = iou < 0.3
    assert abs(float(elsewhere.float().mean()) - 0.2) < 5 * (0.2 * 0.8 / COUNT) ** 0.5
    assert torch.equal(careless[~elsewhere], box[~elsewhere])


def test_what_is_wrong_depends_on_seed_and_id_alone() -> None:
    _, careless = drawn(0.1, 0.2)
    assert torch.equal(drawn(0.1, 0.2, count=7)[1], careless[:7])
    assert not torch.equal(drawn(0.1, 0.2, seed=1)[1], careless)


def test_boxes_keep_their_order_and_stay_in_the_frame() -> None:
    _, careless = drawn(1.0, 0.3)
    assert bool((careless[:, 2:] >= careless[:, :2]).all())
    assert float(careless.min()) >= 0
    assert float(careless.max()) <= FRAME


def test_overlap_is_the_intersection_over_the_union() -> None:
    one = torch.tensor([[0.0, 0.0, 10.0, 10.0], [0.0, 0.0, 10.0, 10.0], [3.0, 3.0, 3.0, 3.0]])
    other = torch.tensor([[5.0, 0.0, 15.0, 10.0], [20.0, 20.0, 30.0, 30.0], [3.0, 3.0, 3.0, 3.0]])
    assert torch.allclose(overlap(one, other), torch.tensor([1 / 3, 0.0, 0.0]))


def test_the_data_set_conforms_and_changes_nothing_but_the_box(folder: ImageFolder, jointtask_context: Context) -> None:
    import attrs

    right = image_folder(attrs.evolve(folder, box_noise=0.0, wrong_boxes=0.0), jointtask_context)
    careless = image_folder(folder, jointtask_context)
    assert isinstance(right, FrameDataset)
    assert isinstance(careless, PerturbedBoxes)
    check_dataset(careless, bridge("given"))
    batch, other = careless.batch([3, 1]), right.batch([3, 1])
    assert torch.equal(batch["mask"], other["mask"])
    assert torch.equal(batch["image"], other["image"])
    assert "box" not in other
    assert torch.equal(careless.batch(range(5))["box"][[3, 1]], batch["box"])
    assert careless.input_digests == right.input_digests
    assert careless.fingerprint != right.fingerprint
    assert any("wrong on purpose" in note for note in careless.notes)


def test_boxes_cannot_be_wrong_without_masks(folder: ImageFolder, jointtask_context: Context) -> None:
    import attrs

    with pytest.raises(ConfigError, match="need masks"):
        image_folder(attrs.evolve(folder, masks=""), jointtask_context)


def test_the_bridge_takes_the_given_box_and_never_at_use(folder: ImageFolder, jointtask_context: Context) -> None:
    from jointtask_object_extraction.networks.compact import compact_segmentation
    from jointtask_object_extraction.settings import Segmentation

    careless = image_folder(folder, jointtask_context)
    batch = careless.batch(range(5))
    given, tight = bridge("given"), bridge("mask")
    assert (given.keys, given.annotation) == (("image", "mask", "box"), ("mask", "box"))
    assert torch.equal(tight.base(batch), mask_boxes(batch["mask"]))
    usable = (batch["box"][:, 2:] - batch["box"][:, :2] >= 8).all(dim=1)
    assert torch.allclose(given.base(batch)[usable], batch["box"][usable])
    downstream = compact_segmentation(Segmentation(), jointtask_context).eval()
    check_bridge(given, batch, downstream)
    seen = given.augment(batch, given.base(batch)[:, None], Streams(0, 1, careless.ids, "augment"))
    assert torch.allclose(given.base(seen.batch), seen.reference[:, 0], atol=1e-3)
