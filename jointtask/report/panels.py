"""Gathers what a pair's panels are drawn from, and has them drawn: at the end of a run, and after each round."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from jointtask.api.component import PanelComponent
from jointtask.api.metric import Metric
from jointtask.api.panel import Panel, PanelData, PanelExample
from jointtask.api.record import OWN, RunRecord
from jointtask.em.assembly import Assembly, chosen
from jointtask.em.batches import Examples
from jointtask.em.latents import Latents
from jointtask.em.predict import Predictor
from jointtask.registry.attribution import tolerated
from jointtask.tools import text

__all__ = ["draw_fixed", "draw_panels"]

SHOWN = 6


def draw_panels(
    assembly: Assembly, predictor: Predictor, examples: Examples, latents: Latents, record: RunRecord
) -> list[Panel]:
    """Draw the panels of every component that can draw this bridge's runs.

    Parameters
    ----------
    assembly : Assembly
        The run.
    predictor : Predictor
        Predictor of the trained pair.
    examples : Examples
        The training data, of which the same few are shown in every report.
    latents : Latents
        Estimates of the training examples.
    record : RunRecord
        Record with the scores, which decide the worst and the best cases.
    """
    components = _components(assembly)
    if not components:
        return []
    ranked, by = _ranked(assembly, record)
    data = PanelData(
        fixed=_fixed(assembly, predictor, examples, latents, SHOWN),
        worst=[_scored_example(assembly, predictor, position) for position in ranked[:SHOWN]],
        worst_by=by,
        best=[_scored_example(assembly, predictor, position) for position in ranked[SHOWN:][: -SHOWN - 1 : -1]],
    )
    return _drawn(assembly, components, data)


def draw_fixed(
    assembly: Assembly, predictor: Predictor, examples: Examples, latents: Latents, count: int
) -> list[Panel]:
    """Draw the panels of `count` training examples alone, the same whenever it is called."""
    components = _components(assembly)
    if not components:
        return []
    data = PanelData(fixed=_fixed(assembly, predictor, examples, latents, count), worst=[], worst_by="")
    return _drawn(assembly, components, data)


def _components(assembly: Assembly) -> list[PanelComponent]:
    """Return the panels that can draw this bridge's runs."""
    return [
        component
        for component in assembly.registry.components("panel")
        if isinstance(component, PanelComponent) and component.bridge == assembly.runfile.bridge.name
    ]


def _fixed(
    assembly: Assembly, predictor: Predictor, examples: Examples, latents: Latents, count: int
) -> list[PanelExample]:
    ids = examples.dataset.ids
    shown = chosen(ids, count)
    row_of = {name: row for row, name in enumerate(ids) if name in shown}
    return [_training_example(assembly, predictor, examples, latents, row_of[name]) for name in shown]


def _drawn(assembly: Assembly, components: Sequence[PanelComponent], data: PanelData) -> list[Panel]:
    panels: list[Panel] = []
    for component in components:
        source = assembly.registry.source("panel", component.name)
        with tolerated(assembly.context.progress.say, f"the panel '{component.name}'", source):
            panels += component.build(component.settings(), assembly.context)(data)
    return panels


def _training_example(
    assembly: Assembly, predictor: Predictor, examples: Examples, latents: Latents, position: int
) -> PanelExample:
    batch = examples.batch([position], prepared=True).tensors
    seen = int(latents.count[position]) > 0
    base = assembly.pair.bridge.base(batch)[0].cpu() if seen else None
    return _shown(
        assembly, predictor, examples.dataset, position, batch, base, latents.reference[position, 0] if seen else None
    )


def _scored_example(assembly: Assembly, predictor: Predictor, position: int) -> PanelExample:
    dataset = assembly.test if assembly.test is not None else assembly.validation
    assert dataset is not None  # there are scores, so there is data
    return _shown(assembly, predictor, dataset, position, dataset.batch([position]), None, None)


def _shown(
    assembly: Assembly,
    predictor: Predictor,
    dataset: Any,
    position: int,
    batch: Mapping[str, torch.Tensor],
    base: torch.Tensor | None,
    estimate: torch.Tensor | None,
) -> PanelExample:
    example = dataset.example(position)
    frames = predictor.predict_frames(batch, [example.id])
    prediction = predictor.finish(frames, [example])[0]
    scores = {name: metric.score(prediction, example) for name, metric in assembly.metrics.items()}
    return PanelExample(
        example=example,
        batch={name: tensor.cpu() for name, tensor in batch.items()},
        predicted=frames.reference[0].cpu(),
        base=base,
        estimate=estimate,
        prediction=prediction,
        scores=_as_in_tables(assembly.metrics, scores),
    )


def _as_in_tables(metrics: Mapping[str, Metric], scores: Mapping[str, Any]) -> dict[str, str]:
    """Return the scores of one example as the tables name and write them."""
    names = score_names(metrics)
    written = {}
    for name, value in scores.items():
        if isinstance(value, float):
            percent = next(iter(metrics[name].summaries.values())).percent
            known = percent and math.isfinite(value)
            written[names[name]] = text.score(value, percent) + (text.PERCENT if known else "")
    return written


def _ranked(assembly: Assembly, record: RunRecord) -> tuple[Sequence[int], str]:
    """Return the positions of the examples by the leading score, worst first, and that score's name."""
    ours = next((line for line in record.scores if line.predictor == OWN), None)
    if ours is None or not ours.per_example:
        return [], ""
    name, values = next(iter(ours.per_example.items()))
    better = next(iter(assembly.metrics[name].summaries.values())).better
    # NaN is no score: such an example is neither good nor bad.
    ranked = sorted(
        (value if better == "higher" else -value, position)
        for position, value in enumerate(values.values())
        if value == value
    )
    return [position for _, position in ranked], score_names(assembly.metrics)[name]


def score_names(metrics: Mapping[str, Metric]) -> dict[str, str]:
    """Return what the tables call each metric's score of one example: its summary, where it has a single one."""
    return {
        name: next(iter(metric.summaries)) if len(metric.summaries) == 1 else name for name, metric in metrics.items()
    }
