"""A comparison tries the parts of each arm once, before anything is trained."""

from __future__ import annotations

from pathlib import Path

import pytest
from toy import run_file

from jointtask.compare.arms import plan
from jointtask.compare.compare import compare
from jointtask.registry.registry import load_registry
from jointtask.running import assemble
from jointtask.tools import SilentProgress


def test_each_arm_is_tried_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []
    for name in ("require_conforming", "try_metrics"):
        whole = getattr(assemble, name)
        monkeypatch.setattr(assemble, name, lambda *work, name=name, whole=whole: (tried.append(name), whole(*work)))
    (tmp_path / "run.toml").write_text(run_file(str(tmp_path / "runs")), encoding="utf-8")
    registry = load_registry(["toy"])
    small = ["em.oracle_examples=0", "data.train.examples=20", "em.rounds=1", "em.warmup_epochs=1"]
    todo = plan(
        tmp_path / "run.toml",
        registry,
        overrides=small,
        vary=["sampler.name=none", "sampler.name=gaussian"],
        seeds=2,
    )
    comparison = compare(todo, registry, fresh=False, progress=SilentProgress())
    assert [len(arm.runs) for arm in comparison.arms] == [2, 2]
    assert sorted(tried) == ["require_conforming"] * 2 + ["try_metrics"] * 2
