from __future__ import annotations

import numpy as np
import pytest
from jointtask_event_detection.dataset import HeartbeatDataset
from jointtask_event_detection.recording import LENGTH, RATE
from jointtask_event_detection.settings import Heartbeats


def make(**chosen: object) -> HeartbeatDataset:
    settings: dict[str, object] = {"split": "train", "examples": 200}
    return HeartbeatDataset(Heartbeats(**{**settings, **chosen}))  # type: ignore[arg-type]  # any settings


DATA = make()


def test_a_batch_holds_the_recordings_and_their_annotation() -> None:
    batch = DATA.batch([5, 2])
    assert {name: (tuple(tensor.shape), str(tensor.dtype)) for name, tensor in batch.items()} == {
        "values": ((2, LENGTH), "torch.float32"),
        "label": ((2, LENGTH), "torch.uint8"),
        "marked": ((2, 2), "torch.float32"),
    }
    assert (batch["values"][0].numpy() == DATA.example(5).values).all()


def test_a_recording_depends_on_its_seed_split_and_position_alone() -> None:
    assert make(examples=20).digests == DATA.digests[:20]
    assert set(DATA.digests).isdisjoint(make(seed=1).digests)
    assert set(DATA.digests).isdisjoint(make(split="test").digests)


def test_every_recording_has_one_run_of_abnormal_beats() -> None:
    lengths, complexes = [], []
    for index in range(len(DATA)):
        recording = DATA.example(index)
        first, last = recording.interval
        assert (recording.marked == recording.interval).all()
        assert 0 < first < last < LENGTH
        steps = np.flatnonzero(np.diff(recording.label.astype(int)) == 1)
        lengths.append((last - first) / RATE)
        complexes.append(len(steps))
    assert 0.6 < min(lengths) < 0.9
    assert 1.8 < max(lengths) < 2.5
    assert set(complexes) <= {1, 2, 3, 4, 5}  # neighbouring complexes may touch
    assert np.mean(complexes) == pytest.approx(3.4, abs=0.4)


def test_the_labelled_samples_are_the_broad_complexes() -> None:
    clean = make(examples=50, noise=0.0, drift=0.0, distractors=0)
    for index in range(50):
        recording = clean.example(index)
        assert np.abs(recording.values[recording.label > 0]).mean() > 0.2
        # what is unlabelled between two complexes is near the baseline
        first, last = recording.interval.astype(int)
        gaps = np.abs(recording.values[first:last][recording.label[first:last] == 0])
        assert gaps.size == 0 or gaps.mean() < 0.2


def test_noise_and_drift_have_the_scale_that_was_asked_for() -> None:
    def values(**chosen: float) -> np.ndarray:
        data = make(**{"examples": 50, "noise": 0.0, "drift": 0.0, "distractors": 0, **chosen})
        return np.stack([data.example(index).values for index in range(50)])

    still, noisy, drifting = values(), values(noise=0.2), values(drift=1.0)
    assert (noisy - still).std() == pytest.approx(0.2, rel=0.03)  # four standard errors are 0.018
    assert np.abs(drifting - still).max() <= 1.5  # three sines of at most half the amplitude
    assert np.abs(np.diff(drifting - still)).max() < 0.05  # slow


def test_distractors_change_values_and_never_labels() -> None:
    without, many = make(examples=50, distractors=0), make(examples=50, distractors=5)
    same = [(without.example(i).values == many.example(i).values).all() for i in range(50)]
    assert 0 < sum(same) < 30  # one in six has none, up to what the generator's stream brings
    assert all((without.example(i).label == many.example(i).label).all() for i in range(50))


def test_marked_ends_are_off_by_the_noise_that_was_asked_for() -> None:
    data = make(examples=400, annotation_noise=10.0)
    off = np.stack([data.example(i).marked - data.example(i).interval for i in range(400)])
    assert off.mean() == pytest.approx(0, abs=1.5)  # four standard errors of 800
    assert off.std() == pytest.approx(10, abs=1.1)
    assert all(data.example(i).marked[0] < data.example(i).marked[1] for i in range(400))
