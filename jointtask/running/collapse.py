"""Trainings that go wrong without an error: a task that counts for nothing, a pair that predicts one thing for all."""

from __future__ import annotations

import torch

from jointtask.api.dataset import Dataset
from jointtask.api.tree import leaves
from jointtask.em.assembly import Assembly
from jointtask.em.predict import Predictor
from jointtask.runfile.schema import RunFile

__all__ = ["constant_outputs", "constant_predictions", "unweighted_tasks"]

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
    batch, pair = dataset.batch(positions), predictor.pair
    reference = predictor.predict_frames(batch, ids).reference
    grid = pair.bridge.grid
    span = (grid.states.amax(dim=0) - grid.states.amin(dim=0)).to(reference).clamp(min=1e-12)
    first = reference[:1].expand_as(reference)
    # Restored into one reference, the downstream outputs of different inputs can be compared.
    with torch.inference_mode():
        bare = {name: tensor.to(pair.device) for name, tensor in batch.items() if name not in pair.bridge.annotation}
        solved = pair.predict_downstream(pair.bridge.condition(bare, reference[:, None]).input)
        restored = pair.bridge.restore(solved, first[:, None])
    ranges = {
        "upstream": ("predicts the same reference", (grid.difference(reference, first) / span).abs().max()),
        "downstream": ("gives the same", (restored.amax(dim=0) - restored.amin(dim=0)).max()),
    }
    return [
        f"The {role} network {does} for {len(ids)} different examples: train longer (em.warmup_epochs) or change "
        f"{role}.optimizer.rate; look at the pictures first."
        for role, (does, difference) in ranges.items()
        if role in pair.learning and float(difference) < SAME
    ]


@torch.inference_mode()
def constant_outputs(assembly: Assembly) -> list[str]:
    """Return a warning for each untrained network whose output does not depend on its input at all.

    Parameters
    ----------
    assembly : Assembly
        The run; its first two training examples are compared.
    """
    pair, train = assembly.pair, assembly.train
    if len(train) < 2 or train.digests[0] == train.digests[1]:
        return []
    batch = {name: tensor.to(pair.device) for name, tensor in train.batch([0, 1]).items()}
    reference = pair.bridge.base(batch)[:, None]
    outputs = {
        "upstream": pair.predict_upstream(batch),
        "downstream": pair.predict_downstream(pair.bridge.condition(batch, reference).input),
    }
    return [
        f"The {role} network gives the same for two different examples: its output does not depend on its input, and "
        "training may not change that. Look at its last layers."
        for role, output in outputs.items()
        if role in pair.learning and all(torch.equal(leaf[0], leaf[1]) for leaf in leaves(output))
    ]
