"""A function of one example, spread over processes where it can be sent to them."""

from __future__ import annotations

import os
import pickle
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from multiprocessing import get_context
from typing import Any

from jointtask.api.errors import RunError

__all__ = ["spread"]

_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OPENCV_FOR_THREADS_NUM")
_FAILED = "failed"  # crosses between processes as itself, which no exception is sure to do
_function: Callable[[Any], Any] | None = None


@contextmanager
def spread(function: Callable[[Any], Any], workers: int) -> Iterator[Callable[[Sequence[Any]], list[Any]]]:
    """Give `function` of many examples, in `workers` processes of one thread each.

    A function that cannot be sent, such as a closure, stays in this process. What fails in another process is done
    again in this one, where its error shows where it came from.

    Parameters
    ----------
    function : callable
        Function of one example, whose result depends on the example alone.
    workers : int
        Number of processes; with one, everything stays in this process.

    Raises
    ------
    RunError
        From the function given, if a process ends without an answer.
    """
    try:
        sent = pickle.dumps(function) if workers > 1 else b""
    except Exception:  # pickle's own errors, and whatever an object raises that cannot be pickled
        sent = b""
    if not sent:
        yield lambda examples: [function(example) for example in examples]
        return

    with ProcessPoolExecutor(workers, get_context("spawn"), _receive, (sent,)) as pool:

        def of_many(examples: Sequence[Any]) -> list[Any]:
            try:
                with _without_main():  # `map` submits all examples at once, and so starts the processes
                    pending = pool.map(_apply, examples)
                answers = list(pending)
            except BrokenProcessPool as error:
                raise RunError(
                    "a worker process ended without an answer",
                    cause="most often the machine ran out of memory",
                    remedy="use fewer of them (run.workers, --workers): one keeps everything in one process",
                ) from error
            return [
                function(example) if fault == _FAILED else answer
                for example, (fault, answer) in zip(examples, answers, strict=True)
            ]

        yield of_many


@contextmanager
def _without_main() -> Iterator[None]:
    """Start processes that do not import the main program again: it may be standard input, or start processes itself.

    A function of the main program cannot be read by them, and so stays in this process.
    """
    main = sys.modules["__main__"]
    kept: dict[str, Any] = {name: vars(main)[name] for name in ("__file__", "__spec__") if name in vars(main)}
    try:
        main.__spec__ = None
        vars(main).pop("__file__", None)
        yield
    finally:
        vars(main).update(kept)


def _receive(sent: bytes) -> None:
    """Prepare a worker process; the libraries that count threads are loaded with the function."""
    global _function
    os.environ.update(dict.fromkeys(_ONE_THREAD, "1"))
    with suppress(Exception):  # its module may exist in the first process alone, as that of --plugin does
        _function = pickle.loads(sent)


def _apply(example: Any) -> tuple[str, Any]:
    if _function is not None:
        with suppress(Exception, SystemExit, GeneratorExit):
            return "", _function(example)
    return _FAILED, None
