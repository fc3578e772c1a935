"""The processes of one run: how they share its work and exchange results. One process exchanges nothing."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from attrs import frozen

from jointtask.api.errors import ConfigError, RunError

if TYPE_CHECKING:  # a run file with a fault should not have to wait for torch
    import torch
    from torch import Tensor, nn

__all__ = ["ALONE", "FAILED", "PeerError", "World"]

FAILED = "failed"
"""The store's key for the process that failed first, with its exit code."""

_POLL_SECONDS = 0.05
T = TypeVar("T")


class PeerError(RunError):
    """Another process of this run died or failed, or cannot be reached."""

    def __init__(self, cause: str = "") -> None:
        super().__init__(
            "another process of this run died, or can no longer be reached",
            cause=cause,
            remedy="run the same command again: it goes on from the last checkpoint",
        )


@frozen(eq=False)
class World:
    """One process of a run, with the means to exchange values; made by `jointtask.running.torchrun.joined`.

    Every process calls the same methods in the same order. A failure of one is raised in all.

    Attributes
    ----------
    rank : int
        Number of this process, in [0, size); 0 is the leader, which alone writes files and messages.
    size : int
        Number of processes, on all machines.
    local_rank : int
        Number of this process on its machine.
    machine : int
        Number of its machine.
    store : torch.distributed.Store or None
        Table of short messages, kept by torchrun for longer than the processes live.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    machine: int = 0
    store: Any = None

    @property
    def leader(self) -> bool:
        """Whether this process writes files and messages."""
        return self.rank == 0

    def own_device(self, device: torch.device) -> torch.device:
        """Return the accelerator of this process; `device` is the one that a run of one process would use.

        Raises
        ------
        ConfigError
            If there are more processes than accelerators on this machine.
        """
        import torch

        if self.size == 1 or device.type != "cuda":
            return device
        present = torch.cuda.device_count()
        if self.local_rank >= present:
            raise ConfigError(
                f"process {self.local_rank + 1} of this machine has no accelerator",
                cause=f"torch sees {present}, and each process needs its own",
                remedy=f"start {present} on this machine (--nproc-per-node={present}), or --set run.device=cpu",
            )
        own = torch.device("cuda", self.local_rank)
        torch.cuda.set_device(own)
        return own

    def next_positions(self, offset: int, total: int, size: int) -> tuple[range, int]:
        """Share out the next examples of a pass, a whole batch to each process.

        Batches have the same examples as in a run of one process, so their results are the same to the bit.

        Parameters
        ----------
        offset, total : int
            Number of examples that are done, and of all.
        size : int
            Number of examples in a batch.

        Returns
        -------
        positions : range
            Positions of this process's batch; empty if none is left for it.
        stop : int
            Number of examples that are done once every process has done its batch.
        """
        stop = min(offset + size * self.size, total)
        start = min(offset + size * self.rank, stop)
        return range(start, min(start + size, stop)), stop

    def own_part(self, index: Tensor) -> tuple[Tensor, float]:
        """Return this process's part of a batch, (B,), and the part's share of the batch, in [0, 1].

        Where there are more processes than examples, some get one example at a share of 0: every process must exchange
        gradients.
        """
        own = index[self.rank :: self.size]
        return (own, len(own) / len(index)) if len(own) else (index[:1], 0.0)

    def gather(self, items: list[T]) -> list[T]:
        """Return the items of all processes, in the order of their ranks; tensors among them are on the CPU."""
        if self.size == 1:
            return items
        import torch.distributed as dist

        parts: list[Any] = [None] * self.size
        with _explained():
            dist.all_gather_object(parts, items)
        return [item for part in parts for item in part]

    def total(self, values: Mapping[str, float]) -> dict[str, float]:
        """Add numbers up over all processes, by name."""
        if self.size == 1:
            return dict(values)
        import torch

        sums = torch.tensor(list(values.values()), dtype=torch.float64)
        _add(sums)
        return dict(zip(values, sums.tolist(), strict=True))

    def largest(self, value: int) -> int:
        """Return the largest value of any process; every process waits here for the others."""
        if self.size == 1:
            return value
        import torch
        import torch.distributed as dist

        largest = torch.tensor(value)
        with _explained():
            dist.all_reduce(largest, op=dist.ReduceOp.MAX)
        return int(largest)

    def wait_for_all(self) -> None:
        """Wait until every process has called this."""
        self.largest(0)

    def add_gradients(self, modules: Iterable[nn.Module]) -> None:
        """Replace gradients by their sum over all processes, and running statistics by the leader's, in place."""
        if self.size == 1:
            return
        import torch

        modules = list(modules)
        parameters = [p for module in modules for p in module.parameters() if p.requires_grad]
        statistics = [b for module in modules for b in module.buffers() if b.is_floating_point()]
        if not parameters:
            return
        has_gradient = torch.tensor([p.grad is not None for p in parameters], device=parameters[0].device)
        parts = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
        parts += [buffer * float(self.leader) for buffer in statistics]
        # One message for both networks: below some megabytes, the number of messages costs more than their size.
        flat = torch.cat([part.detach().reshape(-1) for part in [*parts, has_gradient.float()]])
        _add(flat)
        *sums, counts = torch.split(flat, [*(part.numel() for part in parts), len(has_gradient)])
        for parameter, gradient, count in zip(parameters, sums, counts.tolist(), strict=False):
            if parameter.grad is not None:
                parameter.grad.copy_(gradient.view_as(parameter))
            elif count:
                parameter.grad = gradient.view_as(parameter).clone()
        for buffer, value in zip(statistics, sums[len(parameters) :], strict=True):
            buffer.copy_(value.view_as(buffer))

    def require_same(self, facts: Callable[[], Mapping[str, object]]) -> None:
        """Require that all processes have the same values.

        Parameters
        ----------
        facts : callable
            Returns the values by name; not called in a run of one process.

        Raises
        ------
        RunError
            If a value differs.
        """
        if self.size == 1:
            return
        every = self.gather([dict(facts())])
        different = [name for name in every[0] if any(other.get(name) != every[0][name] for other in every)]
        if different:
            name = different[0]
            shown = ", ".join(f"{other.get(name)} in process {rank}" for rank, other in enumerate(every[:4]))
            raise RunError(
                f"the processes of this run no longer agree in: {', '.join(different)}",
                cause=f"{name}: {shown}",
                remedy="give all machines the same run directory, data, versions and kind of device, and run the same"
                " command again",
            )

    def leader_first(self, name: str) -> AbstractContextManager[None]:
        """Run the block in the leader first, then in the others; `name` must be unique in a run."""
        return self._turn(name, first=self.leader)

    def machine_first(self, name: str) -> AbstractContextManager[None]:
        """Run the block in one process of each machine first, which fills the cache for the others, then in those."""
        return self._turn(f"{name} on {self.machine}", first=self.local_rank == 0)

    @contextmanager
    def _turn(self, name: str, *, first: bool) -> Iterator[None]:
        if self.size > 1 and not first:
            self._await(name)
        yield
        if self.size > 1 and first:
            with _explained():
                self.store.set(name, b"done")

    def _await(self, name: str) -> None:
        """Wait without a time limit: preparing a large data set can take hours."""
        with _explained():
            while not self.store.check([name]):
                if self.store.check([FAILED]):
                    raise PeerError
                time.sleep(_POLL_SECONDS)


ALONE = World()
"""A run of one process."""


def _add(values: Tensor) -> None:
    """Replace a tensor by its sum over all processes, in place."""
    import torch.distributed as dist

    with _explained():
        if values.device.type in ("cpu", "cuda"):
            dist.all_reduce(values)
        else:
            sums = values.cpu()
            dist.all_reduce(sums)
            values.copy_(sums)


@contextmanager
def _explained() -> Iterator[None]:
    """Turn torch's error about a broken connection into one with a remedy."""
    try:
        yield
    except RuntimeError as error:
        # Gloo's text begins with a source line and ends with advice to programmers: keep what is between.
        reason = re.sub(r"^\[[^]]*\]\s*", "", str(error)).partition("\n")[0].partition(". ")[0]
        raise PeerError(reason) from error
