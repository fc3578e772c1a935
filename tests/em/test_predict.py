"""Prediction: references taken anew, and what is averaged."""

from __future__ import annotations

import torch
from torch import Tensor
from toy import BumpData, Bumps, Interval, IntervalSettings, LabelPoints, Locate

from jointtask.em.pair import Pair
from jointtask.em.predict import Predictor

DATA = Bumps(BumpData())
IDS = list(DATA.ids[:3])


class Relocating(Interval):
    """Takes the middle half of the reference that a prediction was made through."""

    def relocate(self, frame: Tensor, reference: Tensor) -> Tensor:
        assert frame.shape == (3, 64)
        quarter = (reference[:, 1] - reference[:, 0]) / 4
        return torch.stack([reference[:, 0] + quarter, reference[:, 1] - quarter], dim=1)


def make_pair() -> Pair:
    torch.manual_seed(0)
    bridge = Relocating(IntervalSettings())
    return Pair(upstream=Locate().eval(), downstream=LabelPoints().eval(), bridge=bridge, device=torch.device("cpu"))


def test_relocations_average_what_each_reference_gave() -> None:
    pair = make_pair()
    batch = {"line": DATA.batch(range(3))["line"]}
    found = Predictor(pair, relocations=2).predict_frames(batch, IDS)
    with torch.no_grad():
        reference = pair.bridge.admit(pair.upstream(batch))
        frames = []
        for _ in range(3):
            solved = pair.downstream(pair.bridge.condition(batch, reference[:, None]).input)
            frames.append(pair.bridge.restore(solved, reference[:, None])[:, 0])
            last, reference = reference, pair.bridge.relocate(frames[-1], reference)  # type: ignore[attr-defined]
    torch.testing.assert_close(found.frame, torch.stack(frames).mean(dim=0))
    torch.testing.assert_close(found.reference, last)


def test_without_relocations_the_predicted_reference_stands() -> None:
    pair = make_pair()
    batch = {"line": DATA.batch(range(3))["line"]}
    found = Predictor(pair).predict_frames(batch, IDS)
    with torch.no_grad():
        torch.testing.assert_close(found.reference, pair.bridge.admit(pair.upstream(batch)))
    assert not found.spread.any()
