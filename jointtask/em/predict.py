"""Prediction: the same machinery without the annotation."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

from jointtask.api.bridge import CoveringBridge, FramingBridge, MirroringBridge, RelocatingBridge, WholeBridge
from jointtask.api.dataset import Dataset
from jointtask.api.errors import ConfigError
from jointtask.api.grid import LatentGrid
from jointtask.api.randomness import Streams
from jointtask.api.task import Batch
from jointtask.em.pair import Pair
from jointtask.runfile.schema import RunFile

__all__ = ["FramePrediction", "Predictor", "make_predictor"]

TOGETHER = 16
"""Examples that `Predictor.predict` takes through the networks at once."""


class FramePrediction(NamedTuple):
    """What is predicted for B examples, in the frame.

    Attributes
    ----------
    frame : Tensor, (B, ...)
        Probabilities, averaged over the references that cover a place; 0 where none does.
    reference : Tensor, (B, D)
        The predicted reference.
    spread : Tensor, (B, D)
        Standard deviation of the references averaged, in the frame's units; zero for one reference.
    """

    frame: Tensor
    reference: Tensor
    spread: Tensor


class Predictor:
    """A trained pair at use.

    With one draw, the downstream task is solved inside the predicted reference, as in the paper. With more, the
    references are drawn on the grid around the prediction, weighted by the upstream energy alone, and the restored
    predictions averaged: ``P(Y | I) = sum_R P(R | I) P(Y | I, R)``. With relocations, the reference is then taken from
    what was predicted and the prediction made again inside it, as in coordinate ascent, and all these predictions are
    averaged too. A reference counts only where it covers the frame, if the bridge says where (`CoveringBridge`).
    Started at the whole, the first reference leaves nothing out, and the upstream task is not asked; a relocation then
    localizes by what the downstream task found.

    Parameters
    ----------
    pair : Pair
        The networks and their bridge.
    draws : int
        References averaged.
    seed : int
        Seed of the draws.
    relocations : int
        Times that the reference is taken anew from the prediction.
    start : "upstream" or "whole"
        First reference: the predicted one, or the whole example, for which the bridge is a `WholeBridge`.
    mirror : bool
        Whether every second prediction is made on mirror images, from the first relocation on; the bridge is a
        `MirroringBridge` then.
    """

    def __init__(
        self,
        pair: Pair,
        draws: int = 1,
        seed: int = 0,
        relocations: int = 0,
        start: Literal["upstream", "whole"] = "upstream",
        mirror: bool = False,
    ) -> None:
        self.pair = pair
        self.draws = draws
        self.relocations = relocations
        self.start = start
        self.mirror = mirror
        self._seed = seed

    @torch.inference_mode()
    def predict_frames(self, batch: Batch, ids: Sequence[str]) -> FramePrediction:
        """Predict B examples in the frame, through the references that the upstream task predicts.

        Parameters
        ----------
        batch : Batch
            Frames, on any device; an annotation among them is taken out first.
        ids : sequence of B str
            The examples, for the draws.
        """
        bridge = self.pair.bridge
        batch = self._prepare(batch)
        if self.start == "whole":
            assert isinstance(bridge, WholeBridge)  # `make_predictor` refuses any other, here and below
            centre = bridge.whole(batch)
            reference = centre[:, None]
        else:
            centre, reference = self._draw(batch, ids, self.draws)
        spread = _spread(bridge.grid, reference, centre)
        total, weight = self._solve(batch, reference)
        frame = _divide(total, weight)
        for count in range(self.relocations):
            assert isinstance(bridge, RelocatingBridge)
            centre = bridge.relocate(frame, centre)
            relocated, covered = self._solve(batch, centre[:, None], mirrored=self.mirror and count % 2 == 0)
            frame = _divide(relocated, covered)
            total, weight = total + relocated, weight + covered
        return FramePrediction(frame=_divide(total, weight), reference=centre, spread=spread)

    @torch.inference_mode()
    def predict_inside(self, batch: Batch, reference: Tensor) -> Tensor:
        """Predict B examples in the frame, each inside K given references.

        Parameters
        ----------
        batch : Batch
            Frames, on any device; an annotation among them is taken out first.
        reference : Tensor, (B, K, D)
            References in the frame's units, in the place of the predicted ones; the nearest usable ones are taken.

        Returns
        -------
        Tensor, (B, K, ...)
            Probabilities, 0 where a reference does not cover the frame.
        """
        pair, bridge = self.pair, self.pair.bridge
        batch, reference = self._prepare(batch), bridge.admit(reference.to(pair.device))
        return bridge.restore(pair.predict_downstream(bridge.condition(batch, reference).input), reference)

    @torch.inference_mode()
    def sample_frames(self, batch: Batch, ids: Sequence[str], draws: int) -> Tensor:
        """Predict B examples in the frame, each inside references drawn around the predicted one: (B, K, ...).

        Their mean is the prediction with so many `draws`; their spread is what is not known about the reference.
        """
        batch = self._prepare(batch)
        return self.predict_inside(batch, self._draw(batch, ids, draws)[1])

    def _prepare(self, batch: Batch) -> Batch:
        """Set the networks to evaluation; return the batch on their device, without its annotation."""
        pair = self.pair
        pair.train(False)
        return {name: tensor.to(pair.device) for name, tensor in batch.items() if name not in pair.bridge.annotation}

    def _draw(self, batch: Batch, ids: Sequence[str], draws: int) -> tuple[Tensor, Tensor]:
        """Return the predicted references (B, D), and `draws` around them (B, K, D): with one draw, the same."""
        pair, bridge = self.pair, self.pair.bridge
        upstream = pair.predict_upstream(batch)
        centre = bridge.admit(pair.upstream.reference(upstream))
        if draws == 1:
            return centre, centre[:, None]
        states = bridge.reference(centre, bridge.grid.states.to(centre))
        log_weight = -pair.upstream_energy(upstream, states).to("cpu", torch.float64)
        log_weight = log_weight.masked_fill(~bridge.usable(states).cpu(), -torch.inf)
        index = Streams(self._seed, 0, ids, "predict").categorical(log_weight, draws).to(pair.device)
        return centre, states.gather(1, index.unsqueeze(-1).expand(-1, -1, centre.shape[1]))

    def _solve(self, batch: Batch, reference: Tensor, *, mirrored: bool = False) -> tuple[Tensor, Tensor]:
        """Solve the downstream task inside references (B, K, D), mirrored or as they are.

        Returns
        -------
        Tensor, (B, ...)
            The restored predictions' mean over the references, 0 where a reference does not cover the frame.
        Tensor, (B, ...)
            The share of the references that cover each place.
        """
        pair, bridge = self.pair, self.pair.bridge
        seen = bridge.condition(batch, reference).input
        if mirrored:
            assert isinstance(bridge, MirroringBridge)
            solved = bridge.mirror(pair.predict_downstream(bridge.mirror(seen)))
        else:
            solved = pair.predict_downstream(seen)
        restored = bridge.restore(solved, reference)
        covers = bridge.covers(reference) if isinstance(bridge, CoveringBridge) else torch.ones_like(restored)
        return restored.mean(dim=1), covers.to(restored).mean(dim=1)

    def predict(self, examples: Dataset | Sequence[Any]) -> list[Any]:
        """Predict examples at their own sizes.

        Parameters
        ----------
        examples : Dataset, or sequence of examples
            Examples as the metrics and the bridge's `finish` get them, each with an attribute `id`; or a data set.

        Returns
        -------
        list
            What the bridge's `finish` gives for each, such as an `Extraction` of object extraction.

        Raises
        ------
        ConfigError
            If they are no data set, and the bridge does not make frames by itself (`FramingBridge`).
        """
        bridge, predictions = self.pair.bridge, []
        for start in range(0, len(examples), TOGETHER):
            positions = range(start, min(start + TOGETHER, len(examples)))
            if not isinstance(examples, Sequence):
                some = [examples.example(position) for position in positions]
                batch = examples.batch(positions)
            elif isinstance(bridge, FramingBridge):
                some = [examples[position] for position in positions]
                batch = bridge.frames(some)
            else:
                raise ConfigError(
                    f"the bridge '{type(bridge).__name__}' makes no frames of examples",
                    remedy="give a data set, or add the method frames(examples) to the bridge",
                )
            predictions += self.predict_batch(batch, some)
        return predictions

    def predict_batch(self, batch: Batch, examples: Sequence[Any]) -> list[Any]:
        """Predict B examples, of which a data set or the bridge has made a batch, at their own sizes."""
        frames = self.predict_frames(batch, [example.id for example in examples])
        return self.finish(frames, examples)

    def finish(self, frames: FramePrediction, examples: Sequence[Any]) -> list[Any]:
        """Bring frame predictions to the examples' own sizes."""
        finish = self.pair.bridge.finish
        rows = zip(frames.frame.cpu(), frames.reference.cpu(), examples, strict=True)
        return [finish(frame, reference, example) for frame, reference, example in rows]


def _divide(total: Tensor, weight: Tensor) -> Tensor:
    """Divide sums (B, ...) by their weights; 0 where no reference has any."""
    return torch.where(weight > 0, total / weight, torch.zeros_like(total))


def _spread(grid: LatentGrid, reference: Tensor, centre: Tensor) -> Tensor:
    """Return the standard deviation, (B, D), of references (B, K, D) drawn about their centres (B, D).

    On a ring the way from the centre counts, not the number that a reference is written as. (A bridge whose grid is
    not in the references' own coordinates has no rings, and its references are as good as their differences.)
    """
    return grid.difference(reference, centre[:, None]).std(dim=1, correction=0)


def make_predictor(pair: Pair, runfile: RunFile) -> Predictor:
    """Let a pair predict as a run file says.

    Raises
    ------
    ConfigError
        If it asks for what the bridge does not offer, or for what contradicts itself.
    """
    table, bridge, name = runfile.predict, pair.bridge, runfile.bridge.name
    needs = (
        ("relocations", bool(table.relocations), RelocatingBridge, "cannot relocate"),
        ("start", table.start == "whole", WholeBridge, "has no reference to the whole of an example"),
        ("mirror", table.mirror, MirroringBridge, "does not mirror examples"),
    )
    for key, asked, contract, lack in needs:
        if asked and not isinstance(bridge, contract):
            raise ConfigError(
                f"predict.{key} is {json.dumps(getattr(table, key))}, but the bridge '{name}' {lack}",
                remedy=f"remove predict.{key}, or choose another bridge",
            )
    if table.start == "whole" and table.draws > 1:
        raise ConfigError(
            f'predict.start is "whole", but predict.draws is {table.draws}',
            cause="there is one reference to the whole, and nothing to draw",
            remedy='set predict.draws to 1, or predict.start to "upstream"',
        )
    if table.mirror and not table.relocations:
        raise ConfigError(
            "predict.mirror is true, but predict.relocations is 0",
            cause="the first reference is never solved mirrored",
            remedy="set predict.relocations to 1, or remove predict.mirror",
        )
    return Predictor(pair, table.draws, runfile.run.seed, table.relocations, table.start, table.mirror)
