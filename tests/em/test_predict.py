"""Prediction: references taken anew, and what is averaged."""

from __future__ import annotations

from typing import Any

import torch
from attrs import evolve
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


class Silent:
    """The same bridge, but it does not say what a reference covers."""

    def __init__(self) -> None:
        self._bridge = Relocating(IntervalSettings())

    def relocate(self, frame: Tensor, reference: Tensor) -> Tensor:
        return self._bridge.relocate(frame, reference)

    def __getattr__(self, name: str) -> Any:
        if name == "covers":
            raise AttributeError(name)
        return getattr(self._bridge, name)


def make_pair() -> Pair:
    torch.manual_seed(0)
    bridge: Any = Silent()
    return Pair(upstream=Locate().eval(), downstream=LabelPoints().eval(), bridge=bridge, device=torch.device("cpu"))


def test_relocations_average_what_each_reference_gave() -> None:
    pair = make_pair()
    batch = {"values": DATA.batch(range(3))["values"]}
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
    batch = {"values": DATA.batch(range(3))["values"]}
    found = Predictor(pair).predict_frames(batch, IDS)
    with torch.no_grad():
        torch.testing.assert_close(found.reference, pair.bridge.admit(pair.upstream(batch)))
    assert not found.spread.any()


class Covering(Relocating):
    """Says which samples a reference covers, and relocates to the middle half."""

    def covers(self, reference: Tensor) -> Tensor:
        place = torch.arange(64) + 0.5
        return (place >= reference[..., :1]) & (place < reference[..., 1:])


def test_a_place_that_one_reference_covers_takes_what_was_predicted_in_it() -> None:
    pair = evolve(make_pair(), bridge=Covering(IntervalSettings()))
    batch = {"values": DATA.batch(range(3))["values"]}
    once, twice = (Predictor(pair, relocations=n).predict_frames(batch, IDS) for n in (0, 1))
    inside = pair.bridge.covers(twice.reference[:, None])[:, 0]  # type: ignore[attr-defined]
    covered = pair.bridge.covers(once.reference[:, None])[:, 0]  # type: ignore[attr-defined]
    assert bool((covered & ~inside).any())
    assert torch.equal(twice.frame[covered & ~inside], once.frame[covered & ~inside])
    assert not twice.frame[~covered & ~inside].any()
    solved = pair.predict_downstream(pair.bridge.condition(batch, twice.reference[:, None]).input)
    again = pair.bridge.restore(solved, twice.reference[:, None])[:, 0]
    torch.testing.assert_close(twice.frame[inside], ((once.frame + again) / 2)[inside])


def test_without_a_word_about_coverage_every_reference_counts_everywhere() -> None:
    batch = {"values": DATA.batch(range(3))["values"]}
    pair = make_pair()
    plain, covering = (
        Predictor(p, relocations=1).predict_frames(batch, IDS)
        for p in (pair, evolve(pair, bridge=Covering(IntervalSettings())))
    )
    assert torch.equal(plain.spread, covering.spread)
    assert bool((covering.frame >= plain.frame - 1e-6).all())
    assert bool((covering.frame > plain.frame + 1e-3).any())


class Whole(Covering):
    """Has a reference to the whole recording, and mirrors windows in time."""

    def whole(self, batch: dict[str, Tensor]) -> Tensor:
        return torch.tensor([[0.0, 64.0]]).repeat(len(batch["values"]), 1)

    def mirror(self, maps: Tensor) -> Tensor:
        return maps.flip(-1)


def test_from_the_whole_the_upstream_task_is_not_asked() -> None:
    bridge: Any = Whole(IntervalSettings())
    pair = evolve(make_pair(), bridge=bridge, upstream=torch.nn.Identity())
    batch = {"values": DATA.batch(range(3))["values"]}
    found = Predictor(pair, relocations=1, start="whole").predict_frames(batch, IDS)
    whole = bridge.whole(batch)
    first = Predictor(pair).predict_inside(batch, whole[:, None])[:, 0]
    place = bridge.relocate(first, whole)
    second = Predictor(pair).predict_inside(batch, place[:, None])[:, 0]
    covered = bridge.covers(place[:, None])[:, 0]
    torch.testing.assert_close(found.frame, torch.where(covered, (first + second) / 2, first))
    torch.testing.assert_close(found.reference, place)
    assert not found.spread.any()


def test_every_second_reference_is_solved_on_the_mirror_image() -> None:
    bridge: Any = Whole(IntervalSettings())
    pair = evolve(make_pair(), bridge=bridge)
    batch = {"values": DATA.batch(range(3))["values"]}
    found = Predictor(pair, relocations=2, start="whole", mirror=True).predict_frames(batch, IDS)
    reference, frames, covers = bridge.whole(batch), [], []
    for count in range(3):
        window = bridge.condition(batch, reference[:, None]).input
        with torch.no_grad():
            solved = pair.downstream(window.flip(-1)).flip(-1) if count == 1 else pair.downstream(window)
        frames.append(bridge.restore(solved, reference[:, None])[:, 0])
        covers.append(bridge.covers(reference[:, None])[:, 0].float())
        reference = bridge.relocate(frames[-1], reference)
    torch.testing.assert_close(found.frame, sum(frames) / sum(covers).clamp(min=1))  # type: ignore[union-attr,operator]


def test_references_that_are_given_take_the_place_of_the_predicted_ones() -> None:
    pair = make_pair()
    batch = {"values": DATA.batch(range(3))["values"]}
    reference = torch.tensor([[[8.0, 30.0], [20.0, 50.0]]]).expand(3, -1, -1)
    frames = Predictor(pair).predict_inside(batch, reference)
    assert frames.shape == (3, 2, 64)
    solved = pair.predict_downstream(pair.bridge.condition(batch, reference).input)
    torch.testing.assert_close(frames, pair.bridge.restore(solved, reference))
    predicted = Predictor(pair).predict_frames(batch, IDS)
    again = Predictor(pair).predict_inside(batch, predicted.reference[:, None])[:, 0]
    torch.testing.assert_close(again, predicted.frame)


def test_given_references_are_brought_to_usable_ones() -> None:
    pair = make_pair()
    batch = {"values": DATA.batch(range(3))["values"]}
    frames = Predictor(pair).predict_inside(batch, torch.full((3, 1, 2), 5000.0))
    assert bool(torch.isfinite(frames).all())


def test_the_mean_of_the_drawn_frames_is_the_prediction_with_as_many_draws() -> None:
    pair = make_pair()
    batch = {"values": DATA.batch(range(3))["values"]}
    frames = Predictor(pair).sample_frames(batch, IDS, 8)
    assert frames.shape == (3, 8, 64)
    torch.testing.assert_close(frames.mean(dim=1), Predictor(pair, draws=8).predict_frames(batch, IDS).frame)
