"""Whole runs on one and two processes over more and more examples: the table of ``benchmarks/scale.py --runs``.

Started without arguments of its own by `scale`; as a script it is one process of a run, which measures itself.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from measuring import table

HERE = Path(__file__).parent
PLUGINS = ["jointtask.testing.trial", str(HERE / "generated.py")]
ROUND = 5_000
"""Examples of a round, whatever the number of all: what grows is what the others cost."""
PHASES = {"E-step": "train:20", "M-step": "train:70", "scores": "validation:25", "second E-step": "train:110"}
"""Where the second of two processes is killed: at which batch of which data."""
RUN_FILE = """
[run]
name = "{name}"
output = "{output}"
device = "cpu"
threads = 1
checkpoint_seconds = 1e9
[data.train]
name = "generated"
examples = {examples}
[data.validation]
name = "generated"
examples = 1000
seed = 1
[upstream]
name = "trial-find"
optimizer = {{ rate = 0.003 }}
[downstream]
name = "trial-mark"
optimizer = {{ rate = 0.01 }}
[bridge]
name = "trial-interval"
[sampler]
name = "metropolis-hastings"
[[proposal]]
name = "gaussian"
[em]
warmup_epochs = 0
rounds = 2
part = {part!r}
batch_size = 128
estep_batch = 64
oracle_examples = 8
[evaluate]
metrics = ["trial-accuracy"]
"""


def runs(folder: Path, sizes: Sequence[int]) -> Iterator[str]:
    """Run every size on two processes, and the largest on one and with a process killed; yield the tables."""
    os.environ["JOINTTASK_CACHE"] = str(folder / "cache")
    columns = ["examples", "processes", "index, s", "opened, s", "ready, s", "peak MB a process, files aside",
               "E-step, examples/s", "M-step, examples/s", "checkpoint, s", "checkpoint, MB"]  # fmt: skip
    rows = []
    for examples in sizes:
        seconds = indexed(folder, examples)
        for processes in (2, 1) if examples == sizes[-1] else (2,):
            rows.append([f"{examples:,}", str(processes), f"{seconds:.1f}", *measured(folder, examples, processes)])
    yield table(columns, rows)
    yield table(["killed in", "done again", "then the same as never killed"], killed(folder, sizes[-1]))


def indexed(folder: Path, examples: int) -> float:
    """Index the data of a run, after a process that is killed at it; return the seconds."""
    plugins = [f"--plugin={plugin}" for plugin in PLUGINS]
    file = write(folder, f"{examples}-2", examples)
    command = [sys.executable, "-m", "jointtask", "data", "index", str(file), *plugins]
    dying = subprocess.run(command, env={**os.environ, "KILLED_AT": "index:5"}, capture_output=True, check=False)
    assert dying.returncode == -9, dying
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - start


def measured(folder: Path, examples: int, processes: int) -> list[str]:
    """Run a size; return its cells."""
    name = f"{examples}-{processes}"
    codes = started(folder, write(folder, name, examples), processes)
    assert codes == [0] * processes, codes
    told = [json.loads((folder / f"{name}-{rank}.json").read_text()) for rank in range(processes)]
    timing = [json.loads(line) for line in (folder / "runs" / name / "timing.jsonl").read_text().splitlines()]
    spent = {phase: sum(line["seconds"] for line in timing if line["phase"] == phase) for phase in ("E-step", "M-step")}
    sampled = 2 * min(ROUND, examples)
    size = max(path.stat().st_size for path in (folder / "runs" / name / "checkpoints").iterdir())
    return [
        f"{max(each['opened'] for each in told):.2f}",
        f"{max(each['ready'] for each in told):.1f}",
        " and ".join(f"{each['peak'] / 1e6:.0f}" for each in told),
        f"{sampled / spent['E-step']:.0f}",
        f"{sampled / spent['M-step']:.0f}",
        f"{told[0]['checkpoint']:.2f}",
        f"{size / 1e6:.1f}",
    ]


def killed(folder: Path, examples: int) -> Iterator[list[str]]:
    """Kill the second of two processes in each phase, and run the same again; yield the rows."""
    whole = folder / "runs" / f"{examples}-2"
    for number, (phase, call) in enumerate(PHASES.items()):
        name = f"{examples}-killed-{number}"
        file = write(folder, name, examples)
        codes = started(folder, file, 2, KILLED_AT=call)
        assert 0 not in codes, codes
        history = folder / "runs" / name / "history.jsonl"
        kept = len(history.read_text().splitlines())
        assert started(folder, file, 2) == [0, 0]
        names = ("model.safetensors", "history.jsonl", "latents.safetensors")
        same = all((whole / each).read_bytes() == (folder / "runs" / name / each).read_bytes() for each in names)
        yield [phase, f"round {kept}", "to the bit" if same else "NO"]


def write(folder: Path, name: str, examples: int) -> Path:
    """Write the run file of a run."""
    file = folder / f"{name}.toml"
    part = min(1.0, ROUND / examples)
    file.write_text(RUN_FILE.format(name=name, output=folder / "runs", examples=examples, part=part))
    return file


def started(folder: Path, file: Path, processes: int, **more: str) -> list[int]:
    """Start the processes of a run, as torchrun would; return their exit codes."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    known = {**os.environ, "OMP_NUM_THREADS": "1", **more}
    if processes > 1:
        known |= {"WORLD_SIZE": str(processes), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    with (folder / "log").open("a") as log:
        children = [
            subprocess.Popen(
                [sys.executable, __file__, str(file)],
                env={**known, "RANK": str(rank), "LOCAL_RANK": str(rank)},
                stdout=log,
                stderr=log,
            )
            for rank in range(processes)
        ]
        return [child.wait() for child in children]


def one_process(file: Path) -> None:
    """Be one process of a run, and note what it took."""
    from jointtask.registry.registry import load_registry
    from jointtask.runfile.load import load
    from jointtask.running import assemble, run
    from jointtask.running.directory import RunDirectory
    from jointtask.running.torchrun import joined
    from jointtask.tools.progress import open_progress

    told: dict[str, Any] = {"opened": 0.0, "checkpoint": 0.0}
    registry = load_registry(PLUGINS)
    runfile = load(file, [], registry)
    read, save, prepare = assemble.read_data, RunDirectory.save_checkpoint, run.prepare
    start = time.perf_counter()

    def timed(name: str, function: Any) -> Any:
        def call(*arguments: Any) -> Any:
            before = time.perf_counter()
            result = function(*arguments)
            told[name] = max(told[name], time.perf_counter() - before)
            return result

        return call

    def prepared(*arguments: Any) -> Any:
        result = prepare(*arguments)
        told["ready"] = time.perf_counter() - start
        return result

    assemble.read_data = timed("opened", read)
    RunDirectory.save_checkpoint = timed("checkpoint", save)  # type: ignore[method-assign]
    run.prepare = prepared
    with joined() as world, peak(told):
        run.run(runfile, registry, fresh=False, progress=open_progress(), world=world)
    file.with_name(f"{file.stem}-{world.rank}.json").write_text(json.dumps(told))


@contextmanager
def peak(told: dict[str, Any]) -> Iterator[None]:
    """Note the largest memory of this process, pages of mapped files aside, looked at 50 times a second."""
    told["peak"], done = 0, threading.Event()

    def watch() -> None:
        while not done.wait(0.02):
            status = Path("/proc/self/status").read_text()
            told["peak"] = max(told["peak"], 1024 * int(status.partition("RssAnon:")[2].split()[0]))

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    yield
    done.set()
    watcher.join()


if __name__ == "__main__":
    one_process(Path(sys.argv[1]))
