"""Conformance checks for plugin authors: each raises `AssertionError` saying what is wrong and what was expected."""

from jointtask.testing.bridges import check_bridge
from jointtask.testing.datasets import check_dataset
from jointtask.testing.metrics import check_metric
from jointtask.testing.observers import check_observer
from jointtask.testing.parts import check_parts
from jointtask.testing.plugins import check_plugin
from jointtask.testing.proposals import check_proposal_term
from jointtask.testing.samplers import check_sampler
from jointtask.testing.tables import TabulatedTarget, posterior, total_variation
from jointtask.testing.tasks import check_task

__all__ = [
    "TabulatedTarget",
    "check_bridge",
    "check_dataset",
    "check_metric",
    "check_observer",
    "check_parts",
    "check_plugin",
    "check_proposal_term",
    "check_sampler",
    "check_task",
    "posterior",
    "total_variation",
]
