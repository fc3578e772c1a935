"""Trainings that go wrong without an error: a task that counts for nothing, a pair that predicts one thing for all."""

from __future__ import annotations

import torch

from jointtask.api.dataset import Dataset
from jointtask.em.predict import Predictor
from jointtask.runfile.schema import RunFile

__all__ = ["constant_predictions", "unweighted_tasks"]

COMPARED = 8
"""Examples whose predictions are compared."""

SAME = 1e-3
"""Greatest difference, between examples, of outputs that count as constant: of probabilities, and of references
relative to the span of the grid."""


def unweighted_tasks(runfile: RunFile) -> list[str]:
    """Return a warning for each task whose weight is 0."""
    consequences = {
        "upstream": "the upstream network learns nothing, and the predicted reference stays what it is",
        "downstream": "the downstream network learns nothing, and the E-step does not see it",
    }
    tables = {"upstream": runfile.upstream, "downstream": runfile.downstream}
    return [
        f"{role}.weight is 0: {consequence}. Set {role}.weight above 0."
        for role, consequence in consequences.items()
        if tables[role].weight == 0
    ]


def constant_predictions(predictor: Predictor, dataset: Dataset) -> list[str]:
    """Return a warning for each network that gives the same for different examples.

    Parameters
    ----------
    predictor : Predictor
        The trained pair.
    dataset : Dataset
        The examples; the first few are predicted.
    """
    positions = range(min(COMPARED, len(dataset)))
    ids = [dataset.ids[position] for position in positions]
    if len(set(dataset.digests[: len(ids)])) < 2:
        return []
    frames = predictor.predict_frames(dataset.batch(positions), ids)
    grid = predictor.pair.bridge.grid.states
    span = (grid.amax(dim=0) - grid.amin(dim=0)).to(frames.reference).clamp(min=1e-12)
    advice = "train longer (em.warmup_epochs) or change {}.optimizer.rate; look at the pictures first."
    found = []
    if float(_range(frames.reference / span)) < SAME:
        found.append(
            f"The upstream network predicts the same reference for {len(ids)} different examples: "
            + advice.format("upstream")
        )
    if float(_range(frames.frame)) < SAME:
        found.append(f"The pair predicts the same for {len(ids)} different examples: " + advice.format("downstream"))
    return found


def _range(values: torch.Tensor) -> torch.Tensor:
    return (values.amax(dim=0) - values.amin(dim=0)).max()
