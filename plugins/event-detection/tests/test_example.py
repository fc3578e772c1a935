"""The run file of the examples, small."""

from __future__ import annotations

from pathlib import Path

from jointtask.registry.registry import load_registry
from jointtask.runfile.load import load
from jointtask.running.run import run
from jointtask.tools import SilentProgress

EXAMPLE = Path(__file__).parents[3] / "examples" / "event_detection.toml"


def test_the_example_runs_from_data_to_report(tmp_path: Path) -> None:
    registry = load_registry()
    small = [f"data.{split}.examples=24" for split in ("train", "validation", "test")]
    short = ["em.warmup_epochs=1", "em.rounds=2", "em.epochs_per_round=1", "em.oracle_examples=2"]
    runfile = load(EXAMPLE, [f"run.output='{tmp_path}'", "run.device=cpu", *small, *short], registry)
    record = run(runfile, registry, fresh=False, progress=SilentProgress())
    assert record.finished
    assert record.period == [None, None]
    assert [score.predictor for score in record.scores] == ["this run", "movement", "mean-interval"]
    assert set(record.scores[0].values) == {"F1", "interval IoU"}
    assert sum(record.rounds[-1].adjustment[0].values()) == 24
    page = (tmp_path / "event-detection" / "report.html").read_text()
    assert "Training examples" in page
    assert "Worst cases by F1" in page
