"""Prediction through references drawn on a ring: 179 and -179 degrees are neighbours."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from jointtask.api.bridge import Condition
from jointtask.api.grid import LatentGrid
from jointtask.em.pair import Pair
from jointtask.em.predict import Predictor


class Towards(nn.Module):
    """Predicts 178 degrees for every example, all adjustments equally likely."""

    def forward(self, batch: Any) -> Tensor:
        return torch.full((len(batch["x"]), 1), 178.0)

    def energy(self, prediction: Tensor, target: Tensor) -> Tensor:
        return torch.zeros(len(target))

    def reference(self, prediction: Tensor) -> Tensor:
        return prediction


class Ring:
    """Angles in degrees, written from -180 to 180."""

    coordinates, units, keys, annotation = ("angle",), "degrees", ("x",), ()
    grid = LatentGrid.product([[-4.0, 0.0, 4.0]], period=[360.0])

    def reference(self, centre: Tensor, state: Tensor) -> Tensor:
        angle = centre[:, None] + state
        return angle - 360 * torch.round(angle / 360)

    def usable(self, reference: Tensor) -> Tensor:
        return torch.ones(reference.shape[:-1], dtype=torch.bool)

    def admit(self, reference: Tensor) -> Tensor:
        return reference

    def condition(self, batch: Any, reference: Tensor) -> Condition:
        return Condition(reference.flatten(0, 1), None)

    def restore(self, prediction: Tensor, reference: Tensor) -> Tensor:
        return torch.zeros(*reference.shape[:2], 1)


def test_the_spread_of_references_does_not_see_the_seam_of_a_ring() -> None:
    pair = Pair(Towards(), nn.Identity(), Ring(), torch.device("cpu"))  # type: ignore[arg-type]  # what predicting asks
    frames = Predictor(pair, draws=300).predict_frames({"x": torch.zeros(2, 1)}, ["a", "b"])
    # sqrt(32 / 3) = 3.27 of three equally likely levels; written as numbers, the draws lie 356 apart
    assert frames.spread.shape == (2, 1)
    assert ((frames.spread > 2.8) & (frames.spread < 3.7)).all()
