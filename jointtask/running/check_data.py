"""Reads the data sets of a run file and reports their size, what is odd or missing, and the examples they share."""

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
    """One data table of a run file.

    Attributes
    ----------
    table : str
        Name of the table, such as "train".
    component, source : str
        Name of the data set, and the distribution that it comes from.
    examples : int
        Number of examples; 0 if the data set cannot be used.
    fingerprint : str
        Digest of the whole data set; "" if it cannot be used.
    notes : sequence of str
        Lines about what was decided and what is odd.
    error : str
        Reason why it cannot be used, with a remedy; "" if it can.
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
    """All data tables of a run file.

    Attributes
    ----------
    tables : sequence of TableReport
        The tables, in the order train, validation, test.
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
    """Read each data set; the others are read even if one has a fault.

    Parameters
    ----------
    tables : DataTables
        The data tables.
    registry : Registry
        The components that they can name.
    progress : Progress
        Receiver of phases and messages.

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
            report = attrs.evolve(report, examples=len(data), fingerprint=data.fingerprint, notes=list(data.notes))
            reports.append(report)
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
