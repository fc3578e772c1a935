"""Looks at the data sets of a run file: what they hold, what is odd, what is missing, and what two of them share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import attrs
from attrs import frozen

from jointtask.api.dataset import Dataset
from jointtask.api.errors import RunError, UserError
from jointtask.api.progress import Progress
from jointtask.registry.attribution import attributed
from jointtask.runfile.schema import DataTables, RunTable
from jointtask.running.assemble import make_context
from jointtask.running.overlap import Overlap, overlaps

if TYPE_CHECKING:
    from jointtask.registry.registry import Registry

__all__ = ["DataReport", "TableReport", "check_data", "lines"]


@frozen
class TableReport:
    """What is known of one data table.

    Attributes
    ----------
    table : str
        Such as "train".
    component, source : str
        The data set that it names, and the distribution that this comes from.
    examples : int
        How many; 0 if it cannot be used.
    fingerprint : str
        Of the whole data set; "" if it cannot be used.
    notes : sequence of str
        What was decided and what is odd.
    error : str
        Why it cannot be used, and what to do; "" if it can.
    """

    table: str
    component: str
    source: str
    examples: int = 0
    fingerprint: str = ""
    notes: Sequence[str] = ()
    error: str = ""


@frozen
class DataReport:
    """What is known of all data tables.

    Attributes
    ----------
    tables : sequence of TableReport
        In the order train, validation, test.
    overlaps : sequence of Overlap
        Examples that two of them share.
    """

    tables: Sequence[TableReport]
    overlaps: Sequence[Overlap]

    @property
    def unusable(self) -> Sequence[str]:
        """The tables that cannot be used."""
        return [report.table for report in self.tables if report.error]


def check_data(tables: DataTables, registry: Registry, progress: Progress) -> DataReport:
    """Read each data set; a fault of one keeps none of the others from being read.

    Parameters
    ----------
    tables : DataTables
        What to read.
    registry : Registry
        Where its components are found.
    progress : Progress
        Where it reports.

    Returns
    -------
    DataReport
        No network is built for it.

    Raises
    ------
    RunError
        If the cache cannot be used.
    """
    context = make_context(RunTable(name="data-check", device="cpu"), progress)
    reports: list[TableReport] = []
    sets: dict[str, Dataset] = {}
    for name in (field.name for field in attrs.fields(DataTables)):
        table = getattr(tables, name)
        if table is None:
            continue
        report = TableReport(name, table.name, str(registry.source("dataset", table.name)))
        try:
            with attributed(registry):
                data: Dataset = registry.find("dataset", table.name).build(table.settings, context)
        except RunError:
            raise
        except UserError as error:
            reports.append(attrs.evolve(report, error=str(error)))
        else:
            sets[name] = data
            known = attrs.evolve(report, examples=len(data), fingerprint=data.fingerprint, notes=list(data.notes))
            reports.append(known)
    return DataReport(reports, overlaps(sets))


def lines(report: DataReport) -> Iterator[str]:
    """Tell a user what was found, a line at a time."""
    for table in report.tables:
        name = f"{table.table}: '{table.component}' of {table.source}"
        if table.error:
            yield f"{name} cannot be used"
            yield from (f"  {line}" for line in table.error.splitlines())
        else:
            yield f"{name}, {table.examples:,} examples, fingerprint {table.fingerprint[:12]}"
            yield from (f"  {note}" for note in table.notes)
    yield from (f"leakage: {overlap}" for overlap in report.overlaps)
    usable = [table.table for table in report.tables if not table.error]
    if len(usable) > 1 and not report.overlaps:
        yield f"no example is in two of {', '.join(usable)}"
