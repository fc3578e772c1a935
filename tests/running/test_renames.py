"""A run and a comparison that are killed before or after any of their renames end as if nothing had happened."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "least"), [("run", 14), ("compare", 30)])
@pytest.mark.skipif(not hasattr(os, "fork"), reason="the work is killed in forks of one process")
def test_a_kill_at_any_rename_changes_nothing(kind: str, least: int, tmp_path: Path) -> None:
    command = [sys.executable, str(HERE / "killed_at_renames.py"), kind, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    outcome = json.loads(done.stdout)
    assert outcome["faults"] == []
    assert outcome["renames"] >= least
