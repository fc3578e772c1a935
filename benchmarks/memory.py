"""Peak memory of a run at 1,000 and at 9,600 images, and what of it grows: ``python benchmarks/memory.py``.

Each number of images gets a process of its own, which does what a run does: it makes the data and the superpixels (one
iteration of SLIC takes the memory of ten), goes through one E-step and one epoch of the M-step, and scores the test
data. ``JOINTTASK_CACHE`` names a folder that keeps frames and superpixels for the next time.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import torch
import typer
from measuring import build, machine, table

from jointtask.em.batches import Examples
from jointtask.em.predict import make_predictor
from jointtask.em.train import expect, maximise
from jointtask.running.autosave import Autosave
from jointtask.running.directory import RunDirectory
from jointtask.running.finish import final_scores
from jointtask.running.run import new_state
from jointtask.running.signals import Signals

SETTINGS = ("em.warmup_epochs=0", "em.rounds=1", "sampler.moves=4", "proposal.1.iterations=1")


class Stage(NamedTuple):
    """A part of the run: bytes held after it and at its peak, and its seconds."""

    name: str
    held: int
    peak: int
    seconds: float


def main(
    network: Annotated[str, typer.Option(help="Of both tasks.")] = "compact",
    examples: Annotated[list[int], typer.Option(help="How many images; may be given again.")] = [1_000, 9_600],  # noqa: B006  # never changed
    batches: Annotated[int, typer.Option(help="The last batches alone of the E-step and of the epoch; 0: all.")] = 0,
    override: Annotated[list[str] | None, typer.Option("--set", help="As in `jointtask run`.")] = None,
    here: Annotated[bool, typer.Option(hidden=True)] = False,
) -> None:
    if here:
        print(json.dumps(stages(network, examples[0], batches, override or [])))
        return
    torch.set_num_threads(1)
    runs = [in_a_process(network, count, batches, override or []) for count in examples]
    rows = []
    for parts in zip(*runs, strict=True):
        growth = (parts[-1].held - parts[0].held) / max(1, examples[-1] - examples[0])
        cells = [f"{part.held / 1e6:.0f} / {part.peak / 1e6:.0f}" for part in parts]
        rows.append((parts[0].name, *cells, f"{growth:.0f}", f"{parts[-1].seconds:.0f}"))
    print(f"Memory of a run of the `{network}` networks, MB held after a stage / at its peak. {machine()}\n")
    print(table(("stage", *(f"{count:,} images" for count in examples), "bytes an image, held", "seconds"), rows))
    print("peak of the whole, MB:", *(f"{max(part.peak for part in run) / 1e6:.0f}" for run in runs))


def in_a_process(network: str, count: int, batches: int, settings: list[str]) -> list[Stage]:
    """Go through all stages in a process that has held nothing before."""
    sizes = [f"--network={network}", f"--examples={count}", f"--batches={batches}"]
    command = [sys.executable, __file__, "--here", *sizes]
    command += [word for setting in settings for word in ("--set", setting)]
    with tempfile.TemporaryDirectory() as cache:
        environment = {"JOINTTASK_CACHE": cache, **os.environ}
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return [Stage(*stage) for stage in json.loads(done.stdout)]


def stages(network: str, count: int, batches: int, settings: list[str]) -> list[Stage]:
    """Do what a run does, and see what it holds."""
    seen: list[Stage] = []

    def stage(name: str, work: Callable[[], Any]) -> Any:
        Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
        start = time.perf_counter()
        made = work()
        seen.append(Stage(name, resident("VmRSS"), resident("VmHWM"), time.perf_counter() - start))
        return made

    stage("Python, torch and all modules", lambda: None)
    stage("networks and two examples", lambda: build(network, 2, [*SETTINGS, *settings]))
    work = stage("data: frames on disk", lambda: build(network, count, [*SETTINGS, *settings]))
    examples = stage("superpixels on disk", lambda: Examples(work.train, work.estep.terms, work.runfile, work.context))
    state = stage("latents and optimizers", lambda: new_state(work))
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "checkpoints").mkdir()
        autosave = Autosave(RunDirectory(Path(folder)), state, work.runfile.run.checkpoint_seconds, Signals())
        em, state.round = work.runfile.em, 1
        for name, go, size in (("E-step", expect, em.estep_batch), ("M-step, an epoch", maximise, em.batch_size)):
            state.offset = max(0, count - batches * size) if batches else 0
            state.sums = {"upstream": 0.0, "downstream": 0.0}
            stage(name, partial(go, work, examples, state, autosave, work.parts.of_round(1)))
        stage("checkpoint", autosave.save)
    stage("scores of the test data", lambda: final_scores(work, make_predictor(work.pair, work.runfile)))
    return seen


def resident(name: str) -> int:
    """Return a line of this process's memory in bytes: VmRSS now, VmHWM at its peak."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


if __name__ == "__main__":
    typer.run(main)
