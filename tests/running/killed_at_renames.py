"""Kills a piece of work before and after each of its renames, does it again, and says what differs from the whole.

``python killed_at_renames.py run|compare FOLDER``; prints one JSON object: the number of renames, and faults.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).parents[1]
sys.path.insert(0, str(HERE))

import torch  # noqa: E402 - after the path to the plugins
from toy import run_file  # noqa: E402

from jointtask.compare.arms import plan  # noqa: E402
from jointtask.compare.compare import compare  # noqa: E402
from jointtask.registry.registry import load_registry  # noqa: E402
from jointtask.runfile.load import load  # noqa: E402
from jointtask.running.run import run  # noqa: E402
from jointtask.tools.progress import SilentProgress  # noqa: E402

SAME = ("model.safetensors", "latents.safetensors", "history.jsonl")
TABLES = {
    "data.train": 'name = "toy-bumps"\nexamples = 10',
    "data.validation": 'name = "toy-bumps"\nexamples = 3\nseed = 1',
    "data.test": 'name = "toy-bumps"\nexamples = 3\nseed = 2',
    "em": "warmup_epochs = 1\nrounds = 1\nbatch_size = 5\nestep_batch = 5\noracle_examples = 1",
}


class Killed:
    """Ends the process at the n-th rename, before it is done or right after; writes down where each one leads."""

    def __init__(self, position: int, after: bool, log: Path) -> None:
        self.left, self.after, self.replace, self.log = position, after, os.replace, log

    def __call__(self, *arguments: Any, **options: Any) -> None:
        with self.log.open("a") as stream:
            stream.write(f"{arguments[1]}\n")
        self.left -= 1
        if self.left == 0 and not self.after:
            os._exit(9)
        self.replace(*arguments, **options)
        if self.left == 0:
            os._exit(9)


def in_a_fork(work: Callable[[], object], log: Path, position: int = 0, after: bool = False) -> int:
    """Do the work in a fork; return its exit code, 9 if it was killed."""
    if child := os.fork():
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    code = 1
    try:
        os.replace = Killed(position, after, log)  # type: ignore[assignment]  # what pathlib calls, too
        work()
        code = 0
    finally:
        os._exit(code)


def content(folder: Path) -> dict[str, Any]:
    """Return what must be the same after any kill: names of all files, and the bytes of those without a clock."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and "checkpoints" not in path.parts)
    # The cache removes what a killed process left when nobody can be writing it any more: after a day, not at once.
    files = [path for path in files if "cache" not in path.parts or path.suffix != ".part"]
    return {str(path.relative_to(folder)): path.read_bytes() if path.name in SAME else None for path in files}


def main(kind: str, folder: Path) -> None:
    torch.set_num_threads(1)
    registry = load_registry([str(HERE / "toy.py"), str(HERE / "stopping.py")])
    faults: list[str] = []

    def attempt(number: int = 0, after: bool = False) -> tuple[Path, Callable[[], None], int]:
        own = folder / f"{number}-{after}"
        own.mkdir()
        os.environ["JOINTTASK_CACHE"] = str(own / "cache")
        (own / "run.toml").write_text(
            run_file("runs", **TABLES) + '[[proposal]]\nname = "prepared"\n', encoding="utf-8"
        )

        def work() -> None:
            os.chdir(own)
            if kind == "run":
                run(load("run.toml", (), registry), registry, fresh=False, progress=SilentProgress())
            else:
                arms = ["sampler.name=gaussian", "sampler.name=none"]
                todo = plan("run.toml", registry, vary=arms, seeds=1, output=str(own / "runs"))
                compare(todo, registry, fresh=False, progress=SilentProgress())

        return own, work, in_a_fork(work, folder / f"renames-{number}-{after}.txt", number, after)

    own, _, code = attempt()
    assert code == 0
    whole = content(own)
    targets = (folder / "renames-0-False.txt").read_text().splitlines()
    for number, target in enumerate(targets, start=1):
        # The renames of the runs inside a comparison are those of a run: one in six of them is enough.
        if kind == "compare" and "-seed-" in target and number % 6:
            continue
        for after in (False, True):
            own, work, code = attempt(number, after)
            if code != 9 or in_a_fork(work, folder / "again.txt") != 0:
                faults.append(f"rename {number}, after {after}: exit {code}")
            elif (here := content(own)) != whole:
                names = [name for name in {*here, *whole} if here.get(name, 0) != whole.get(name, 0)]
                faults.append(f"rename {number}, after {after}: {sorted(names)}")
    print(json.dumps({"renames": len(targets), "faults": faults}))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
