"""Batches on the device, with what the proposal terms prepared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import torch
from attrs import asdict
from numpy.typing import NDArray
from torch import Tensor

from jointtask.api.component import Context
from jointtask.api.dataset import Dataset
from jointtask.api.proposal import ProposalTerm
from jointtask.runfile.schema import RunFile
from jointtask.tools.cache import CachedArrays, cached_arrays

__all__ = ["Examples"]


class Examples:
    """A data set with what proposal terms prepared of it.

    Parameters
    ----------
    dataset : Dataset
        The examples.
    terms : mapping of str to ProposalTerm
        By name. What they prepare is cached by example content, term version and settings.
    runfile : RunFile
        For the settings.
    context : Context
        For the device, the cache and the workers.
    """

    def __init__(self, dataset: Dataset, terms: Mapping[str, ProposalTerm], runfile: RunFile, context: Context) -> None:
        self.dataset = dataset
        self._device = context.device
        settings = {table.name: table.settings for table in runfile.proposal}
        self._prepared: dict[str, CachedArrays] = {}
        for name, term in terms.items():
            if term.prepares:
                tag = f"{term.version} {sorted(asdict(settings[name]).items())}"
                self._prepared[name] = cached_arrays(
                    context.cache / "proposals" / name,
                    [f"{digest} {tag}" for digest in dataset.digests],
                    partial(self._prepare, term),
                    workers=context.workers,
                    progress=context.progress,
                    label=f"preparing '{name}'",
                )

    def __len__(self) -> int:
        return len(self.dataset)

    def batch(self, index: Sequence[int], *, prepared: bool = False) -> dict[str, Tensor]:
        """Return examples by position, on the device, with what the terms prepared if asked for."""
        batch = self.dataset.batch(index)
        if prepared:
            batch |= {name: torch.from_numpy(rows.batch(index)["value"]) for name, rows in self._prepared.items()}
        return {name: tensor.to(self._device) for name, tensor in batch.items()}

    def ids(self, index: Sequence[int]) -> list[str]:
        """Return their ids."""
        return [self.dataset.ids[i] for i in index]

    def _prepare(self, term: ProposalTerm, row: int) -> dict[str, NDArray[np.generic]]:
        example = {name: tensor[0] for name, tensor in self.dataset.batch([row]).items()}
        return {"value": np.asarray(term.prepare(example))}
