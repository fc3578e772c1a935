from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from jointtask_object_extraction.bridge.box import BoxBridge, box_adjustment
from jointtask_object_extraction.bridge.likelihood import mask_energy
from jointtask_object_extraction.photograph import Photograph
from jointtask_object_extraction.settings import BoxAdjustment
from torch import Tensor

from jointtask.api import ConfigError, Streams


def make_bridge(input_size: int = 55, output_size: int = 50, **chosen: Any) -> BoxBridge:
    sizes = SimpleNamespace(input_size=input_size, output_size=output_size)
    context: Any = SimpleNamespace(downstream=sizes)  # all that it reads
    return box_adjustment(BoxAdjustment(**chosen), context)


def mask_of(*boxes: tuple[int, int, int, int]) -> Tensor:
    """One frame's mask a box, (B, 224, 224), uint8."""
    mask = torch.zeros(len(boxes), 224, 224, dtype=torch.uint8)
    for row, (x1, y1, x2, y2) in zip(mask, boxes, strict=True):
        row[y1:y2, x1:x2] = 1
    return mask


def random_batch(count: int, seed: int = 0) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    image = torch.randint(0, 256, (count, 3, 224, 224), dtype=torch.uint8, generator=generator)
    noise = torch.rand(count, 1, 14, 14, generator=generator)
    mask = torch.nn.functional.interpolate(noise, (224, 224), mode="bilinear")[:, 0] > 0.5
    return {"image": image, "mask": mask.to(torch.uint8)}


number = st.floats(-400, 600, width=32)
four = st.tuples(number, number, number, number)


class TestScales:
    def test_the_grid_is_the_product_of_displacements_and_log_factors(self) -> None:
        bridge = make_bridge(levels=[-20, 0, 20], scales=[0.5, 1, 2])
        assert bridge.grid.shape == (3, 3, 3, 3)
        assert bridge.grid.states[bridge.grid.start].tolist() == [0, 0, 0, 0]
        assert bridge.coordinates == ("x", "y", "log width", "log height")
        centre = torch.tensor([[60.0, 80.0, 100.0, 160.0]])
        state = torch.tensor([[0, 0, 0, 0], [20, 0, math.log(2), 0], [0, -20, 0, math.log(0.5)]])
        expected = [[60, 80, 100, 160], [60, 80, 140, 160], [60, 80, 100, 120]]
        torch.testing.assert_close(bridge.reference(centre, state)[0], torch.tensor(expected, dtype=torch.float32))

    def test_scales_without_a_one_are_refused(self) -> None:
        with pytest.raises(ConfigError, match=r"bridge.scales has no 1: \[0.5, 2.0\]"):
            make_bridge(scales=[0.5, 2.0])


class TestRelocate:
    def test_takes_the_box_of_what_was_predicted_with_its_context(self) -> None:
        bridge = make_bridge(context=1.5)
        mask = mask_of((100, 100, 120, 140), (0, 0, 0, 0))
        old = torch.tensor([[0.0, 0.0, 50.0, 50.0], [10.0, 20.0, 60.0, 70.0]])
        found = bridge.relocate(mask.float() * 0.6, old)
        assert torch.equal(found[0], bridge.base({"mask": mask[:1]})[0])
        assert torch.equal(found[1], old[1])


class TestMirror:
    def test_a_mirrored_crop_is_the_crop_of_the_mirrored_frame(self) -> None:
        bridge = make_bridge()
        image = torch.randint(0, 256, (1, 3, 224, 224), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
        box = torch.tensor([[[10.0, 20.0, 101.5, 200.0]]])
        there = torch.tensor([[[122.5, 20.0, 214.0, 200.0]]])
        mirrored = bridge.mirror(bridge.condition({"image": image}, box).input)
        expected = bridge.condition({"image": image.flip(-1)}, there).input
        torch.testing.assert_close(mirrored, expected, atol=1e-4, rtol=0)

    def test_the_whole_is_the_frame(self) -> None:
        batch = {"image": torch.zeros(2, 3, 224, 224, dtype=torch.uint8)}
        assert make_bridge().whole(batch).tolist() == [[0, 0, 224, 224]] * 2


class TestBase:
    def test_is_the_tight_box(self) -> None:
        boxes = [(10, 20, 100, 200), (0, 0, 224, 224), (216, 0, 224, 8)]
        assert make_bridge().base({"mask": mask_of(*boxes)}).tolist() == [list(box) for box in boxes]

    def test_spans_separate_parts(self) -> None:
        mask = mask_of((10, 20, 30, 40)) | mask_of((100, 5, 120, 25))
        assert make_bridge().base({"mask": mask}).tolist() == [[10, 5, 120, 40]]

    def test_of_an_empty_mask_is_the_frame(self) -> None:
        assert make_bridge(context=1.4).base({"mask": mask_of((0, 0, 0, 0))}).tolist() == [[0, 0, 224, 224]]

    def test_is_enlarged_about_its_centre_and_clipped(self) -> None:
        base = make_bridge(context=1.5).base({"mask": mask_of((100, 100, 120, 140), (0, 100, 40, 224))})
        assert base.tolist() == [[95, 90, 125, 150], [0, 69, 50, 224]]

    def test_small_sides_are_widened_and_shifted_into_the_frame(self) -> None:
        base = make_bridge().base({"mask": mask_of((100, 50, 102, 90), (0, 223, 1, 224))})
        assert base.tolist() == [[97, 50, 105, 90], [0, 216, 8, 224]]

    @settings(max_examples=25, deadline=None)
    @given(
        x=st.tuples(st.integers(0, 223), st.integers(1, 224)),
        y=st.tuples(st.integers(0, 223), st.integers(1, 224)),
        context=st.floats(1, 3),
    )
    def test_is_always_usable(self, x: tuple[int, int], y: tuple[int, int], context: float) -> None:
        bridge = make_bridge(context=context)
        mask = mask_of((x[0], y[0], min(x[0] + x[1], 224), min(y[0] + y[1], 224)))
        assert bool(bridge.usable(bridge.base({"mask": mask})).all())


class TestUsable:
    def test_needs_eight_units_in_the_frame(self) -> None:
        boxes = [
            [10, 10, 18, 18],
            [10, 10, 17.9, 100],
            [10, 10, 100, 17.9],
            [-10, 10, 7.9, 100],
            [-10, 10, 8, 100],
            [217, 0, 300, 224],
            [100, 10, 50, 100],
            [-50, -50, 300, 300],
        ]
        usable = [True, False, False, False, True, False, False, True]
        assert make_bridge().usable(torch.tensor(boxes)).tolist() == usable

    def test_takes_any_leading_shape(self) -> None:
        bridge = make_bridge()
        references = bridge.reference(torch.tensor([[50.0, 50, 60, 60]] * 3), bridge.grid.states)
        assert references.shape == (3, 625, 4)
        assert references.dtype == torch.float32
        usable = bridge.usable(references)
        assert usable.shape == (3, 625)
        assert bool(usable[:, bridge.grid.start].all())
        # A side of 10 units moved by a - b stays usable unless b - a shortens it by 5 or more: 10 of 25 pairs do.
        assert int(usable[0].sum()) == 15 * 15


class TestAdmit:
    @settings(max_examples=100, deadline=None)
    @given(box=four)
    def test_gives_usable_boxes_and_changes_no_usable_one(self, box: tuple[float, ...]) -> None:
        bridge = make_bridge()
        given_box = torch.tensor([box])
        admitted = bridge.admit(given_box)
        assert bool(bridge.usable(admitted).all())
        if bool(bridge.usable(given_box).all()) and bool((given_box[:, 2:] - given_box[:, :2] >= 8).all()):
            assert torch.equal(admitted, given_box)
        torch.testing.assert_close(bridge.admit(admitted), admitted, atol=1e-3, rtol=0)

    def test_orders_widens_and_brings_back(self) -> None:
        boxes = torch.tensor([[100.0, 20, 50, 90], [60, 60, 62, 100], [-50, 20, -20, 90], [300, 20, 310, 90]])
        expected = [[50, 20, 100, 90], [57, 60, 65, 100], [-50, 20, 8, 90], [216, 20, 310, 90]]
        assert make_bridge().admit(boxes).tolist() == expected


class TestReference:
    def test_adds_states_to_centres(self) -> None:
        centre = torch.tensor([[10.0, 20, 110, 120], [0, 0, 50, 50]])
        states = torch.tensor([[0, 0, 0, 0], [-10, 5, 0, 10]], dtype=torch.float64)
        expected = [[[10, 20, 110, 120], [0, 25, 110, 130]], [[0, 0, 50, 50], [-10, 5, 50, 60]]]
        assert make_bridge().reference(centre, states).tolist() == expected
        assert make_bridge().reference(centre, states.expand(2, 2, 4)).tolist() == expected


class TestCondition:
    def test_shapes_ranges_and_row_order(self) -> None:
        batch = random_batch(3)
        references = torch.tensor([[[0.0, 0, 100, 100], [50, 50, 224, 224]]]).expand(3, 2, 4)
        condition = make_bridge().condition(batch, references)
        assert condition.input.shape == (6, 3, 55, 55)
        assert condition.input.dtype == torch.float32
        assert 0 <= condition.input.min() < condition.input.max() <= 1 + 1e-6
        assert condition.target.mask.shape == (6, 50, 50)
        assert set(condition.target.mask.unique().tolist()) <= {0, 1}
        assert condition.target.scale.tolist() == [1] * 6
        assert condition.target.offset.tolist() == [0] * 6
        for b in range(3):
            for k in range(2):
                one = {key: value[b : b + 1] for key, value in batch.items()}
                alone = make_bridge().condition(one, references[b : b + 1, k : k + 1])
                torch.testing.assert_close(condition.input[2 * b + k], alone.input[0], atol=1e-5, rtol=0)
                assert torch.equal(condition.target.mask[2 * b + k], alone.target.mask[0])

    def test_without_a_mask_there_is_no_target(self) -> None:
        batch = {"image": random_batch(1)["image"]}
        assert make_bridge().condition(batch, torch.tensor([[[0.0, 0, 100, 100]]])).target is None

    def test_takes_floating_images_too(self) -> None:
        batch = random_batch(1)
        reference = torch.tensor([[[5.0, 6, 100, 90]]])
        floating = make_bridge().condition({"image": batch["image"].float()}, reference)
        torch.testing.assert_close(floating.input, make_bridge().condition(batch, reference).input)

    def test_the_mask_is_thresholded_at_one_half(self) -> None:
        batch = {"image": torch.zeros(1, 3, 224, 224, dtype=torch.uint8), "mask": mask_of((0, 0, 102, 224))}
        # Outputs of 4 units: the one that the object covers by half counts as object.
        target = make_bridge(output_size=50).condition(batch, torch.tensor([[[0.0, 0, 200, 200]]])).target
        assert target.mask[0, 0].tolist() == [1.0] * 26 + [0.0] * 24

    def test_mirrors_with_the_batch(self) -> None:
        batch = random_batch(2)
        references = torch.tensor([[[10.0, 20, 90.5, 101]], [[-7, 3, 150, 230]]])
        x1, y1, x2, y2 = references.unbind(-1)
        mirrored = {"image": batch["image"].flip(-1), "mask": batch["mask"].flip(-1)}
        condition = make_bridge(likelihood="frame").condition(batch, references)
        other = make_bridge(likelihood="frame").condition(mirrored, torch.stack([224 - x2, y1, 224 - x1, y2], dim=-1))
        torch.testing.assert_close(other.input.flip(-1), condition.input, atol=1e-4, rtol=0)
        assert (other.target.mask.flip(-1) != condition.target.mask).float().mean() < 1e-3
        torch.testing.assert_close(other.target.offset, condition.target.offset, atol=1e-2, rtol=0)


class TestFrameLikelihood:
    @pytest.mark.parametrize("box", [(30, 40, 170, 190), (-10, -5, 60, 230), (0, 0, 224, 224), (200, 190, 234, 224)])
    @pytest.mark.parametrize("output_size", [50, 64])
    def test_counts_every_pixel_of_the_frame(self, box: tuple[int, int, int, int], output_size: int) -> None:
        batch = random_batch(1, seed=3)
        reference = torch.tensor([[box]], dtype=torch.float32)
        target = make_bridge(output_size=output_size, likelihood="frame").condition(batch, reference).target
        logit = torch.randn(1, output_size, output_size, generator=torch.Generator().manual_seed(0))

        mask = batch["mask"][0].tolist()
        object_outside = ground_outside = area = 0
        for y in range(224):
            for x in range(224):
                if box[0] <= x < box[2] and box[1] <= y < box[3]:
                    area += 1
                elif mask[y][x]:
                    object_outside += 1
                else:
                    ground_outside += 1
        probability = logit[0].double().sigmoid()
        truth = target.mask[0].double()
        entropy = -(truth * probability.log() + (1 - truth) * (1 - probability).log()).sum().item()
        outside = object_outside * -math.log(1e-3) + ground_outside * -math.log(1 - 1e-3)
        expected = output_size**2 / 224**2 * (area / output_size**2 * entropy + outside)
        assert mask_energy(logit, target).item() == pytest.approx(expected, rel=1e-4)

    def test_fractional_boxes_count_fractions_of_pixels(self) -> None:
        batch = {"image": torch.zeros(1, 3, 224, 224, dtype=torch.uint8), "mask": mask_of((100, 100, 110, 110))}
        target = make_bridge(likelihood="frame").condition(batch, torch.tensor([[[50.0, 50, 105.25, 104.5]]])).target
        inside, area = 5.25 * 4.5, 55.25 * 54.5
        outside = (100 - inside) * -math.log(1e-3) + (224**2 - area - (100 - inside)) * -math.log(1 - 1e-3)
        assert target.scale.item() == pytest.approx(area / 224**2)
        assert target.offset.item() == pytest.approx(2500 / 224**2 * outside, rel=1e-5)

    def test_punishes_what_the_reference_cuts_off(self) -> None:
        batch = {"image": torch.zeros(1, 3, 224, 224, dtype=torch.uint8), "mask": mask_of((50, 50, 150, 150))}
        references = torch.tensor([[[50.0, 50, 150, 150], [60, 60, 140, 140]]])
        energy = {}
        for likelihood in ("reference", "frame"):
            target = make_bridge(likelihood=likelihood).condition(batch, references).target
            perfect = (2 * target.mask - 1) * 20
            energy[likelihood] = mask_energy(perfect, target)
        assert energy["frame"][1] > energy["frame"][0] + 100
        assert energy["reference"][1] == pytest.approx(energy["reference"][0].item(), abs=1e-3)


class TestRestoreAndFinish:
    def test_a_perfect_mask_comes_back_at_the_examples_own_size(self) -> None:
        bridge = make_bridge()
        row, column = np.mgrid[0:300, 0:400]
        mask = ((row - 140) / 90) ** 2 + ((column - 210) / 120) ** 2 < 1
        small = torch.nn.functional.interpolate(torch.from_numpy(mask)[None, None].float(), (224, 224), mode="area")
        batch = {"image": torch.zeros(1, 3, 224, 224, dtype=torch.uint8), "mask": (small[:, 0] >= 0.5).to(torch.uint8)}
        base = bridge.base(batch)
        target = bridge.condition(batch, base[:, None]).target
        frame = bridge.restore((2 * target.mask - 1) * 20, base[:, None])
        assert frame.shape == (1, 1, 224, 224)
        assert 0 <= frame.min() <= frame.max() <= 1
        photograph = Photograph(id="ellipse", image=np.zeros((300, 400, 3), dtype=np.uint8), mask=mask)
        extraction = bridge.finish(frame[0, 0], base[0], photograph)
        assert extraction.probability.shape == (300, 400)
        assert extraction.probability.dtype == np.float32
        found = extraction.probability >= 0.5
        assert (found & mask).sum() / (found | mask).sum() > 0.96
        assert extraction.box is not None
        assert extraction.box.dtype == np.float32
        np.testing.assert_allclose(extraction.box, [90, 50, 330, 230], atol=2)

    def test_nothing_lies_outside_the_reference(self) -> None:
        frame = make_bridge().restore(torch.full((1, 50, 50), 9.0), torch.tensor([[[10.0, 20, 60, 90]]]))[0, 0]
        assert bool((frame[20:90, 10:60] > 0.99).all())
        frame[20:90, 10:60] = 0
        assert not frame.any()

    def test_the_box_is_clipped_to_the_image(self) -> None:
        photograph = Photograph(id="flat", image=np.zeros((112, 448, 3), dtype=np.uint8), mask=None)
        reference = torch.tensor([-20.0, 30, 400, 190])
        box = make_bridge().finish(torch.zeros(224, 224), reference, photograph).box
        assert box is not None
        assert box.tolist() == [0, 15, 448, 95]


class TestAugment:
    ids = ("a", "b", "c", "d", "e", "f", "g", "h")

    def augment(self, bridge: BoxBridge, batch: dict[str, Tensor], rows: slice = slice(None)) -> Any:
        references = bridge.base(batch)[:, None].expand(-1, 3, -1)[rows]
        some = {key: value[rows] for key, value in batch.items()}
        return bridge.augment(some, references, Streams(0, 1, self.ids[rows], "augment")), references

    def test_off_by_default(self) -> None:
        batch = random_batch(8)
        (changed, reference, conditioned), before = self.augment(make_bridge(), batch)
        assert all(
            changed[key] is batch_row or torch.equal(changed[key], batch_row) for key, batch_row in batch.items()
        )
        assert torch.equal(reference, before)
        assert torch.equal(conditioned, before)

    def test_mirrors_image_mask_and_reference_together(self) -> None:
        batch = random_batch(8) | {"other": torch.arange(8)}
        bridge = make_bridge(flip=True)
        (changed, reference, conditioned), before = self.augment(bridge, batch)
        mirrored = [not torch.equal(changed["image"][b], batch["image"][b]) for b in range(8)]
        assert 0 < sum(mirrored) < 8
        for b in range(8):
            for key in ("image", "mask"):
                assert torch.equal(changed[key][b], batch[key][b].flip(-1) if mirrored[b] else batch[key][b])
            x1, y1, x2, y2 = before[b, 0].tolist()
            assert reference[b, 0].tolist() == ([224 - x2, y1, 224 - x1, y2] if mirrored[b] else [x1, y1, x2, y2])
        assert torch.equal(bridge.base(changed)[:, None].expand(-1, 3, -1), reference)
        assert torch.equal(conditioned, reference)
        assert torch.equal(changed["other"], batch["other"])

    def test_jitter_moves_only_what_the_downstream_task_learns_under(self) -> None:
        bridge = make_bridge(jitter=6.0)
        (_, reference, conditioned), before = self.augment(bridge, random_batch(8))
        assert torch.equal(reference, before)
        moved = (conditioned - reference).abs()
        assert moved.max() <= 6
        assert bool((moved.mean(dim=(0, 1)) > 1).all())
        assert not torch.equal(conditioned[:, 0], conditioned[:, 1])
        assert bool(bridge.usable(conditioned).all())

    def test_jitter_keeps_small_boxes_usable(self) -> None:
        bridge = make_bridge(jitter=30.0)
        batch = {"image": torch.zeros(8, 3, 224, 224, dtype=torch.uint8), "mask": mask_of(*[(3, 3, 6, 6)] * 8)}
        assert bool(bridge.usable(self.augment(bridge, batch)[0].conditioned).all())

    def test_zoom_enlarges_only_what_the_downstream_task_learns_under(self) -> None:
        bridge = make_bridge(zoom=[0.5, 3.0])
        batch = {"image": torch.zeros(8, 3, 224, 224, dtype=torch.uint8), "mask": mask_of(*[(90, 80, 130, 140)] * 8)}
        (_, reference, conditioned), before = self.augment(bridge, batch)
        assert torch.equal(reference, before)
        width, height = (conditioned[..., 2:] - conditioned[..., :2]).unbind(-1)
        torch.testing.assert_close(width / 40, height / 60)
        torch.testing.assert_close(conditioned[..., :2] + conditioned[..., 2:], torch.full((8, 3, 2), 220.0))
        assert 20 <= width.min() < 40 < 80 < width.max() <= 120

    def test_examples_weigh_alike_in_the_m_step_alone(self) -> None:
        bridge = make_bridge(likelihood="frame", weigh="equally")
        batch = random_batch(8) | {"mask": mask_of(*[(90, 80, 130, 140)] * 8)}
        (changed, _, conditioned), before = self.augment(bridge, batch)
        learned, sampled = bridge.condition(changed, conditioned).target, bridge.condition(batch, before).target
        assert bool((learned.scale == 1).all())
        assert bool((learned.offset == 0).all())
        assert torch.allclose(sampled.scale, torch.tensor(40 * 60 / 224**2))
        assert torch.equal(learned.mask, sampled.mask)

    def test_colour_changes_the_image_alone(self) -> None:
        batch = random_batch(8)
        (changed, reference, _), before = self.augment(make_bridge(colour=0.3), batch)
        assert changed["image"].dtype == torch.float32
        assert 0 <= changed["image"].min() < changed["image"].max() <= 255
        assert not torch.allclose(changed["image"], batch["image"].float(), atol=5)
        assert torch.equal(changed["mask"], batch["mask"])
        assert torch.equal(reference, before)

    def test_a_row_does_not_depend_on_its_neighbours_or_on_other_settings(self) -> None:
        batch = random_batch(8)
        bridge = make_bridge(flip=True, jitter=5.0, colour=0.2)
        together, _ = self.augment(bridge, batch)
        alone, _ = self.augment(bridge, batch, slice(5, 6))
        torch.testing.assert_close(alone.batch["image"][0], together.batch["image"][5], atol=1e-3, rtol=0)
        assert torch.equal(alone.conditioned[0], together.conditioned[5])
        uncoloured, _ = self.augment(make_bridge(flip=True, jitter=5.0), batch)
        assert torch.equal(uncoloured.conditioned, together.conditioned)


@pytest.mark.shared
def test_real_masks_survive_fifty_by_fifty(duts: Path) -> None:
    cv2 = pytest.importorskip("cv2")
    bridge = make_bridge()
    scores = []
    for name in (duts / "val.txt").read_text().split()[:60]:
        mask = cv2.imread(str(duts / "masks" / f"{name}.png"), cv2.IMREAD_GRAYSCALE) >= 128
        frame = cv2.resize(mask.astype(np.float32), (224, 224), interpolation=cv2.INTER_AREA) >= 0.5
        batch = {
            "image": torch.zeros(1, 3, 224, 224, dtype=torch.uint8),
            "mask": torch.from_numpy(frame.astype(np.uint8))[None],
        }
        base = bridge.base(batch)
        perfect = (2 * bridge.condition(batch, base[:, None]).target.mask - 1) * 20
        photograph = Photograph(id=name, image=np.zeros((*mask.shape, 3), dtype=np.uint8), mask=mask)
        found = bridge.finish(bridge.restore(perfect, base[:, None])[0, 0], base[0], photograph).probability >= 0.5
        scores.append((found & mask).sum() / (found | mask).sum())
    assert np.mean(scores) > 0.95


def test_the_box_is_that_of_the_mask() -> None:
    photograph = Photograph("a", np.zeros((448, 448, 3), np.uint8), None)
    frame = mask_of((40, 60, 100, 160))[0].float()
    extraction = make_bridge().finish(frame, torch.tensor([0.0, 0.0, 224.0, 224.0]), photograph)
    assert extraction.box is not None
    assert np.allclose(extraction.box, [80, 120, 200, 320], atol=1)


def test_without_a_mask_the_box_is_the_reference_without_its_context() -> None:
    bridge = make_bridge(context=1.25)
    enlarged = bridge.base({"mask": mask_of((40, 60, 100, 160))})[0]
    assert enlarged.tolist() == [32.5, 47.5, 107.5, 172.5]
    photograph = Photograph("a", np.zeros((112, 448, 3), np.uint8), None)
    extraction = bridge.finish(torch.zeros(224, 224), enlarged, photograph)
    assert extraction.box is not None
    assert np.allclose(extraction.box, [80, 30, 200, 80])
