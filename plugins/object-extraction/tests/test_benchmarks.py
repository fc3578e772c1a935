from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"


@pytest.mark.parametrize(
    ("script", "options", "expected"),
    [
        (
            "estep",
            ["--turns", "1", "--batch", "8", "--enumerated", "1"],
            ["E-step / (u + d c)", "downstream network", "exhaustive"],
        ),
        ("inference", ["--turns", "1"], ["inference / bare", "own size"]),
        ("scale", [], ["latents: filled by an E-step", "checkpoint in an E-step: written"]),
    ],
)
def test_a_benchmark_runs_and_prints_its_tables(
    script: str, options: list[str], expected: list[str], tmp_path: Path
) -> None:
    command = [sys.executable, str(BENCHMARKS / f"{script}.py"), "--examples", "2", *options]
    environment = {**os.environ, "JOINTTASK_CACHE": str(tmp_path)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert [words for words in expected if words not in done.stdout] == []
