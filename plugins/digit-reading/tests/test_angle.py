from __future__ import annotations

import math

import pytest
import torch
from jointtask_digit_reading.angle import direction, von_mises_energy, wrap


def test_angles_are_written_from_minus_180_to_180() -> None:
    written = wrap(torch.tensor([0.0, 179.0, 181.0, -181.0, 720.0, -541.0, 359.5]))
    assert written.tolist() == [0.0, 179.0, -179.0, 179.0, 0.0, 179.0, -0.5]


def test_angles_that_are_written_so_keep_their_bits() -> None:
    angle = torch.rand(1000, generator=torch.Generator().manual_seed(0)) * 360 - 180
    assert torch.equal(wrap(angle), angle)


def test_the_energy_is_the_negative_log_of_a_density_on_the_circle() -> None:
    angle = torch.arange(-180, 180, 0.25, dtype=torch.float64)
    for vector in ((0.0, 0.0), (3.0, -1.0), (0.0, 40.0)):
        energy = von_mises_energy(torch.tensor([vector], dtype=torch.float64).expand(len(angle), -1), angle)
        mass = torch.exp(-energy).sum() * math.radians(0.25)
        assert float(mass) == pytest.approx(1.0, abs=1e-9)


def test_the_energy_is_least_at_the_direction_of_the_vector_and_knows_no_seam() -> None:
    angle = torch.arange(-180, 181, 1.0)
    energy = von_mises_energy((5 * direction(torch.tensor([177.0]))).expand(len(angle), -1), angle)
    assert float(angle[energy.argmin()]) == 177.0
    assert float(energy[0]) == pytest.approx(float(energy[-1]), abs=1e-4)
    away = 5 * (1 - math.cos(math.radians(6)))
    assert float(energy[angle == -177.0] - energy.min()) == pytest.approx(away, abs=1e-4)


def test_a_vector_of_no_length_and_a_very_long_one_give_finite_gradients() -> None:
    vector = torch.tensor([[0.0, 0.0], [1e4, 0.0]], requires_grad=True)
    energy = von_mises_energy(vector, torch.tensor([10.0, 10.0]))
    energy.sum().backward()
    assert energy[0].item() == pytest.approx(math.log(2 * math.pi))
    assert vector.grad is not None
    assert bool(torch.isfinite(vector.grad).all())
