from __future__ import annotations

import json
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
        ("inference", ["--turns", "1", "--batch", "2"], ["inference / bare", "own size", "predict.draws = 8"]),
        pytest.param(
            "growth",
            ["--turns", "1"],
            ["images", "moves, K", "states, N", "em.estep_batch", "em.downstream_batch"],
            marks=pytest.mark.slow,
        ),
        pytest.param(
            "options",
            ["--turns", "1"],
            ["bfloat16, channels_last", "each state once"],
            marks=pytest.mark.slow,
        ),
        pytest.param(
            "memory",
            ["--set", "data.validation.examples=2", "--set", "data.test.examples=2"],
            ["M-step, an epoch", "peak of the whole"],
            marks=[
                pytest.mark.slow,
                pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="only Linux forgets a peak"),
            ],
        ),
        ("scale", [], ["latents: filled by an E-step", "checkpoint in an E-step: written"]),
        pytest.param(
            "scale",
            ["--runs", "--examples", "5000"],
            ["| 5,000 | 2 |", "| M-step | round 1 | to the bit |", "| second E-step | round 2 | to the bit |"],
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_benchmark_runs_and_prints_its_tables(
    script: str, options: list[str], expected: list[str], tmp_path: Path
) -> None:
    command = [sys.executable, str(BENCHMARKS / f"{script}.py"), "--examples", "2", *options]
    environment = {**os.environ, "JOINTTASK_CACHE": str(tmp_path)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr
    assert [words for words in expected if words not in done.stdout] == []


def test_the_shares_of_a_run_are_those_of_its_clock(tmp_path: Path) -> None:
    clock = [(0, "M-step", 6.0), (1, "data", 1.0), (1, "E-step", 3.0)]
    lines = [json.dumps({"round": round, "phase": phase, "seconds": took}) for round, phase, took in clock]
    (tmp_path / "timing.jsonl").write_text("\n".join(lines) + "\n")
    command = [sys.executable, str(BENCHMARKS / "shares.py"), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=True)
    assert "| rounds | 4.0 | 0.0 (0.0%) | 1.0 (25.0%) | 3.0 (75.0%) |" in done.stdout
    assert "| whole | 10.0 | 6.0 (60.0%) | 1.0 (10.0%) | 3.0 (30.0%) |" in done.stdout


@pytest.mark.slow
def test_proposals_are_held_against_enumeration(tmp_path: Path) -> None:
    environment = {**os.environ, "JOINTTASK_CACHE": str(tmp_path)}
    few = [f"data.{part}.examples=4" for part in ("train", "validation", "test")]
    settings = [*few, "em.warmup_epochs=1", "em.rounds=1", "evaluate.predictors=[]", "bridge.levels=[-10, 0, 10]"]
    run = ["run", str(BENCHMARKS.parent / "examples" / "object_extraction.toml"), "--output", str(tmp_path)]
    trained = [sys.executable, "-m", "jointtask", *run, *(word for key in settings for word in ("--set", key))]
    subprocess.run(trained, env=environment, capture_output=True, timeout=900, check=True)
    command = [sys.executable, str(BENCHMARKS / "proposals.py"), str(tmp_path / "object-extraction"), "--examples", "2"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr
    assert "2 training examples, 81 states, round 1" in done.stdout
    assert all(words in done.stdout for words in ("own proposal", "upstream, spread 20", "gibbs", "regret, nats"))
