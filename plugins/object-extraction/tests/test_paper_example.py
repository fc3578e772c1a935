from __future__ import annotations

from pathlib import Path

from jointtask.load import load
from jointtask.registry import load_registry

ROOT = Path(__file__).resolve().parents[3]


def test_the_papers_run_file_says_what_the_paper_says() -> None:
    run = load(ROOT / "examples" / "paper" / "object_extraction.toml", [], load_registry())
    assert run.upstream.settings.network == run.downstream.settings.network == "paper"
    assert run.upstream.optimizer.rates == {"convolutional": 1e-10, "connected": 1e-8}
    assert run.downstream.optimizer.rate == 1e-6
    assert run.upstream.weight == run.downstream.weight == 1.0
    assert list(run.bridge.settings.levels) == [-10, -5, 0, 5, 10]
    assert (run.bridge.settings.center, run.bridge.settings.likelihood) == ("target", "reference")
    assert (run.bridge.settings.flip, run.bridge.settings.jitter, run.bridge.settings.colour) == (False, 0, 0)
    assert (run.sampler.name, run.sampler.settings.moves, run.sampler.estimate) == ("metropolis-hastings", 20, "best")
    assert [table.name for table in run.proposal] == ["gaussian", "superpixel-boundary"]
    assert run.proposal[1].settings.points == 200
    assert (run.em.warmup_epochs, run.em.rounds, run.em.epochs_per_round, run.em.batch_size) == (10, 10, 3, 100)
