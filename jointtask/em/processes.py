"""The processes of one run, and what they do together; a process that is alone does none of it."""

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
"""The key of the store under which the process that failed first stands, with its exit code."""

_PAUSE = 0.05
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
    """One process among those of its run; made by `jointtask.running.torchrun.joined`.

    Every process calls the same methods in the same order. Whatever fails between them is raised in all.

    Attributes
    ----------
    rank : int
        Which one it is, in [0, size); 0 is the leader, which alone writes and speaks.
    size : int
        How many there are, on all machines.
    local_rank : int
        Which one of its machine it is.
    machine : int
        Which machine it is on.
    store : torch.distributed.Store or None
        A table of short messages, which outlives the processes where torchrun started them.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    machine: int = 0
    store: Any = None

    @property
    def leader(self) -> bool:
        """Whether this process writes and speaks."""
        return self.rank == 0

    def place(self, device: torch.device) -> torch.device:
        """Return the accelerator of this process, where one process would take `device`.

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

    def block(self, offset: int, total: int, size: int) -> tuple[range, int]:
        """Share out the next positions of a pass, a whole batch to each process.

        A batch has the same examples as that of one process, so its results are the same to the bit.

        Parameters
        ----------
        offset, total : int
            Where the pass stands, and where it ends.
        size : int
            Of a batch.

        Returns
        -------
        rows : range
            Of this process; empty if there is nothing left for it.
        stop : int
            Where the pass stands after it.
        """
        stop = min(offset + size * self.size, total)
        start = min(offset + size * self.rank, stop)
        return range(start, min(start + size, stop)), stop

    def part(self, index: Tensor) -> tuple[Tensor, float]:
        """Take this process's part of a batch, (B,), and its share of the batch's mean.

        A process that has none gets an example at a share of 0, so that all of them take the same way.
        """
        mine = index[self.rank :: self.size]
        return (mine, len(mine) / len(index)) if len(mine) else (index[:1], 0.0)

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
        """Return the largest value of any process; all of them meet here."""
        if self.size == 1:
            return value
        import torch
        import torch.distributed as dist

        found = torch.tensor(value)
        with _explained():
            dist.all_reduce(found, op=dist.ReduceOp.MAX)
        return int(found)

    def meet(self) -> None:
        """Wait until all processes are here."""
        self.largest(0)

    def add_gradients(self, modules: Iterable[nn.Module]) -> None:
        """Add the gradients of all processes up, in place; running statistics become the leader's."""
        if self.size == 1:
            return
        import torch

        modules = list(modules)
        parameters = [p for module in modules for p in module.parameters() if p.requires_grad]
        statistics = [b for module in modules for b in module.buffers() if b.is_floating_point()]
        if not parameters:
            return
        known = torch.tensor([p.grad is not None for p in parameters], device=parameters[0].device)
        parts = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
        parts += [buffer * float(self.leader) for buffer in statistics]
        # One message for both networks: a message costs more than its bytes until it is some megabytes long.
        flat = torch.cat([part.detach().reshape(-1) for part in [*parts, known.float()]])
        _add(flat)
        *sums, counts = torch.split(flat, [*(part.numel() for part in parts), len(known)])
        for parameter, gradient, count in zip(parameters, sums, counts.tolist(), strict=False):
            if parameter.grad is not None:
                parameter.grad.copy_(gradient.view_as(parameter))
            elif count:
                parameter.grad = gradient.view_as(parameter).clone()
        for buffer, value in zip(statistics, sums[len(parameters) :], strict=True):
            buffer.copy_(value.view_as(buffer))

    def require_same(self, facts: Callable[[], Mapping[str, object]]) -> None:
        """Hold the processes to be at one.

        Parameters
        ----------
        facts : callable
            Gives what must be the same in all; not called by a process that is alone.

        Raises
        ------
        RunError
            If anything differs.
        """
        if self.size == 1:
            return
        every = self.gather([dict(facts())])
        different = [name for name in every[0] if any(other.get(name) != every[0][name] for other in every)]
        if different:
            name = different[0]
            shown = ", ".join(f"{other.get(name)} in process {rank}" for rank, other in enumerate(every[:4]))
            raise RunError(
                f"the processes of this run are no longer at one in: {', '.join(different)}",
                cause=f"{name}: {shown}",
                remedy="give all machines the same run directory, data, versions and kind of device, and run the same"
                " command again",
            )

    def leader_first(self, name: str) -> AbstractContextManager[None]:
        """Let the leader do what is inside, and then the others; `name` is used once in a run."""
        return self._turn(name, first=self.leader)

    def machine_first(self, name: str) -> AbstractContextManager[None]:
        """Let one process of each machine do what is inside, and then its others: it fills the cache for them."""
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
        """Wait for as long as it takes: to prepare a large data set can take hours."""
        with _explained():
            while not self.store.check([name]):
                if self.store.check([FAILED]):
                    raise PeerError
                time.sleep(_PAUSE)


ALONE = World()
"""One process."""


def _add(values: Tensor) -> None:
    """Add tensors of one shape up over all processes, in place."""
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
    """Turn what torch says of a broken connection into an error that says what to do."""
    try:
        yield
    except RuntimeError as error:
        # Gloo begins with the line of its source, and ends with advice to programmers.
        said = re.sub(r"^\[[^]]*\]\s*", "", str(error)).partition("\n")[0].partition(". ")[0]
        raise PeerError(said) from error
