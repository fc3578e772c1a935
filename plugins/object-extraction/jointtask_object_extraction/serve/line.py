"""The line in front of the model: how many requests are worked on, and how many may wait."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from starlette.exceptions import HTTPException

__all__ = ["Line"]

T = TypeVar("T")


class Line:
    """Runs work in threads; what would have to wait behind too many others is turned away.

    Parameters
    ----------
    threads : int
        Number of requests worked on at once.
    waiting : int
        Largest number of requests that wait.
    seconds : float
        Longest time from entering the line to the answer.
    """

    def __init__(self, threads: int, waiting: int, seconds: float) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="extract")
        self._places = threads + waiting
        self._seconds = seconds
        self.length = 0

    async def run(self, work: Callable[[], T]) -> T:
        """Do some work in its turn.

        Raises
        ------
        HTTPException
            503 if the line is full, 504 if the work is not done in time. It keeps its place until it ends.
        """
        if self.length >= self._places:
            raise HTTPException(503, "too many requests are waiting; try again", headers={"Retry-After": "5"})
        self.length += 1
        future = asyncio.get_running_loop().run_in_executor(self._executor, work)
        future.add_done_callback(self._leave)
        try:
            return await asyncio.wait_for(asyncio.shield(future), self._seconds)
        except TimeoutError as error:
            future.cancel()  # where it still waits, it is not begun
            raise HTTPException(504, f"not done within {self._seconds:g} s") from error

    def _leave(self, future: asyncio.Future[T]) -> None:
        self.length -= 1
        if not future.cancelled():
            future.exception()  # of a request that has been answered: nobody else asks for it

    def close(self) -> None:
        """Let what is begun end, and drop the rest."""
        self._executor.shutdown(wait=False, cancel_futures=True)
