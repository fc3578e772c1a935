"""Energies of a few examples, stored with each checkpoint: a resumed run computes them again and must find the same."""

from __future__ import annotations

import math
from collections.abc import Mapping

import attrs
import torch

from jointtask.api.errors import RunError
from jointtask.em.batches import Examples
from jointtask.em.pair import Pair
from jointtask.em.state import Checkpoint

__all__ = ["Probe"]

EXAMPLES = 4
TOLERANCE = 1e-3
"""Relative difference of an energy that another device or another number of threads may make."""

_KEY = "probe"


class Probe:
    """Takes the energies of the first training examples, at no adjustment and unaugmented.

    Parameters
    ----------
    pair : Pair
        The networks.
    examples : Examples
        The training data.
    """

    def __init__(self, pair: Pair, examples: Examples) -> None:
        self._pair = pair
        self._examples = examples
        self._batch: Mapping[str, torch.Tensor] | None = None

    @torch.inference_mode()
    def energies(self) -> dict[str, float]:
        """Return the energy of each network, summed over the examples, by role."""
        pair = self._pair
        if self._batch is None:
            self._batch = self._examples.batch(range(min(EXAMPLES, len(self._examples)))).tensors
        # The mode of each module: frozen ones may be in evaluation mode while the rest is trained.
        training = [(layer, layer.training) for module in pair.modules.values() for layer in module.modules()]
        pair.train(False)
        base = pair.bridge.base(self._batch)
        condition = pair.bridge.condition(self._batch, base[:, None])
        upstream = pair.upstream_energy(pair.predict_upstream(self._batch), base[:, None])
        downstream = pair.downstream_energy(pair.predict_downstream(condition.input), condition.target)
        for layer, mode in training:
            layer.training = mode
        return {"upstream": float(upstream.sum()), "downstream": float(downstream.sum())}

    def added(self, checkpoint: Checkpoint) -> Checkpoint:
        """Return a checkpoint of the present state with its energies in it."""
        return attrs.evolve(checkpoint, state={**checkpoint.state, _KEY: self.energies()})

    def require_same(self, checkpoint: Checkpoint) -> None:
        """Require the energies that were stored with the checkpoint that the networks were restored from.

        Raises
        ------
        RunError
            If an energy differs by more than `TOLERANCE`: the run would go on from something else than it had learnt.
        """
        stored: Mapping[str, float] = checkpoint.state.get(_KEY, {})
        for role, energy in self.energies().items() if stored else ():
            before = stored[role]
            if math.isfinite(before) and not math.isclose(energy, before, rel_tol=TOLERANCE, abs_tol=TOLERANCE):
                raise RunError(
                    f"the {role} network does not give what it gave when the checkpoint was written",
                    cause=f"energy of {min(EXAMPLES, len(self._examples))} training examples: {before:.6g} then,"
                    f" {energy:.6g} now",
                    remedy="use the same device and the plugin versions in versions.json, or start again with --fresh",
                )
