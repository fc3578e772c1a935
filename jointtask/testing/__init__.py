"""Conformance checks for plugin authors: each raises `AssertionError` saying what is wrong."""

from jointtask.testing.pairs import check_bridge, check_task
from jointtask.testing.samplers import check_sampler
from jointtask.testing.tables import TabulatedTarget, posterior, total_variation

__all__ = [
    "TabulatedTarget",
    "check_bridge",
    "check_sampler",
    "check_task",
    "posterior",
    "total_variation",
]
