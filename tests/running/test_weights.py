"""`run.start`: a run directory, a file of weights, or the name of a trained predictor."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from toy import run_file as toy_file

from jointtask.api.errors import ConfigError
from jointtask.registry.registry import Registry, load_registry
from jointtask.runfile.load import dump, load
from jointtask.running.assemble import assemble
from jointtask.running.run import run
from jointtask.running.weights import digest_start, start_from
from jointtask.tools.progress import SilentProgress

TOY = Path(__file__).parents[1] / "toy.py"
PLUGIN = """
from pathlib import Path
from jointtask import hookimpl
from jointtask.api import NoSettings, TrainedComponent


@hookimpl
def jointtask_predictors():
    folder = Path(__file__).parent / "trained"
    return [TrainedComponent("mine", NoSettings, lambda s, c: lambda example: example, "a model", directory=folder)]
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run's weights beside a plugin that gives them a name."""
    site = tmp_path_factory.mktemp("site")
    (site / "mine.py").write_text(PLUGIN)
    (site / "toy.toml").write_text(toy_file(str(site / "runs")))
    registry = load_registry([str(TOY)])
    run(load(site / "toy.toml", ["em.rounds=1"], registry), registry, fresh=False, progress=SilentProgress())
    (site / "runs" / "toy").rename(site / "trained")
    return site


@pytest.fixture(scope="module")
def registry(site: Path) -> Registry:
    return load_registry([str(TOY), str(site / "mine.py")])


@pytest.mark.parametrize("start", ["mine", "trained", "trained/", "trained/model.safetensors", "./trained"])
def test_what_a_run_may_start_from(site: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch, start: str) -> None:
    monkeypatch.chdir(site)
    runfile = load("toy.toml", [f"run.start={start}"], registry)
    work = assemble(runfile, registry, SilentProgress())
    start_from(work.pair, runfile.run.start, registry)
    trained = load_file(site / "trained" / "model.safetensors")
    for role, module in work.pair.modules.items():
        for name, tensor in module.state_dict().items():
            assert torch.equal(tensor, trained[f"{role}.{name}"])
    assert len(digest_start(runfile.run.start, registry)) == 64
    (site / "again.toml").write_text(dump(runfile))
    assert load("again.toml", (), registry).run.start == runfile.run.start


def test_a_folder_of_the_name_goes_first(
    site: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    weights = {name: tensor + 1 for name, tensor in load_file(site / "trained" / "model.safetensors").items()}
    (tmp_path / "mine").mkdir()
    save_file(weights, tmp_path / "mine" / "model.safetensors")
    monkeypatch.chdir(tmp_path)
    own = load(site / "toy.toml", ["run.start=mine"], registry)
    assert own.run.start == str(tmp_path / "mine")
    assert digest_start(own.run.start, registry) != digest_start("mine", registry)


@pytest.mark.parametrize("start", ["mien", "toy-nothing", "no/such/run", "toy.toml/x", "mine/"])
def test_what_is_no_start_is_told(site: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch, start: str) -> None:
    monkeypatch.chdir(site)
    runfile = load("toy.toml", [f"run.start={start}"], registry)
    work = assemble(runfile, registry, SilentProgress())
    with pytest.raises(ConfigError, match=r"run\.start: there is no") as caught:
        start_from(work.pair, runfile.run.start, registry)
    assert "mine" in caught.value.remedy
