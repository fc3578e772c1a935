"""The record of a run of five rounds, for the tests of pages and tables."""

from __future__ import annotations

import base64
import math
from typing import Any

import attrs
import numpy as np

from jointtask.api.record import Energy, OracleRecord, RoundRecord, RunRecord, SamplerRecord, ScoreRecord

# The smallest PNG there is: one white pixel.
PIXEL = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGP4DwABAQEAG7buVgAAAABJRU5ErkJggg==")
LEVELS = ("-10", "-5", "0", "5", "10")
DEFINITIONS = {
    name: {"definition": definition, "better": better, "percent": percent}
    for name, definition, better, percent in (
        ("J", "Intersection over union, averaged over examples, in [0, 1].", "higher", True),
        ("P", "Share of pixels that are right, averaged over examples, in [0, 1].", "higher", True),
        ("MAE", "Mean absolute error, averaged over examples, in [0, 1].", "lower", False),
        ("max F", "Largest F of the curve averaged over examples, in [0, 1].", "higher", False),
    )
}


def scored(predictor: str, level: float, examples: int = 40, data: str = "test") -> ScoreRecord:
    random = np.random.default_rng(round(1000 * level))
    quality = np.clip(random.normal(level, 0.1, examples), 0, 1)
    per_metric = {"J": quality, "P": 0.5 + quality / 2, "MAE": 0.4 * (1 - quality)}
    values = {name: float(metric.mean()) for name, metric in per_metric.items()}
    return ScoreRecord(
        predictor=predictor,
        data=data,
        examples=examples,
        values=values | {"max F": level + 0.05},
        per_example={
            name: {f"example-{k}": float(value) for k, value in enumerate(metric)}
            for name, metric in per_metric.items()
        },
    )


def round_record(number: int) -> RoundRecord:
    decay = math.exp(-number / 3)
    counts = np.random.default_rng(number).multinomial(512, [0.1, 0.2, 0.4, 0.2, 0.1], size=4)
    return RoundRecord(
        round=number,
        start=Energy(upstream=180 * decay + 40, downstream=700 * decay + 420),
        estimate=Energy(upstream=195 * decay + 42, downstream=610 * decay + 355),
        sampler=SamplerRecord(
            acceptance=0.35 - 0.02 * number,
            visited=6.1 + 0.2 * number,
            evaluated=17.3,
            gain=75 * decay + 63,
            moved=0.93,
            effective=5.2,
            oracle=OracleRecord(examples=8, regret=3.1 + decay, mass=0.83),
        ),
        adjustment=[{level: int(c) for level, c in zip(LEVELS, row, strict=True)} for row in counts],
        training={"upstream": 190 * decay + 50, "downstream": 640 * decay + 380},
        validation=validated(decay),
    )


def validated(decay: float) -> dict[str, float]:
    return {"J": 0.8 - 0.3 * decay, "P": 0.93 - 0.1 * decay, "MAE": 0.08 + 0.1 * decay, "max F": 0.88 - 0.2 * decay}


def demo_record() -> RunRecord:
    """Return a record such as a run of five rounds leaves."""
    return RunRecord(
        name="object-extraction",
        directory="/home/ada/runs/object-extraction",
        config={
            "run": {"name": "object-extraction", "seed": 0, "device": "cpu"},
            "data": {"train": {"name": "folder", "images": "/data/images", "limit": None}},
            "upstream": {"name": "localization", "weight": 1.0, "optimizer": {"name": "adamw", "rates": {}}},
            "downstream": {"name": "segmentation", "weight": 1.0},
            "bridge": {"name": "box-adjustment", "levels": (-10.0, -5.0, 0.0, 5.0, 10.0)},
            "sampler": {"name": "metropolis-hastings", "moves": 20, "estimate": "best"},
            "proposal": [{"name": "gaussian"}],
            "em": {"rounds": 5, "draws": 1},
        },
        versions={"python": "3.11.2", "torch": "2.13.0", "jointtask": "0.1.0", "device": "cpu", "threads": "2"},
        data={
            "train": {"examples": 512, "fingerprint": "d41d8cd98f00b204", "notes": ["masks hold 0 and 255"]},
            "validation": {"examples": 64, "fingerprint": "9e107d9d372bb682", "notes": []},
            "test": {"examples": 40, "fingerprint": "e4d909c290d0fb1c", "notes": []},
        },
        parameters={"upstream": 1_234_567, "downstream": 2_345_678},
        rounds=[
            RoundRecord(round=0, training={"upstream": 260.0, "downstream": 1100.0}, validation=validated(1.2)),
            *(round_record(number) for number in range(1, 6)),
        ],
        timing=[
            {"round": number, "phase": phase, "seconds": seconds}
            for number in range(6)
            for phase, seconds in (("data", 0.6), ("E-step", 4.25), ("M-step", 6.5), ("evaluate", 0.9))
        ],
        scores=[scored("this run", 0.82), scored("otsu", 0.41), scored("colour-contrast", 0.47)],
        definitions=DEFINITIONS,
        finished=True,
    )


def changed(record: RunRecord, **changes: Any) -> RunRecord:
    """Return the record with another last round: attributes of the round, or of its sampler."""
    last = record.rounds[-1]
    assert last.sampler is not None
    sampler = attrs.evolve(last.sampler, **{k: v for k, v in changes.items() if hasattr(last.sampler, k)})
    entry = attrs.evolve(last, sampler=sampler, **{k: v for k, v in changes.items() if hasattr(last, k)})
    return attrs.evolve(record, rounds=[*record.rounds[:-1], entry])
