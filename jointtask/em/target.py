"""The posterior of a batch over the grid: energies by state, memoised."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from jointtask.api.sampler import Target
from jointtask.api.task import Batch
from jointtask.api.tree import select_rows
from jointtask.em.finite import DATA, ENERGY, require_finite
from jointtask.em.pair import Pair
from jointtask.registry.unchanged import Unchanged

__all__ = ["NetworkTarget", "Tempered", "set_states"]


class Tempered:
    """A target at a temperature T: ``pi(state) ~ exp(-energy(state) / T)``.

    Above 1 the posterior is flatter, and a chain crosses from one mode to another more easily; near 0 nearly all of it
    is in the state of lowest energy.

    Parameters
    ----------
    target : Target
        The target at temperature 1.
    temperature : float
        T, above 0.

    Notes
    -----
    Ueda and Nakano, "Deterministic annealing EM algorithm", Neural Networks 1998: from a high T to 1, round by round.
    """

    def __init__(self, target: Target, temperature: float) -> None:
        self.grid = target.grid
        self.log_proposal = target.log_proposal
        self.start = target.start
        self._target = target
        self._temperature = temperature

    def energy(self, index: Tensor) -> Tensor:
        """Return the energies (B, K) of states (B, K), divided by T; see `Target.energy`."""
        return self._target.energy(index) / self._temperature


class NetworkTarget:
    """The posterior that two networks define for a batch (Eq. 6-7).

    Parameters
    ----------
    pair : Pair
        The networks and their bridge.
    ids : sequence of B str
        Ids of the examples, for errors.
    batch : Batch
        The tensors of the examples, on the pair's device.
    reference : Tensor, (B, N, D)
        The references of all states.
    usable : Tensor, (B, N), bool
        The states whose reference the downstream task can be solved in.
    upstream : Tensor, (B, N)
        The weighted upstream energy of all states, with the energy of the annotation where the bridge has one.
    log_proposal : Tensor, (B, N), float64
        Normalised log q.
    interrupt : callable, optional
        Function called before each downstream forward pass; an exception that it raises is passed on.

    Attributes
    ----------
    upstream, downstream : Tensor, (B, N), float64
        The two weighted terms of the energy; the downstream one is NaN where it has not been evaluated.
    """

    def __init__(
        self,
        pair: Pair,
        ids: Sequence[str],
        batch: Batch,
        reference: Tensor,
        usable: Tensor,
        upstream: Tensor,
        log_proposal: Tensor,
        interrupt: Callable[[], None] = lambda: None,
    ) -> None:
        self.grid = pair.bridge.grid
        self.log_proposal = log_proposal
        self.start = torch.full((len(log_proposal),), self.grid.start)
        self._pair = pair
        self._ids = ids
        self._interrupt = interrupt
        self._batch = batch
        self._inputs = Unchanged(batch)
        self._reference = reference
        self.upstream = upstream.to("cpu", torch.float64)
        unusable = ~usable.cpu()
        self.downstream = torch.full_like(self.upstream, torch.nan).masked_fill(unusable, torch.inf)

    def leave_out(self, examples: Tensor) -> None:
        """Take the downstream energy of no adjustment for 0 where an example, (B,), bool, has no downstream target."""
        self.downstream[examples, self.grid.start] = 0

    def energy(self, index: Tensor) -> Tensor:
        """Return the energies (B, K) of states (B, K); see `Target.energy`."""
        wanted = torch.zeros_like(self.downstream, dtype=torch.bool)
        set_states(wanted, index)
        self._evaluate(wanted)
        return self.upstream.gather(1, index) + self.downstream.gather(1, index)

    def enumerate(self, rows: Tensor) -> Tensor:
        """Return the energies of all states of some examples, (len(rows), N)."""
        wanted = torch.zeros_like(self.downstream, dtype=torch.bool)
        wanted[rows] = True
        self._evaluate(wanted)
        return self.upstream[rows] + self.downstream[rows]

    @property
    def evaluated(self) -> Tensor:
        """Number of states whose downstream energy has been computed, (B,)."""
        return torch.isfinite(self.downstream).sum(dim=1)

    def _evaluate(self, wanted: Tensor) -> None:
        """Compute the downstream energies that are wanted and not yet known, in full batches ordered by example."""
        example, state = (wanted & torch.isnan(self.downstream)).nonzero(as_tuple=True)
        if len(example) == 0:
            return
        size = self._pair.downstream_batch
        with torch.inference_mode():
            for chunk in zip(torch.split(example, size), torch.split(state, size), strict=True):
                self._interrupt()
                self.downstream[chunk] = self._downstream_energy(*chunk)

    def _downstream_energy(self, example: Tensor, state: Tensor) -> Tensor:
        """Evaluate (example, state) pairs, (M,) each, examples in ascending order."""
        first, last = int(example[0]), int(example[-1]) + 1
        counts = torch.bincount(example - first, minlength=last - first)
        # The bridge poses B x K problems: examples with fewer states are padded with state 0, and the padding dropped.
        column = torch.arange(len(example)) - (counts.cumsum(0) - counts)[example - first]
        width = int(counts.max())
        padded = torch.zeros(last - first, width, dtype=torch.int64)
        padded[example - first, column] = state
        device = self._reference.device
        dimensions = self._reference.shape[-1]
        reference = self._reference[first:last].gather(1, padded.to(device).unsqueeze(-1).expand(-1, -1, dimensions))
        condition = self._pair.bridge.condition(select_rows(self._batch, slice(first, last)), reference)
        self._inputs.require(f"{self._pair.names['bridge']}: condition")
        if len(example) < padded.numel():
            rows = ((example - first) * width + column).to(device)
            condition = type(condition)(*(select_rows(part, rows) for part in condition))
        names, prediction = self._pair.names, self._pair.predict_downstream(condition.input)
        energy = self._pair.downstream_energy(prediction, condition.target)
        self._inputs.require(f"{names['downstream']}: its forward pass or energy")
        made = [
            (names["data"], DATA, self._batch),
            (names["bridge"], "condition", condition),
            (names["downstream"], "its forward pass", prediction),
            (names["downstream"], ENERGY, energy),
        ]
        require_finite(energy, [self._ids[row] for row in example], "the downstream energy", made)
        return energy.to("cpu", torch.float64)


def set_states(mask: Tensor, index: Tensor) -> None:
    """Set the states `index`, (B, K), of a mask (B, N), in place.

    Raises
    ------
    TypeError
        If the states are not int64.
    IndexError
        If a state is off the grid. Both are checked only after torch has refused the index, so that they cost nothing.
    """
    try:
        mask.scatter_(1, index, True)
    except RuntimeError as error:
        if index.dtype != torch.int64:
            raise TypeError(f"energies were asked for of states of {index.dtype}; expected torch.int64") from error
        if not bool(((index < 0) | (index >= mask.shape[1])).any()):
            raise
        raise IndexError(
            f"energies were asked for of states {int(index.min())} to {int(index.max())}; "
            f"the grid has 0 to {mask.shape[1] - 1}"
        ) from error
