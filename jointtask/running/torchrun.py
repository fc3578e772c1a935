"""Joins the other processes of a run, which torchrun started, and leaves them with one message for all."""

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
"""Longest wait, within a batch, for a process that sends nothing and has not closed its connections."""


@contextmanager
def joined() -> Iterator[World]:
    """Join the run that this process is one of, by the environment that torchrun sets.

    If the context is left with an error, the process that failed first raises it, to be shown; the others exit with the
    same code, silently. If it is left without one, all processes wait for the leader.

    Yields
    ------
    World
        The processes; a single one where the environment names no others.

    Raises
    ------
    ConfigError
        If the environment is not what torchrun sets.
    RunError
        If the other processes cannot be reached.
    """
    if _number("WORLD_SIZE", 1) == 1:
        yield ALONE
        return
    import torch.distributed as dist

    world = _join()
    before = _on_sigterm(_raise_ended)
    try:
        yield world
        with world.leader_first("end"):
            pass
        dist.destroy_process_group()
    except BaseException as error:
        # Ignore SIGTERM from here: torchrun sends it when another process exits, and it would cut off our message.
        _on_sigterm(signal.SIG_IGN)
        if not _failed_first(world, error):
            raise SystemExit(_first_failure(world)[1]) from None
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
        # torchrun may start all processes again (--max-restarts): they must not read what the earlier ones stored.
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


def _failed_first(world: World, error: BaseException) -> bool:
    """Store that this process failed; return whether it was the first to, which shows its error for all."""
    return _first_failure(world, _exit_code(error))[0] == world.rank


def _first_failure(world: World, code: int = 1) -> tuple[int, int]:
    """Return the rank and the exit code of the process that failed first: this one, with `code`, if none did."""
    with suppress(RuntimeError, ValueError):  # the store went away with the process that kept it
        stored = world.store.compare_set(FAILED, "", f"{world.rank} {code}")
        rank, _, first_code = bytes(stored).decode().partition(" ")
        return int(rank), int(first_code)
    return world.rank, code


def _exit_code(error: BaseException) -> int:
    if isinstance(error, UserError):
        return error.exit_code
    if isinstance(error, SystemExit) and isinstance(error.code, int):
        return error.code
    return 130 if isinstance(error, KeyboardInterrupt) else 1


def _raise_ended(number: int, frame: FrameType | None) -> None:
    if sys.exception() is not None:
        return  # this process is ending already, with an error that says more
    raise RunError(
        "ended by SIGTERM before the run was finished",
        cause="torchrun ended this process because another one of the run died, or the signal came from outside",
        remedy="run the same command again: it goes on from the last checkpoint",
    )


def _on_sigterm(handler: Any) -> Any:
    try:
        return signal.signal(signal.SIGTERM, handler)
    except ValueError:  # outside of the main thread signals belong to the program around
        return None
