"""Building what a run file names: devices, precision, and what is odd about the data."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from toy import BumpData, Bumps, run_file

from jointtask.api.errors import ConfigError, DataError, PluginError
from jointtask.registry.registry import Registry, load_registry
from jointtask.runfile.load import load
from jointtask.running.assemble import assemble
from jointtask.running.device import device_name, resolve_device
from jointtask.running.run import run
from jointtask.tools.progress import SilentProgress

TOY = Path(__file__).parents[1].joinpath("toy.py")


@pytest.fixture(scope="module")
def registry() -> Registry:
    return load_registry([str(TOY)])


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_named_device_is_a_demand() -> None:
    with pytest.raises(ConfigError, match=r"run.device is 'cuda', and there is none") as caught:
        resolve_device("cuda")
    assert "sees cpu" in caught.value.cause
    assert resolve_device("auto").type in ("cpu", "mps")
    assert device_name(torch.device("cpu")) == f"cpu ({torch.get_num_threads()} threads)"


def test_the_weights_a_network_starts_from_hang_on_the_seed_alone(tmp_path: Path, registry: Registry) -> None:
    file = tmp_path / "run.toml"
    file.write_text(run_file(str(tmp_path)))

    def start(*overrides: str) -> torch.Tensor:
        work = assemble(load(file, overrides, registry), registry, SilentProgress())
        return torch.cat([parameter.flatten() for parameter in work.pair.upstream.parameters()])

    assert torch.equal(start(), start("sampler.name=none", "bridge.levels=[-1, 0, 1]"))
    assert not torch.equal(start(), start("run.seed=1"))


def test_only_the_proposal_terms_that_a_sampler_uses_are_built(tmp_path: Path, registry: Registry) -> None:
    file = tmp_path / "run.toml"
    file.write_text(run_file(str(tmp_path)))
    for sampler, terms in (("metropolis-hastings", ["gaussian"]), ("gibbs", []), ("none", [])):
        work = assemble(load(file, [f"sampler.name={sampler}"], registry), registry, SilentProgress())
        assert list(work.estep.terms) == terms


@pytest.mark.parametrize("setting", ["run.precision=bfloat16", "run.channels_last=true"])
def test_precision_and_layout_train(setting: str, tmp_path: Path, registry: Registry) -> None:
    file = tmp_path / "run.toml"
    file.write_text(run_file(str(tmp_path)))
    record = run(load(file, [setting, "em.rounds=1"], registry), registry, fresh=False, progress=SilentProgress())
    assert record.scores[0].values["accuracy"] > 0.6


def test_a_data_set_without_what_the_bridge_needs_is_named(
    tmp_path: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    bumps = registry.plugins.manager.get_plugin("toy").Bumps  # type: ignore[union-attr]
    monkeypatch.setattr(bumps, "batch", lambda self, index: {"values": torch.zeros(len(index), 64)})
    file = tmp_path / "run.toml"
    file.write_text(run_file(str(tmp_path)))
    with pytest.raises(
        PluginError, match=r"'toy-bumps' of toy\.py .* gives no label, which the bridge 'toy-interval' of"
    ):
        assemble(load(file, [], registry), registry, SilentProgress())


def test_a_fault_in_data_names_its_table(tmp_path: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Bumps, settings: BumpData) -> None:
        raise DataError("no bumps in it")

    bumps = registry.plugins.manager.get_plugin("toy").Bumps  # type: ignore[union-attr]
    monkeypatch.setattr(bumps, "__init__", refuse)
    file = tmp_path / "run.toml"
    file.write_text(run_file(str(tmp_path)))
    with pytest.raises(DataError) as caught:
        assemble(load(file, [], registry), registry, SilentProgress())
    assert str(caught.value) == "[data.train] no bumps in it"
