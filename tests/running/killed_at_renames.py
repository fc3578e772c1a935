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
    """Ends the process at the n-th rename: before it is done, or right after."""

    def __init__(self, position: int, after: bool) -> None:
        self.left, self.after, self.replace = position, after, os.replace

    def __call__(self, *arguments: Any, **options: Any) -> None:
        self.left -= 1
        if self.left == 0 and not self.after:
            os._exit(9)
        self.replace(*arguments, **options)
        if self.left == 0:
            os._exit(9)


def in_a_fork(work: Callable[[], object], position: int = 0, after: bool = False) -> int:
    """Do the work in a fork; return its exit code, 9 if it was killed."""
    if child := os.fork():
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    code = 1
    try:
        os.replace = Killed(position, after)  # type: ignore[assignment]  # what pathlib calls, too
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
    faults, whole = [], None
    for number in range(1000):
        for after in (False, True) if number else (False,):
            own = folder / f"{number}-{after}"
            own.mkdir()
            os.environ["JOINTTASK_CACHE"] = str(own / "cache")
            (own / "run.toml").write_text(
                run_file("runs", **TABLES) + '[[proposal]]\nname = "prepared"\n', encoding="utf-8"
            )

            def work(own: Path = own) -> None:
                os.chdir(own)
                if kind == "run":
                    run(load("run.toml", (), registry), registry, fresh=False, progress=SilentProgress())
                else:
                    arms = ["sampler.name=gaussian", "sampler.name=none"]
                    todo = plan("run.toml", registry, vary=arms, seeds=1, output=str(own / "runs"))
                    compare(todo, registry, fresh=False, progress=SilentProgress())

            code = in_a_fork(work, number, after)
            if number == 0:
                whole = content(own)
                assert code == 0
                continue
            if code == 0:  # there is no such rename
                print(json.dumps({"renames": number - 1, "faults": faults}))
                return
            if code != 9 or in_a_fork(work) != 0:
                faults.append(f"rename {number}, after {after}: exit {code}")
            elif content(own) != whole:
                here = content(own)
                names = [name for name in {*here, *(whole or {})} if here.get(name, 0) != (whole or {}).get(name, 0)]
                faults.append(f"rename {number}, after {after}: {sorted(names)}")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
