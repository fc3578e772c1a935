"""A whole run of a small pair: records, exact resume, clean stops, failures that lose nothing."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from toy import run_file

from jointtask.api.errors import ConfigError, RunError, UserError
from jointtask.api.record import RunRecord
from jointtask.em.finite import NonFiniteError
from jointtask.registry.registry import Registry, load_registry
from jointtask.runfile.load import load
from jointtask.running.assemble import assemble
from jointtask.running.check import check
from jointtask.running.directory import RunDirectory
from jointtask.running.run import run
from jointtask.running.same_run import require_same_run, versions_of
from jointtask.running.trained import load_predictor
from jointtask.tools.progress import SilentProgress

TOY = Path(__file__).parents[1].joinpath("toy.py")


@pytest.fixture(scope="module")
def registry() -> Registry:
    return load_registry([str(TOY)])


def start(tmp_path: Path, registry: Registry, *overrides: str, fresh: bool = False, **tables: Any) -> RunRecord:
    file = tmp_path / "run.toml"
    file.write_text(run_file(str(tmp_path / "runs"), **tables))
    return run(load(file, overrides, registry), registry, fresh=fresh, progress=SilentProgress())


def outcome(tmp_path: Path) -> dict[str, bytes]:
    """Return what must be the same after any interruption."""
    names = ("model.safetensors", "latents.safetensors", "history.jsonl")
    return {name: (tmp_path / "runs" / "toy" / name).read_bytes() for name in names}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, registry: Registry) -> tuple[Path, RunRecord]:
    path = tmp_path_factory.mktemp("finished")
    return path, start(path, registry)


def test_a_run_learns_and_leaves_its_files(finished: tuple[Path, RunRecord]) -> None:
    path, record = finished
    assert record.finished
    assert [line.round for line in record.rounds] == [0, 1, 2]
    first, last = record.rounds[1].start, record.rounds[-1].estimate
    assert first is not None
    assert last is not None
    assert last.total < first.total
    ours, nothing = record.scores
    assert ours.values["accuracy"] > nothing.values["accuracy"] + 0.1
    assert len(ours.per_example["toy-accuracy"]) == 16
    names = {file.name for file in (path / "runs" / "toy").iterdir()}
    records = {"config.toml", "versions.json", "history.jsonl", "timing.jsonl", "finished.json", "checkpoints"}
    assert names == records | {"report.json", "report.html", "latents.safetensors", "model.safetensors"}
    assert len(list((path / "runs" / "toy" / "checkpoints").iterdir())) == 2
    history = [json.loads(line) for line in (path / "runs" / "toy" / "history.jsonl").read_text().splitlines()]
    assert [line["round"] for line in history] == [0, 1, 2]
    assert not any("seconds" in line for line in history)


def test_the_best_estimate_never_has_a_higher_energy_than_no_adjustment(finished: tuple[Path, RunRecord]) -> None:
    for line in finished[1].rounds[1:]:
        assert line.start is not None
        assert line.estimate is not None
        assert line.sampler is not None
        assert line.estimate.total <= line.start.total
        assert line.sampler.gain == pytest.approx(line.start.total - line.estimate.total)
        assert sum(line.adjustment[0].values()) == 48
        assert line.sampler.oracle is not None
        assert line.sampler.oracle.examples == 4
        assert line.sampler.oracle.regret >= 0


def test_the_same_run_twice_is_the_same_to_the_byte(
    finished: tuple[Path, RunRecord], tmp_path: Path, registry: Registry
) -> None:
    start(tmp_path, registry)
    assert outcome(tmp_path) == outcome(finished[0])


@pytest.mark.slow
@pytest.mark.parametrize("after", [0.15, 0.4, 0.8])
def test_a_run_killed_anywhere_ends_the_same(after: float, finished: tuple[Path, RunRecord], tmp_path: Path) -> None:
    """SIGKILL as soon as the run directory exists, then a little later: no handler runs, nothing is flushed."""
    file = tmp_path / "run.toml"
    tables = {"run": f'name = "toy"\noutput = "{tmp_path / "runs"}"\ndevice = "cpu"\nthreads = 1'}
    file.write_text(run_file("", **tables))
    command = [sys.executable, "-m", "jointtask", "run", str(file), "--plugin", str(TOY)]
    every = ["--set", "run.checkpoint_seconds=0"]
    process = subprocess.Popen([*command, *every], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not (tmp_path / "runs" / "toy" / "config.toml").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(after)
    process.kill()
    process.wait()
    done = subprocess.run([*command, *every], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert outcome(tmp_path) == outcome(finished[0])


def test_a_finished_run_says_so_and_more_rounds_extend_it(tmp_path: Path, registry: Registry) -> None:
    start(tmp_path, registry, "em.rounds=1")
    before = outcome(tmp_path)
    again = start(tmp_path, registry, "em.rounds=1")
    assert again.finished
    assert outcome(tmp_path) == before
    longer = start(tmp_path, registry, "em.rounds=2")
    assert [line.round for line in longer.rounds] == [0, 1, 2]
    with pytest.raises(ConfigError, match="rounds can grow, not shrink"):
        start(tmp_path, registry, "em.rounds=1")


def test_what_the_numbers_call_for_is_said_once_and_everywhere(tmp_path: Path) -> None:
    """In the record that observers get, in `report.json` and on the page."""
    plugin = tmp_path / "listener.py"
    plugin.write_text(
        "from pathlib import Path\nfrom jointtask import hookimpl\n\n\n@hookimpl\n"
        "def jointtask_run_finished(record):\n"
        f"    Path({str(tmp_path / 'heard')!r}).write_text('\\n'.join(record.warnings))\n"
    )
    registry = load_registry([str(TOY), str(plugin)])
    record = start(tmp_path, registry, "bridge.levels=[-0.01, 0, 0.01]", "em.rounds=1")
    assert any("widen bridge.levels" in line for line in record.warnings)
    assert len(set(record.warnings)) == len(record.warnings)
    assert (tmp_path / "heard").read_text().splitlines() == record.warnings
    stored = json.loads((tmp_path / "runs" / "toy" / "report.json").read_text())
    assert stored["warnings"] == record.warnings
    assert (tmp_path / "runs" / "toy" / "report.html").read_text().count("widen bridge.levels") == 1


@pytest.mark.parametrize("table", ['metrics = ["toy-accuracy"]', 'each_round = ["toy-accuracy"]'])
def test_metrics_are_in_the_versions_wherever_they_are_named(table: str, tmp_path: Path, registry: Registry) -> None:
    (tmp_path / "run.toml").write_text(run_file(str(tmp_path), evaluate=table))
    runfile = load(tmp_path / "run.toml", [], registry)
    assert ("metric", "toy-accuracy") in list(runfile.components())


def test_the_directory_of_another_run_is_refused(finished: tuple[Path, RunRecord], registry: Registry) -> None:
    path, _ = finished
    before = outcome(path)
    with pytest.raises(ConfigError) as caught:
        start(path, registry, "run.seed=5", "data.train.seed=9")
    text = str(caught.value)
    assert "holds another run" in text
    assert "run.seed: was 0, is 5" in text
    assert "data.train: not the examples that the run began with: 48 as before, but with another content" in text
    assert "--fresh" in text
    assert outcome(path) == before


def test_what_has_come_since_is_no_difference_and_edited_code_is_told(tmp_path: Path, registry: Registry) -> None:
    start(tmp_path, registry)
    directory = tmp_path / "runs" / "toy"
    text = (directory / "config.toml").read_text()
    assert "relocations = 0" in text
    (directory / "config.toml").write_text(
        text.replace("relocations = 0", "")
    )  # as in a run from before there were any
    versions = json.loads((directory / "versions.json").read_text())
    assert versions["code"]["toy.py"].startswith("sha256:")
    versions["code"]["toy.py"] = "sha256:of other code"
    (directory / "versions.json").write_text(json.dumps(versions))
    runfile = load(tmp_path / "run.toml", [], registry)
    assembly = assemble(runfile, registry, SilentProgress())
    notes = require_same_run(RunDirectory(directory), assembly, versions_of(assembly))
    assert [note for note in notes if "toy.py was edited" in note and "--fresh" in note]


def test_a_folder_with_something_else_in_it_is_refused(tmp_path: Path, registry: Registry) -> None:
    (tmp_path / "runs" / "toy").mkdir(parents=True)
    (tmp_path / "runs" / "toy" / "thesis.tex").write_text("years of work")
    with pytest.raises(ConfigError, match="is not empty and holds no run"):
        start(tmp_path, registry)


def test_a_run_killed_while_its_directory_was_made_begins_again(tmp_path: Path, registry: Registry) -> None:
    directory = tmp_path / "runs" / "toy"
    (directory / "checkpoints").mkdir(parents=True)
    (directory / "versions.json").write_text("{}")
    (directory / ".config.toml.0a1b2c3d.part").write_text("[run]")
    assert start(tmp_path, registry).finished


def test_checkpoints_without_a_run_file_are_refused(tmp_path: Path, registry: Registry) -> None:
    (tmp_path / "runs" / "toy" / "checkpoints").mkdir(parents=True)
    (tmp_path / "runs" / "toy" / "checkpoints" / "1.safetensors").write_bytes(b"hours of work")
    with pytest.raises(ConfigError, match=r"has checkpoints, but no config\.toml"):
        start(tmp_path, registry)


def test_fresh_starts_again(tmp_path: Path, registry: Registry) -> None:
    start(tmp_path, registry, "run.seed=1")
    start(tmp_path, registry, fresh=True)
    assert "seed = 0" in (tmp_path / "runs" / "toy" / "config.toml").read_text()


def test_a_damaged_checkpoint_is_passed_over(
    finished: tuple[Path, RunRecord], tmp_path: Path, registry: Registry
) -> None:
    start(tmp_path, registry, "em.rounds=1")
    newest = max((tmp_path / "runs" / "toy" / "checkpoints").iterdir())
    content = bytearray(newest.read_bytes())
    content[-20] ^= 1
    newest.write_bytes(content)
    start(tmp_path, registry)
    assert outcome(tmp_path) == outcome(finished[0])


def test_all_checkpoints_damaged_is_an_error_with_a_remedy(tmp_path: Path, registry: Registry) -> None:
    start(tmp_path, registry)
    for path in (tmp_path / "runs" / "toy" / "checkpoints").iterdir():
        path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(RunError, match="every checkpoint is damaged") as caught:
        start(tmp_path, registry)
    assert "--fresh" in str(caught.value)


def test_nan_stops_the_run_names_examples_and_keeps_the_last_good_state(
    tmp_path: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(tmp_path, registry, "em.rounds=1")
    kept = sorted(path.read_bytes() for path in (tmp_path / "runs" / "toy" / "checkpoints").iterdir())
    module = registry.plugins.manager.get_plugin("toy").Bumps  # type: ignore[union-attr]
    batch = module.batch

    def poisoned(self: Any, index: Any) -> Any:
        tensors = batch(self, index)
        rows = [row for row, i in enumerate(index) if self.ids[i] == "0-0007"]
        tensors["values"][rows] = torch.nan
        return tensors

    monkeypatch.setattr(module, "batch", poisoned)
    with pytest.raises(NonFiniteError, match=r"not finite for 1 of 20 examples: 0-0007") as caught:
        start(tmp_path, registry)
    assert caught.value.cause.startswith("the data set 'toy-bumps' of toy.py ")
    assert sorted(p.read_bytes() for p in (tmp_path / "runs" / "toy" / "checkpoints").iterdir()) == kept


def test_a_rate_that_blows_up_is_stopped(tmp_path: Path, registry: Registry) -> None:
    with pytest.raises(NonFiniteError, match="not finite"):
        start(tmp_path, registry, "upstream.optimizer.name=sgd", "upstream.optimizer.rate=1e30")


@pytest.mark.parametrize("sampler", ["metropolis-hastings", "gaussian", "exhaustive", "gibbs", "none"])
def test_every_sampler_runs_with_every_estimate(sampler: str, tmp_path: Path, registry: Registry) -> None:
    overrides = [f"sampler.name={sampler}", "em.rounds=1", "em.warmup_epochs=1"]
    start(tmp_path, registry, *overrides)
    for number, estimate in enumerate(["last", "weighted"]):
        draws = ["em.draws=3"] if estimate == "weighted" else []
        more = [f"sampler.estimate={estimate}", *draws, f"run.name=toy{number}"]
        record = start(tmp_path, registry, *overrides, *more)
        assert record.rounds[1].sampler is not None


def test_no_adjustment_trains_on_the_annotation(tmp_path: Path, registry: Registry) -> None:
    record = start(tmp_path, registry, "sampler.name=none")
    assert record.rounds[1].adjustment[0] == {"-4": 0, "-2": 0, "0": 48, "2": 0, "4": 0}
    assert record.rounds[1].sampler is not None
    assert record.rounds[1].sampler.evaluated == 1


def test_batch_sizes_of_the_e_step_do_not_change_the_proposals(tmp_path: Path, registry: Registry) -> None:
    """Energies of a network differ in the last bits between batch shapes; on this pair no decision is that close."""
    one = start(tmp_path, registry, "em.estep_batch=7", "em.rounds=1")
    two = start(tmp_path, registry, "em.estep_batch=48", "em.rounds=1", "em.downstream_batch=5", "run.name=two")
    assert one.rounds[1].adjustment == two.rounds[1].adjustment


def test_an_observer_that_raises_does_not_stop_the_run(tmp_path: Path) -> None:
    plugin = tmp_path / "nosy.py"
    plugin.write_text(
        "from jointtask import hookimpl\n\n\n@hookimpl\n"
        "def jointtask_round_finished(record):\n    raise ValueError('no')\n"
    )
    registry = load_registry([str(TOY), str(plugin)])
    said: list[str] = []

    class Listening(SilentProgress):
        def say(self, line: str) -> None:
            said.append(line)

    file = tmp_path / "run.toml"
    file.write_text(run_file(str(tmp_path / "runs")))
    run(load(file, ["em.rounds=1"], registry), registry, fresh=False, progress=Listening())
    assert sum("nosy.py" in line and "ValueError: no" in line for line in said) == 2


def test_what_was_trained_predicts_without_the_annotation(finished: tuple[Path, RunRecord], registry: Registry) -> None:
    predictor = load_predictor(finished[0] / "runs" / "toy", plugins=[TOY])
    data = registry.find("dataset", "toy-bumps")
    bumps = data.build(data.settings(examples=5, seed=3), None)
    batch = bumps.batch(range(5))
    examples = [bumps.example(i) for i in range(5)]
    with_label = predictor.predict_batch(batch, examples)
    without = predictor.predict(examples)
    assert all(torch.equal(a, b) for a, b in zip(with_label, without, strict=True))
    assert all(torch.equal(a, b) for a, b in zip(predictor.predict(bumps), without, strict=True))
    predictor.draws = 8
    frames = predictor.predict_frames(batch, bumps.ids)
    assert frames.frame.shape == (5, 64)
    assert float(frames.spread.max()) > 0


def test_no_run_directory_is_an_error(tmp_path: Path, registry: Registry) -> None:
    with pytest.raises(UserError, match="is no run directory"):
        load_predictor(tmp_path / "nowhere")


def test_a_full_disk_loses_nothing(
    finished: tuple[Path, RunRecord], tmp_path: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(tmp_path, registry, "em.rounds=1")
    folder = tmp_path / "runs" / "toy" / "checkpoints"
    kept = {path.name: path.read_bytes() for path in folder.iterdir()}

    def full(descriptor: int) -> None:
        if Path(f"/proc/self/fd/{descriptor}").readlink().parent == folder:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left") as caught:
            start(tmp_path, registry)
    assert caught.value.errno == errno.ENOSPC
    assert str(caught.value.filename).startswith(str(folder))
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == kept
    start(tmp_path, registry)
    assert outcome(tmp_path) == outcome(finished[0])


def test_an_output_folder_that_cannot_be_written_is_named(
    tmp_path: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    mkdir = Path.mkdir

    def refuse(path: Path, *arguments: Any, **options: Any) -> None:
        if path.is_relative_to(tmp_path / "runs"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        mkdir(path, *arguments, **options)

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(ConfigError, match="toy cannot be made or opened") as caught:
        start(tmp_path, registry)
    assert caught.value.cause == "Permission denied"


def test_an_output_that_is_a_file_is_refused_before_any_work(tmp_path: Path, registry: Registry) -> None:
    (tmp_path / "runs").write_text("not a folder")
    with pytest.raises(ConfigError, match="cannot be made or opened") as caught:
        start(tmp_path, registry)
    assert "--output" in caught.value.remedy


def test_a_call_that_does_nothing_changes_nothing(tmp_path: Path, registry: Registry) -> None:
    start(tmp_path, registry, "em.rounds=1")
    before = {path.name: path.read_bytes() for path in (tmp_path / "runs" / "toy").iterdir() if path.is_file()}
    start(tmp_path, registry, "em.rounds=1", "run.workers=2")
    assert before == {path.name: path.read_bytes() for path in (tmp_path / "runs" / "toy").iterdir() if path.is_file()}


def test_a_damaged_report_is_made_again(tmp_path: Path, registry: Registry) -> None:
    record = start(tmp_path, registry, "em.rounds=1")
    report = tmp_path / "runs" / "toy" / "report.json"
    report.write_text("{")
    again = start(tmp_path, registry, "em.rounds=1")
    assert again.scores[0].values == record.scores[0].values
    assert report.read_text().endswith("}\n")


def test_a_damaged_config_is_an_error_with_a_place(tmp_path: Path, registry: Registry) -> None:
    start(tmp_path, registry, "em.rounds=1")
    (tmp_path / "runs" / "toy" / "config.toml").write_text("[[[")
    with pytest.raises(ConfigError, match="not valid TOML at line 1"):
        start(tmp_path, registry, "em.rounds=1")


def test_a_run_with_a_plugins_sampler_predicts_without_the_plugin(tmp_path: Path, registry: Registry) -> None:
    start(tmp_path, registry, "em.rounds=1")
    config = tmp_path / "runs" / "toy" / "config.toml"
    text = config.read_text().replace('name = "metropolis-hastings"', 'name = "not-installed"')
    config.write_text(text)
    assert load_predictor(tmp_path / "runs" / "toy", plugins=[TOY]).draws == 1


def test_what_an_unfinished_run_holds_is_used_with_a_warning(tmp_path: Path, registry: Registry) -> None:
    start(tmp_path, registry, "em.rounds=1")
    (tmp_path / "runs" / "toy" / "model.safetensors").unlink()
    said: list[str] = []

    class Listening(SilentProgress):
        def say(self, line: str) -> None:
            said.append(line)

    load_predictor(tmp_path / "runs" / "toy", plugins=[TOY], progress=Listening())
    assert any("is not finished" in line for line in said)


def test_history_is_strict_json(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path)
    directory.write_lines(directory.history, [{"round": 0, "validation": {"accuracy": float("nan"), "other": 0.1}}])
    line = (tmp_path / "history.jsonl").read_text()
    assert line == '{"round": 0, "validation": {"accuracy": null, "other": 0.1}}\n'


def test_a_run_starts_from_what_another_has_trained(tmp_path: Path, registry: Registry) -> None:
    first = start(tmp_path, registry)
    begun = f"run.start={tmp_path / 'runs' / 'toy'}"
    nothing = ["em.warmup_epochs=0", "upstream.optimizer.rate=1e-12", "downstream.optimizer.rate=1e-12"]
    second = start(tmp_path, registry, "run.name=second", begun, *nothing)
    assert second.scores[0].values == first.scores[0].values
    with pytest.raises(ConfigError, match="start: was"):
        start(tmp_path, registry, "run.name=second", *nothing)


def test_a_start_that_is_not_there_or_does_not_fit_is_an_error(tmp_path: Path, registry: Registry) -> None:
    with pytest.raises(ConfigError, match=r"run.start: there is no .*model.safetensors"):
        start(tmp_path, registry, f"run.start={tmp_path}")
    with pytest.raises(ConfigError, match=r"run.start: there is no .*model.safetensors"):
        check(load(tmp_path / "run.toml", [f"run.start={tmp_path}"], registry), registry, SilentProgress())
    (tmp_path / "broken.safetensors").write_bytes(b"nothing")
    with pytest.raises(ConfigError, match=r"run\.start: .* is damaged"):
        start(tmp_path, registry, f"run.start={tmp_path / 'broken.safetensors'}")
    save_file({"upstream.other": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(ConfigError, match="do not fit the upstream network"):
        start(tmp_path, registry, f"run.start={tmp_path / 'other.safetensors'}")


def test_a_run_in_which_nothing_learns_is_refused(tmp_path: Path, registry: Registry) -> None:
    with pytest.raises(ConfigError, match="nothing would learn"):
        start(tmp_path, registry, "upstream.optimizer.rate=0", "downstream.optimizer.rate=0")


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("relocations = 1", "predict.relocations is 1, but the bridge 'toy-interval' cannot relocate"),
        ('start = "whole"', 'predict.start is "whole", but the bridge .* has no reference to the whole'),
        ("mirror = true", "predict.mirror is true, but the bridge .* does not mirror"),
    ],
)
def test_a_use_that_the_bridge_does_not_offer_is_refused(
    asked: str, message: str, tmp_path: Path, registry: Registry
) -> None:
    with pytest.raises(ConfigError, match=message):
        start(tmp_path, registry, predict=asked)
