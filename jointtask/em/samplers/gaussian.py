"""Metropolis-Hastings without the data-driven term: its component declares the Gaussian term alone."""

from __future__ import annotations

from jointtask.em.samplers.metropolis_hastings import sample

__all__ = ["sample"]
