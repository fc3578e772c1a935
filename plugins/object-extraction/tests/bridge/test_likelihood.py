from __future__ import annotations

import math

import pytest
import torch
from jointtask_object_extraction.bridge.likelihood import (
    BoxPrediction,
    BoxTask,
    MaskTarget,
    MaskTask,
    box_energy,
    gaussian_energy,
    jaccard_distance,
    mask_energy,
)


def test_box_energy_is_the_squared_error_summed_over_sides() -> None:
    box = torch.tensor([[1.0, 2.0, 30.0, 40.0], [0.0, 0.0, 10.0, 10.0]])
    reference = torch.tensor([[2.0, 0.0, 33.0, 40.0], [0.0, 0.0, 10.0, 10.0]])
    torch.testing.assert_close(box_energy(box, reference), torch.tensor([1.0 + 4.0 + 9.0, 0.0]))


def test_the_gaussian_energy_is_minus_the_log_density_up_to_a_constant() -> None:
    generator = torch.Generator().manual_seed(0)
    box, reference = (224 * torch.rand(5, 4, generator=generator) for _ in range(2))
    scale = 2 + 50 * torch.rand(5, 4, generator=generator)
    density = torch.distributions.Normal(box, scale).log_prob(reference).sum(dim=1)
    energy = BoxTask().energy(BoxPrediction(box, scale.log()), reference)
    torch.testing.assert_close(energy, -density - 2 * math.log(2 * math.pi), rtol=1e-4, atol=1e-3)


def test_a_scale_does_not_collapse() -> None:
    box = torch.zeros(1, 4)
    collapsed = gaussian_energy(BoxPrediction(box, torch.full((1, 4), -20.0)), box + 1)
    torch.testing.assert_close(collapsed, torch.tensor([4 * (1 / 8 + math.log(2))]))


def test_mask_energy_is_scale_times_summed_cross_entropy_plus_offset() -> None:
    odds = torch.tensor([[[2.0, -1.0], [0.5, 0.0]], [[2.0, -1.0], [0.5, 0.0]]])
    mask = torch.tensor([[[True, True], [False, False]], [[False, False], [False, False]]])
    target = MaskTarget(mask, scale=torch.tensor([1.0, 0.5]), offset=torch.tensor([0.0, 7.0]))

    def probability(x: float) -> float:
        return 1 / (1 + math.exp(-x))

    first = -sum(map(math.log, [probability(2.0), probability(-1.0), 1 - probability(0.5), 1 - probability(0.0)]))
    second = -sum(math.log(1 - probability(x)) for x in (2.0, -1.0, 0.5, 0.0))
    expected = torch.tensor([first, 0.5 * second + 7.0])
    torch.testing.assert_close(mask_energy(odds, target), expected)
    torch.testing.assert_close(mask_energy(odds, target._replace(mask=mask.float())), expected)


def test_mask_energy_of_hopeless_odds_is_finite() -> None:
    target = MaskTarget(torch.ones(1, 2, 2), torch.ones(1), torch.zeros(1))
    assert mask_energy(torch.full((1, 2, 2), -1e4), target).item() == pytest.approx(4e4)


def test_energies_are_float32_even_of_bfloat16_under_autocast() -> None:
    box, reference = torch.tensor([[100.0, 100.0, 200.0, 200.0]]), torch.tensor([[100.3, 99.6, 200.9, 199.1]])
    odds = torch.linspace(-3, 3, 2500).view(1, 50, 50)
    target = MaskTarget(odds > 1, torch.ones(1), torch.zeros(1))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        boxes, masks = box_energy(box, reference), mask_energy(odds.bfloat16(), target)
    assert boxes.dtype == masks.dtype == torch.float32
    assert torch.equal(boxes, box_energy(box, reference))
    assert torch.equal(masks, mask_energy(odds.bfloat16().float(), target))


def test_the_jaccard_distance_of_certain_masks_is_that_of_sets() -> None:
    mask = torch.zeros(4, 10, 10, dtype=torch.bool)
    mask[:2, 2:8, 2:8] = True
    mask[2, 0, 0] = True
    found = mask.clone()
    found[1] = found[1].roll(3, dims=1)  # 6 x 3 in common, 6 x 9 together
    found[2] = False
    distance = jaccard_distance(torch.where(found, 50.0, -50.0), mask)
    torch.testing.assert_close(distance, torch.tensor([0.0, 1 - 19 / 55, 1 - 1 / 2, 0.0]))
    torch.testing.assert_close(distance, jaccard_distance(torch.where(found, 50.0, -50.0), mask.float()))


def test_the_loss_is_the_energy_and_the_overlap_on_its_scale() -> None:
    generator = torch.Generator().manual_seed(0)
    odds, mask = torch.randn(3, 7, 5, generator=generator), torch.rand(3, 7, 5, generator=generator)
    target = MaskTarget(mask, torch.tensor([1.0, 0.5, 0.0]), torch.tensor([0.0, 7.0, 3.0]))
    task = MaskTask()
    assert torch.equal(task.training_loss(odds, target), task.energy(odds, target))
    task.overlap = 2.0
    expected = task.energy(odds, target).double()
    for row in range(3):
        found = [1 / (1 + math.exp(-value)) for value in odds[row].flatten().tolist()]
        real = mask[row].flatten().tolist()
        common = sum(q * m for q, m in zip(found, real, strict=True))
        together = sum(q + m - q * m for q, m in zip(found, real, strict=True))
        expected[row] += 2.0 * 35 * float(target.scale[row]) * (1 - (common + 1) / (together + 1))
    torch.testing.assert_close(task.training_loss(odds, target).double(), expected)
    assert torch.equal(task.energy(odds, target), mask_energy(odds, target)), "the E-step keeps the cross entropy"
