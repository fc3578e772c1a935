"""``python -m jointtask``."""

from __future__ import annotations

from jointtask.cli import main

main()
