"""Indexes the data sets of a run file, so that a start need not look at every example."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import attrs

from jointtask.api.component import DatasetComponent
from jointtask.api.progress import Progress
from jointtask.registry.attribution import attributed
from jointtask.runfile.schema import DataTables, RunTable
from jointtask.running.assemble import make_context

if TYPE_CHECKING:
    from jointtask.registry.registry import Registry

__all__ = ["index_data"]


def index_data(tables: DataTables, registry: Registry, progress: Progress) -> Iterator[str]:
    """Index each data set that can be indexed.

    Parameters
    ----------
    tables : DataTables
        The data tables of a run file.
    registry : Registry
        The components that they can name.
    progress : Progress
        Display of the progress.

    Yields
    ------
    str
        A line for each table.

    Raises
    ------
    UserError
        If a data set cannot be used.
    """
    context = make_context(RunTable(name="index", device="cpu"), progress)
    with attributed(registry):
        for field in attrs.fields(DataTables):
            table = getattr(tables, field.name)
            if table is None:
                continue
            component = registry.find("dataset", table.name)
            if isinstance(component, DatasetComponent):
                count = component.index(table.settings, context)
                yield f"data.{field.name}: {count:,} examples of '{table.name}' are indexed"
            else:
                yield f"data.{field.name}: '{table.name}' has no index, and is read as ever"
