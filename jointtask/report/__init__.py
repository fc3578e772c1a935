"""The report of a run: `report.json`, the record, and `report.html`, one page that works offline."""

from jointtask.report.advice import warnings
from jointtask.report.build import read_report, render, write_report

__all__ = ["read_report", "render", "warnings", "write_report"]
