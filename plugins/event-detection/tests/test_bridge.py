from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from jointtask_event_detection.dataset import HeartbeatDataset
from jointtask_event_detection.interval import SHORTEST, IntervalBridge, interval_adjustment
from jointtask_event_detection.likelihood import IntervalPrediction, interval_energy, label_energy
from jointtask_event_detection.networks import EventLabelling, EventLocalization
from jointtask_event_detection.recording import LENGTH
from jointtask_event_detection.resample import coverage, read, write
from jointtask_event_detection.settings import Heartbeats, IntervalAdjustment

from jointtask.api import Streams
from jointtask.testing import check_bridge, check_task

DATA = HeartbeatDataset(Heartbeats(split="train", examples=12, annotation_noise=10))


def make_bridge(**chosen: Any) -> IntervalBridge:
    context: Any = SimpleNamespace(downstream=SimpleNamespace(points=EventLabelling.points))  # all that it reads
    return interval_adjustment(IntervalAdjustment(**chosen), context)


@pytest.mark.parametrize("likelihood", ["reference", "frame"])
def test_the_pair_keeps_the_contracts(likelihood: str) -> None:
    torch.manual_seed(0)
    bridge, batch = make_bridge(likelihood=likelihood), DATA.batch(range(6))
    check_task(EventLocalization(8), {"values": batch["values"]}, bridge.base(batch))
    downstream = EventLabelling(8)
    posed = bridge.condition(batch, bridge.base(batch)[:, None])
    check_task(downstream, posed.input, posed.target)
    check_bridge(bridge, batch, downstream)


@pytest.mark.parametrize(("unlabelled", "unmarked"), [(0.5, 0.0), (0.0, 0.5), (0.5, 0.5), (1.0, 0.0), (0.0, 1.0)])
def test_recordings_that_lack_an_annotation_keep_the_contracts(unlabelled: float, unmarked: float) -> None:
    data = HeartbeatDataset(Heartbeats(split="train", examples=40, unlabelled=unlabelled, unmarked=unmarked))
    batch = data.batch(range(40))
    assert bool((batch["is_labelled"] | batch["is_marked"]).all())
    assert bool((batch["label"].amax(dim=1) > 0).eq(batch["is_labelled"]).all())
    share = float((~batch["is_labelled"]).float().mean()), float((~batch["is_marked"]).float().mean())
    assert share == pytest.approx((unlabelled, unmarked), abs=0.3)  # 40 draws: beyond it once in 10,000
    assert any("without labels" in note for note in data.notes)
    bridge = make_bridge()
    check_bridge(bridge, batch, EventLabelling(8))
    base, unmarked_rows = bridge.base(batch), ~batch["is_marked"]
    label = batch["label"][unmarked_rows]
    assert torch.equal(base[unmarked_rows][:, 0], label.argmax(dim=1) - bridge.margin)


def test_more_than_one_annotation_cannot_be_lacking() -> None:
    with pytest.raises(ValueError, match="above 1 together"):
        Heartbeats(split="train", unlabelled=0.6, unmarked=0.5)


def test_a_ramp_is_read_at_the_middles_of_equal_parts() -> None:
    ramp = (torch.arange(64) + 0.5)[None]
    reference = torch.tensor([[[8.0, 40.0], [20.5, 24.5]]])
    seen = read(ramp, reference, 8)
    assert seen[0, 0].tolist() == pytest.approx([10 + 4 * k for k in range(8)])
    assert seen[0, 1].tolist() == pytest.approx([20.75 + 0.5 * k for k in range(8)])


def test_beyond_the_frame_there_is_nothing_to_read() -> None:
    seen = read(torch.ones(1, 32), torch.tensor([[[-16.0, 48.0]]]), 16)
    assert seen[0, 0].tolist() == [0.0] * 4 + [1.0] * 8 + [0.0] * 4


def test_what_is_read_is_written_back_where_it_was() -> None:
    smooth = 0.5 + 0.5 * torch.sin(torch.arange(128) / 15)[None]
    reference = torch.tensor([[[17.0, 99.0]]])
    written = write(read(smooth, reference, 64), reference, 128)[0, 0]
    torch.testing.assert_close(written[18:98], smooth[0, 18:98], atol=0.02, rtol=0)
    assert float(written[:17].abs().max()) == float(written[99:].abs().max()) == 0


def test_coverage_is_the_length_inside_the_frame() -> None:
    covered = coverage(torch.tensor([[2.25, 5.5], [-3.0, 1.0], [40.0, 50.0]]), 8)
    assert covered[0].tolist() == [0, 0, 0.75, 1, 1, 0.5, 0, 0]
    assert covered.sum(dim=1).tolist() == [3.25, 1, 0]


def test_restored_after_condition_the_labels_are_what_they_were() -> None:
    bridge, batch = make_bridge(margin=8.0), DATA.batch(range(12))
    reference = bridge.base(batch)[:, None]
    logit = 40 * bridge.condition(batch, reference).target.label - 20
    restored = bridge.restore(logit, reference)[:, 0] >= 0.5
    inside = coverage(reference[:, 0], LENGTH) == 1
    wrong = (restored != (batch["label"] > 0)) & inside
    # a complex of about 30 samples is cut to the nearest of 64 points, up to 6 samples apart
    assert float(wrong.sum() / inside.sum()) < 0.08
    assert not bool((restored & ~(coverage(reference[:, 0], LENGTH) > 0)).any())


def test_the_frame_likelihood_counts_what_the_reference_leaves_out() -> None:
    bridge = make_bridge(likelihood="frame")
    label = torch.zeros(1, LENGTH, dtype=torch.uint8)
    label[0, 100:200] = 1
    batch = {"values": torch.zeros(1, LENGTH), "label": label, "marked": torch.tensor([[100.0, 200.0]])}
    whole, half = bridge.condition(batch, torch.tensor([[[100.0, 200.0], [100.0, 150.0]]])).target.offset
    unit = bridge.points / LENGTH
    assert float(whole) == pytest.approx(-412 * math.log1p(-1e-3) * unit, rel=1e-4)
    assert float(half) == pytest.approx((-50 * math.log(1e-3) - 412 * math.log1p(-1e-3)) * unit, rel=1e-4)
    logit = torch.full((2, bridge.points), 30.0)  # sure of the event, and right wherever it is asked
    energy = label_energy(logit, bridge.condition(batch, torch.tensor([[[100.0, 200.0], [100.0, 150.0]]])).target)
    assert float(energy[1] - energy[0]) == pytest.approx(50 * -math.log(1e-3) * unit, rel=1e-3)


def test_the_energy_of_an_interval_is_gaussian_with_bounded_scales() -> None:
    prediction = IntervalPrediction(torch.tensor([[10.0, 20.0]] * 2), torch.tensor([[0.0, math.log(4)], [-9.0, 0.0]]))
    energy = interval_energy(prediction, torch.tensor([[12.0, 12.0]] * 2))
    assert energy.tolist() == pytest.approx([2 + 2 + math.log(4), 2 + 32])


def test_references_are_admitted_in_order_long_enough_and_inside_enough() -> None:
    bridge = make_bridge()
    odd = torch.tensor([[300.0, 200.0], [100.0, 104.0], [-90.0, -40.0], [600.0, 640.0]])
    admitted = bridge.admit(odd)
    assert admitted[0].tolist() == [200, 300]
    assert admitted[1].tolist() == [94, 110]
    assert bool(bridge.usable(admitted).all())
    assert not bool(bridge.usable(odd[1:]).any())
    assert torch.equal(bridge.admit(admitted), admitted)
    assert float(bridge.base(DATA.batch(range(12))).diff(dim=1).min()) >= SHORTEST


def test_a_finished_detection_has_its_margin_taken_off() -> None:
    bridge = make_bridge(margin=8.0)
    found = bridge.finish(torch.zeros(LENGTH), torch.tensor([92.0, 520.0]), DATA.example(0))
    assert found.interval.tolist() == [100, 512]


def test_recordings_are_turned_upside_down_and_jittered_in_the_m_step_alone() -> None:
    bridge, batch = make_bridge(flip=True, jitter=6.0), DATA.batch(range(12))
    reference = bridge.base(batch)[:, None].expand(-1, 4, -1)
    changed = bridge.augment(batch, reference, Streams(0, 1, DATA.ids, "augment"))
    sign = (changed.batch["values"] / batch["values"]).mean(dim=1).round()
    assert set(sign.tolist()) == {-1.0, 1.0}
    assert torch.equal(changed.reference, reference)
    moved = (changed.conditioned - reference).abs()
    assert 3 < float(moved.max()) <= 6.001
