"""Which device trains in which precision; and a run in float16, where there is a CUDA device."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import toy
from safetensors.torch import load_file

from jointtask.api.errors import ConfigError
from jointtask.registry.registry import load_registry
from jointtask.runfile.load import load
from jointtask.running.device import precision_on, require_precision
from jointtask.running.run import run
from jointtask.tools import SilentProgress


@pytest.mark.parametrize("device", ["cpu", "mps"])
def test_float16_needs_a_cuda_device(device: str) -> None:
    with pytest.raises(ConfigError, match=f"run.precision is 'float16', and the device is {device}") as caught:
        require_precision("float16", torch.device(device))
    assert "bfloat16" in caught.value.remedy
    require_precision("bfloat16", torch.device(device))
    require_precision("float16", torch.device("cuda"))


def test_a_run_in_float16_on_the_cpu_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run.toml").write_text(toy.run_file(str(tmp_path)), encoding="utf-8")
    registry = load_registry(["toy"])
    runfile = load(tmp_path / "run.toml", ["run.precision=float16"], registry)
    with pytest.raises(ConfigError, match="the device is cpu"):
        run(runfile, registry, fresh=False, progress=SilentProgress())


@pytest.mark.parametrize(
    ("precision", "device", "expected"),
    [
        ("float16", "cuda", torch.float16),
        ("float16", "cpu", torch.float32),
        ("bfloat16", "cpu", torch.bfloat16),
        ("float32", "cuda", torch.float32),
    ],
)
def test_what_was_trained_in_float16_is_used_in_float32_elsewhere(
    precision: str, device: str, expected: torch.dtype
) -> None:
    assert precision_on(precision, torch.device(device)) == expected  # type: ignore[arg-type]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="float16 is trained on a CUDA device, and there is none")
def test_a_run_in_float16_continues_exactly(tmp_path: Path) -> None:
    (tmp_path / "run.toml").write_text(toy.run_file(str(tmp_path)), encoding="utf-8")
    registry = load_registry(["toy"])

    def train(name: str, rounds: int) -> Path:
        keys = [f"run.name={name}", "run.device=cuda", "run.precision=float16", f"em.rounds={rounds}"]
        record = run(load(tmp_path / "run.toml", keys, registry), registry, fresh=False, progress=SilentProgress())
        assert record.finished
        return Path(record.directory) / "model.safetensors"

    whole = load_file(train("whole", 2))
    train("parts", 1)
    parts = load_file(train("parts", 2))
    assert all(torch.equal(value, parts[name]) for name, value in whole.items())
