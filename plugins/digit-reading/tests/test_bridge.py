from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from jointtask_digit_reading.dataset import RotatedDigitsDataset
from jointtask_digit_reading.networks import DigitOrientation, DigitReader
from jointtask_digit_reading.rotation import AngleBridge, angle_adjustment
from jointtask_digit_reading.settings import AngleAdjustment, RotatedDigits

from jointtask.api import ConfigError, Streams
from jointtask.em.pair import Pair
from jointtask.em.predict import Predictor
from jointtask.testing import check_bridge, check_task

DATA = RotatedDigitsDataset(RotatedDigits(split="train", examples=12))


def make_bridge(**chosen: Any) -> AngleBridge:
    context: Any = SimpleNamespace(downstream=SimpleNamespace(input_size=DigitReader.input_size))  # all that it reads
    return angle_adjustment(AngleAdjustment(**chosen), context)


def test_the_pair_keeps_the_contracts() -> None:
    torch.manual_seed(0)
    bridge, batch = make_bridge(), DATA.batch(range(6))
    upstream, downstream = DigitOrientation(8), DigitReader(8)
    check_task(upstream, {"image": batch["image"]}, bridge.base(batch))
    posed = bridge.condition(batch, bridge.base(batch)[:, None])
    check_task(downstream, posed.input, posed.target)
    check_bridge(bridge, batch, downstream)


def test_references_go_round() -> None:
    bridge = make_bridge(levels=[-20, 0, 20])
    reference = bridge.reference(torch.tensor([[170.0], [-175.0]]), bridge.grid.states)
    assert reference[..., 0].tolist() == [[150.0, 170.0, -170.0], [165.0, -175.0, -155.0]]
    assert bridge.grid.period.tolist() == [360.0]
    assert bridge.admit(torch.tensor([[1000.0]])).tolist() == [[-80.0]]


def test_levels_a_turn_apart_are_refused() -> None:
    with pytest.raises(ConfigError, match="twice, on a ring of 360"):
        make_bridge(levels=[-180, 0, 180])


def test_what_is_conditioned_on_the_true_angle_is_the_upright_digit() -> None:
    upright = RotatedDigitsDataset(RotatedDigits(split="train", examples=12, rotation=0, clutter=0, noise=0))
    turned = RotatedDigitsDataset(RotatedDigits(split="train", examples=12, clutter=0, noise=0))
    bridge = make_bridge()
    expected = bridge.condition(upright.batch(range(12)), torch.zeros(12, 1, 1))
    batch = turned.batch(range(12))
    posed = bridge.condition(batch, bridge.base(batch)[:, None])
    assert torch.equal(posed.target, expected.target)
    # interpolated twice, and the corners of an upright crop hold no ink either way
    assert float((posed.input - expected.input).abs().mean()) < 0.04
    away = bridge.condition(batch, bridge.base(batch)[:, None] + 90)
    assert float((away.input - expected.input).abs().mean()) > 0.1


def test_restored_readings_are_probabilities_example_by_example() -> None:
    bridge = make_bridge()
    logits = torch.arange(60, dtype=torch.float32).reshape(6, 10)
    restored = bridge.restore(logits, torch.zeros(2, 3, 1))
    assert restored.shape == (2, 3, 10)
    assert torch.equal(restored[1, 2], logits[5].softmax(dim=0))
    reading = bridge.finish(restored[0, 0], torch.tensor([190.0]), DATA.example(0))
    assert (reading.digit, reading.angle) == (9, -170.0)


def test_quarter_turns_take_the_angle_along() -> None:
    bridge, batch = make_bridge(turn=True), DATA.batch(range(12))
    reference = bridge.base(batch)[:, None]
    changed = bridge.augment(batch, reference, Streams(0, 1, DATA.ids, "augment"))
    turns = bridge.grid.difference(changed.reference, reference.expand_as(changed.reference))[..., 0] % 360
    assert set(turns.flatten().round().tolist()) > {0.0, 90.0}
    before = bridge.condition(batch, reference).input
    after = bridge.condition(changed.batch, changed.conditioned).input
    torch.testing.assert_close(after, before, atol=0.02, rtol=0)
    assert torch.equal(changed.batch["angle"], changed.reference[:, 0])


def test_jitter_moves_what_the_reader_sees_and_not_what_the_orientation_learns() -> None:
    bridge, batch = make_bridge(jitter=10.0), DATA.batch(range(12))
    reference = bridge.base(batch)[:, None].expand(-1, 50, -1)
    changed = bridge.augment(batch, reference, Streams(0, 1, DATA.ids, "augment"))
    assert torch.equal(changed.reference, reference)
    away = bridge.grid.difference(changed.conditioned, reference)
    assert float(away.std()) == pytest.approx(10, abs=1.2)  # four standard errors of 600


def test_the_orientation_of_a_turned_frame_is_the_turned_orientation() -> None:
    torch.manual_seed(1)
    upstream, image = DigitOrientation(8).eval(), DATA.batch(range(12))["image"]
    with torch.no_grad():
        before = upstream.reference(upstream({"image": image}))
        after = upstream.reference(upstream({"image": torch.rot90(image, 1, (1, 2))}))
    away = make_bridge().grid.difference(after, before + 90)
    assert float(away.abs().max()) < 0.1


def test_predictions_average_over_angles_and_say_how_sure_they_are() -> None:
    torch.manual_seed(0)
    bridge = make_bridge(levels=[-30, -15, 0, 15, 30])
    pair = Pair(DigitOrientation(8).eval(), DigitReader(8).eval(), bridge, torch.device("cpu"))
    frames = Predictor(pair, draws=64).predict_frames(DATA.batch(range(12)), DATA.ids)
    torch.testing.assert_close(frames.frame.sum(dim=1), torch.ones(12))
    # an untrained orientation is unsure: nearly uniform over five levels, of standard deviation 21.2
    assert bool(((frames.spread > 15) & (frames.spread < 26)).all())
