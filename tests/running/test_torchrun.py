"""Runs on two processes: the same as on one, and what happens when one of them dies, fails or is stopped."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tabulated import DYING, SPOILED
from toy import run_file

from jointtask.api.errors import ConfigError, RunError
from jointtask.em.processes import ALONE, FAILED, PeerError, World
from jointtask.registry.registry import Registry, load_registry
from jointtask.runfile.load import load
from jointtask.running.directory import ReadOnlyRunDirectory
from jointtask.running.run import run
from jointtask.running.torchrun import joined
from jointtask.tools.progress import SilentProgress

HERE = Path(__file__).parents[1]
PLUGINS = [str(HERE / name) for name in ("toy.py", "tabulated.py", "stopping.py")]
TABLES = {
    "run": 'name = "together"\noutput = "{}"\ndevice = "cpu"\nthreads = 1',
    "upstream": 'name = "toy-locate"\ndropout = 0.0\noptimizer = { rate = 0.003 }',
    "downstream": 'name = "stopping-label"\noptimizer = { name = "sgd", rate = 0.01 }',
    "sampler": 'name = "mortal"',
}
TABULATED = ["upstream.name=tabulated-locate", "downstream.name=tabulated-label", "em.draws=20"]
TABULATED += ["sampler.estimate=weighted", "em.warmup_epochs=0"]
UNEVEN = ["em.rounds=1", "em.batch_size=47", "em.estep_batch=40"]  # nothing is left for the second process
KEPT = ["em.average=0.9", "em.keep=best", "em.patience=2", "em.microbatch=3", "upstream.optimizer.name=nadam"]
PARTS = ["em.part=0.3", "em.rounds=6"]
CASES: list[dict[str, Any]] = [
    {"overrides": []},
    {"overrides": ["run.name=tabulated", *TABULATED, "em.estep_batch=7"]},
    {"overrides": ["run.name=uneven", *UNEVEN]},
    {"overrides": ["run.name=stopped"], "calls": 12, "rank": 1},
    {"overrides": ["run.name=stopped"], "calls": 5, "rank": 0},
    {"overrides": ["run.name=stopped"]},
    {"overrides": ["run.name=kept", *KEPT]},
    {"overrides": ["run.name=parts", *TABULATED, *PARTS, "em.estep_batch=7"]},
]


def write_run_file(folder: Path) -> Path:
    file = folder / "run.toml"
    file.write_text(run_file("", **{**TABLES, "run": TABLES["run"].format(folder / "runs")}))
    return file


def environment(**more: str) -> dict[str, str]:
    paths = os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")])
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": paths, **more}


def torchrun(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Start two processes; one that hangs fails the test."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, env=environment(**more))


def pair(*arguments: str, **more: str) -> tuple[list[int], list[str]]:
    """Start two processes as torchrun would, but quicker; return their exit codes and what they wrote."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    known = environment(WORLD_SIZE="2", MASTER_ADDR="127.0.0.1", MASTER_PORT=port, **more)
    processes = [
        subprocess.Popen(
            [sys.executable, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**known, "RANK": str(rank), "LOCAL_RANK": str(rank)},
        )
        for rank in range(2)
    ]
    written = [process.communicate(timeout=120)[0] for process in processes]
    return [process.returncode for process in processes], written


def command(folder: Path, *more: str) -> list[str]:
    plugins = [f"--plugin={plugin}" for plugin in PLUGINS]
    return ["-m", "jointtask", "run", str(write_run_file(folder)), *plugins, *more]


def outcome(folder: Path, name: str) -> dict[str, bytes]:
    names = ("model.safetensors", "latents.safetensors", "history.jsonl")
    return {file: (folder / "runs" / name / file).read_bytes() for file in names}


def history(folder: Path, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "runs" / name / "history.jsonl").read_text().splitlines()]


def numbers(value: Any, place: str = "") -> dict[str, Any]:
    """Return the leaves of a record by their place."""
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        return {key: leaf for name, item in items for key, leaf in numbers(item, f"{place}/{name}").items()}
    return {} if value is None else {place: value}


@pytest.fixture(scope="module")
def registry() -> Registry:
    return load_registry(PLUGINS)


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cases, each run by two processes."""
    folder = tmp_path_factory.mktemp("two")
    write_run_file(folder)
    (folder / "cases.json").write_text(json.dumps(CASES))
    codes, written = pair(str(HERE / "together.py"), str(folder))
    assert codes == [0, 0], written
    return folder


def alone(folder: Path, registry: Registry, *overrides: str) -> Path:
    runfile = load(str(write_run_file(folder)), overrides, registry)
    run(runfile, registry, fresh=False, progress=SilentProgress())
    return folder


@pytest.mark.parametrize(("name", "overrides"), [("together", []), ("uneven", UNEVEN), ("kept", KEPT)])
def test_two_processes_have_the_history_of_one(
    name: str, overrides: list[str], two: Path, tmp_path: Path, registry: Registry
) -> None:
    """Sums are added up in another order, so weights differ in the last bits; no decision here is that close."""
    alone(tmp_path, registry, f"run.name={name}", *overrides)
    ours, theirs = history(two, name), history(tmp_path, name)
    assert numbers(ours) == pytest.approx(numbers(theirs), rel=1e-4)
    mine = load_file(tmp_path / "runs" / name / "model.safetensors")
    for key, weights in load_file(two / "runs" / name / "model.safetensors").items():
        assert torch.allclose(weights, mine[key], rtol=1e-3, atol=1e-5), key


@pytest.mark.parametrize(("name", "overrides"), [("tabulated", []), ("parts", PARTS)])
def test_two_processes_draw_what_one_draws(
    name: str, overrides: list[str], two: Path, tmp_path: Path, registry: Registry
) -> None:
    """All 20 draws of every example are kept; one process draws 48 examples at once, two draw 7 each."""
    alone(tmp_path, registry, f"run.name={name}", *TABULATED, *overrides)
    mine = load_file(tmp_path / "runs" / name / "latents.safetensors")
    theirs = load_file(two / "runs" / name / "latents.safetensors")
    assert mine["reference"].shape == (48, 20, 2)
    assert len(mine["reference"].unique(dim=1)) > 1
    assert all(torch.equal(theirs[key], mine[key]) for key in mine)
    for one, other in zip(history(two, name), history(tmp_path, name), strict=True):
        assert {**one, "training": 0} == {**other, "training": 0}


def test_a_signal_to_any_process_stops_all_and_loses_nothing(two: Path) -> None:
    for case in (3, 4):
        for rank in (0, 1):
            told = (two / f"stopped-{case}-{rank}").read_text()
            assert "stopped by SIGTERM; everything is saved" in told
    assert outcome(two, "stopped") == outcome(two, "together")


def test_a_process_killed_in_mid_round_ends_the_run_with_one_message_and_it_resumes(two: Path, tmp_path: Path) -> None:
    killed = torchrun(*command(tmp_path), **{DYING: "1"})
    assert killed.returncode == 1
    assert killed.stderr.count("another process of this run died") == 1
    assert "remedy: run the same command again" in killed.stderr
    ours, _, torchruns = killed.stderr.partition("another process of this run died")
    assert "Traceback" not in ours
    assert "world.py" not in torchruns
    assert not (tmp_path / "runs" / "together" / "report.json").exists()
    codes, (leader, other) = pair(*command(tmp_path))
    assert codes == [0, 0], leader + other
    assert "2 processes" in leader
    assert "going on in round 1" in leader
    assert "report: " in leader
    assert other == ""
    assert outcome(tmp_path, "together") == outcome(two, "together")


def test_a_fault_that_one_process_finds_is_told_once(tmp_path: Path) -> None:
    codes, (leader, other) = pair(*command(tmp_path), **{SPOILED: "1"})
    assert codes == [2, 2]
    assert other == "an example is spoiled\n  remedy: look after it\n"
    assert leader.splitlines()[-1].startswith("round 1: E-step: stopped, 0/48")  # and not a word of its own


def test_a_fault_that_all_processes_find_is_told_once(tmp_path: Path) -> None:
    codes, written = pair(*command(tmp_path, "--set=em.rounds=0"))
    assert codes == [2, 2]
    assert sorted(map(len, written))[0] == 0
    assert sum(text.count("must be at least 1, got 0") for text in written) == 1


def test_blocks_cover_a_pass_once_and_in_order() -> None:
    worlds = [World(rank, 3) for rank in range(3)]
    offset, seen = 0, []
    while offset < 50:
        blocks = [world.next_positions(offset, 50, 8) for world in worlds]
        assert len({stop for _, stop in blocks}) == 1
        seen += [row for rows, _ in blocks for row in rows]
        offset = blocks[0][1]
    assert seen == list(range(50))
    assert ALONE.next_positions(48, 50, 8) == (range(48, 50), 50)


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_parts_of_a_batch_weigh_one_together(size: int) -> None:
    index = torch.arange(100, 105)
    parts = [World(rank, size).own_part(index) for rank in range(size)]
    assert sum(share for _, share in parts) == pytest.approx(1)
    shared = torch.cat([mine for mine, share in parts if share > 0])
    assert sorted(shared.tolist()) == index.tolist()
    assert all(len(mine) == 1 for mine, share in parts if share == 0)


def test_one_process_joins_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with joined() as world:
        assert world is ALONE
    monkeypatch.setenv("WORLD_SIZE", "1")
    with joined() as world:
        assert world is ALONE


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"WORLD_SIZE": "many"}, "the environment says WORLD_SIZE=many"),
        ({"WORLD_SIZE": "2"}, "the environment says no RANK"),
        ({"WORLD_SIZE": "2", "RANK": "x"}, "the environment says RANK=x"),
    ],
)
def test_an_environment_that_torchrun_did_not_set(
    variables: dict[str, str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("WORLD_SIZE", "RANK", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=message) as caught, joined():
        pass
    assert "torchrun" in caught.value.remedy


def test_more_processes_than_accelerators(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(ConfigError, match="process 3 of this machine has no accelerator") as caught:
        World(2, 3, local_rank=2).own_device(torch.device("cuda"))
    assert "--nproc-per-node=2" in caught.value.remedy
    assert ALONE.own_device(torch.device("cuda")) == torch.device("cuda")
    assert World(2, 3, local_rank=2).own_device(torch.device("cpu")) == torch.device("cpu")


def test_a_process_that_is_ended_while_it_builds_says_so_for_all(tmp_path: Path) -> None:
    stop = {"STOP_PART": "data", "STOP_CALLS": "1", "STOP_RANK": "1", "STOP_SIGNAL": str(int(signal.SIGTERM))}
    codes, (leader, other) = pair(*command(tmp_path, "--set=data.test.name=stopping-bumps"), **stop)
    assert codes == [1, 1]
    assert other.startswith("ended by SIGTERM before the run was finished")
    assert "Traceback" not in leader + other
    assert "SIGTERM" not in leader


def test_only_the_leader_writes(tmp_path: Path) -> None:
    directory = ReadOnlyRunDirectory(tmp_path / "runs" / "toy")
    directory.clear()
    directory.write_identity("", {})
    directory.write_lines(directory.history, [{}])
    directory.write_results({}, {}, {})
    directory.remove_leftovers()
    assert not list(tmp_path.iterdir())


class Told(World):
    """A world whose other process says something else."""

    def gather(self, items: list[Any]) -> list[Any]:
        return [*items, {"round": 1, "weights": "beta"}]


def test_processes_that_no_longer_agree_are_stopped() -> None:
    with pytest.raises(RunError, match="no longer agree in: weights") as caught:
        Told(0, 2).require_same(lambda: {"round": 1, "weights": "alpha"})
    assert caught.value.cause == "weights: alpha in process 0, beta in process 1"
    Told(0, 2).require_same(lambda: {"round": 1, "weights": "beta"})
    ALONE.require_same(lambda: pytest.fail("nobody to compare with"))


class Store:
    """What torchrun keeps, or what is left of it."""

    def __init__(self, keys: list[str], fault: str = "") -> None:
        self.keys, self.fault = keys, fault

    def check(self, keys: list[str]) -> bool:
        if self.fault:
            raise RuntimeError(self.fault)
        return keys[0] in self.keys

    def compare_set(self, key: str, expected: str, desired: str) -> bytes:
        return desired.encode()


def test_who_waits_for_a_process_that_failed_waits_no_longer() -> None:
    with World(1, 2, store=Store(["end"])).leader_first("end"):
        pass
    with pytest.raises(PeerError, match="another process of this run died"):
        World(1, 2, store=Store([FAILED])).leader_first("end").__enter__()
    said = "[/src/gloo/pair.cc:537] Read error [127.0.0.1]:1: Connection reset by peer. This is\nbad"
    with pytest.raises(PeerError) as caught:
        World(1, 2, store=Store([], said)).leader_first("end").__enter__()
    assert caught.value.cause == "Read error [127.0.0.1]:1: Connection reset by peer"
