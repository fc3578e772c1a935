"""Joining the other processes of a run, which torchrun started, and leaving them with one message for all."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from types import FrameType
from typing import Any

from jointtask.api.errors import ConfigError, RunError, UserError
from jointtask.em.processes import ALONE, FAILED, World

__all__ = ["joined"]

PATIENCE = timedelta(minutes=30)
"""How long a process waits in a batch for another that is silent and has not closed its connections."""


@contextmanager
def joined() -> Iterator[World]:
    """Join the run that this process is one of, by the environment that torchrun sets.

    Leaving it with an error, one process lets the error through, to be shown; the others exit with the same code and
    without a word. Leaving it without one, all leave when the leader does.

    Yields
    ------
    World
        Of one process if nothing says otherwise.

    Raises
    ------
    ConfigError
        If the environment is not what torchrun sets.
    RunError
        If the other processes do not come.
    """
    if _number("WORLD_SIZE", 1) == 1:
        yield ALONE
        return
    import torch.distributed as dist

    world = _join()
    before = _on_sigterm(_ended)
    try:
        yield world
        with world.leader_first("end"):
            pass
        dist.destroy_process_group()
    except BaseException as error:
        # Who is about to speak is not to be ended first by torchrun, which sees the others exit.
        _on_sigterm(signal.SIG_IGN)
        if not _speaks(world, error):
            raise SystemExit(_failed(world)[1]) from None
        raise
    _on_sigterm(before)


def _join() -> World:
    import torch
    import torch.distributed as dist
    from torch.distributed.distributed_c10d import PrefixStore
    from torch.distributed.rendezvous import rendezvous

    size, rank = _number("WORLD_SIZE"), _number("RANK")
    local_rank = _number("LOCAL_RANK", rank)
    machine = _number("GROUP_RANK", 0)
    # Gloo carries what is on the CPU, also where the networks are on accelerators.
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() and dist.is_nccl_available() else "gloo"
    try:
        store, _, _ = next(rendezvous("env://", timeout=PATIENCE))
        # torchrun starts all processes again where it is told to: they must not find what their forerunners said.
        attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
        dist.init_process_group(
            backend, store=PrefixStore(f"torch {attempt}", store), rank=rank, world_size=size, timeout=PATIENCE
        )
    except (RuntimeError, ValueError) as error:
        raise RunError(
            f"process {rank} of {size} cannot join the others",
            cause=str(error).splitlines()[0],
            remedy="start all of them with torchrun, and look for the first error among theirs",
        ) from error
    return World(rank, size, local_rank, machine, PrefixStore(f"jointtask {attempt}", store))


def _number(name: str, default: int | None = None) -> int:
    value = os.environ.get(name)
    if value is None and default is not None:
        return default
    if value is None or not value.isdecimal():
        raise ConfigError(
            f"the environment says {name}={value}" if value is not None else f"the environment says no {name}",
            cause="a run on several processes reads WORLD_SIZE, RANK, LOCAL_RANK, MASTER_ADDR and MASTER_PORT from it",
            remedy="start it with torchrun, which sets them; for one process, unset WORLD_SIZE",
        )
    return int(value)


def _speaks(world: World, error: BaseException) -> bool:
    """Say that this process failed; return whether it was the first, which speaks for all."""
    return _failed(world, _exit_code(error))[0] == world.rank


def _failed(world: World, code: int = 1) -> tuple[int, int]:
    """Return which process failed first, and its exit code: this one and `code`, if none did before."""
    with suppress(RuntimeError, ValueError):  # the store is gone: nobody is left to ask
        said = world.store.compare_set(FAILED, "", f"{world.rank} {code}")
        rank, _, known = bytes(said).decode().partition(" ")
        return int(rank), int(known)
    return world.rank, code


def _exit_code(error: BaseException) -> int:
    if isinstance(error, UserError):
        return error.exit_code
    if isinstance(error, SystemExit) and isinstance(error.code, int):
        return error.code
    return 130 if isinstance(error, KeyboardInterrupt) else 1


def _ended(number: int, frame: FrameType | None) -> None:
    if sys.exception() is not None:
        return  # this process is on its way out, and that error says more: another one's death, or a clean stop
    raise RunError(
        "ended by SIGTERM before the run was finished",
        cause="torchrun ended this process because another one of the run died, or somebody did",
        remedy="run the same command again: it goes on from the last checkpoint",
    )


def _on_sigterm(handler: Any) -> Any:
    try:
        return signal.signal(signal.SIGTERM, handler)
    except ValueError:  # not in the main thread: signals are somebody else's there
        return None
