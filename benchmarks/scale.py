"""What a run holds and does for each of a million examples, images and networks aside: ``python benchmarks/scale.py``.

Latents, diagnostics, names, orders and checkpoints grow with the examples; time and memory of each are measured, and
the arithmetic of docs/scale.md is that of these lines. ``--floating`` counts the networks' operations instead;
``torchrun --nproc-per-node=2 benchmarks/scale.py --messages`` times what processes say to each other. ``--runs`` takes
whole runs, of indexed data and a part at a time, from 10,000 to that many examples on two processes, and kills some.
"""

from __future__ import annotations

import gc
import hashlib
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from jointtask_object_extraction.data.pairing import Pair
from measuring import build, machine, milliseconds, table
from scale_runs import runs
from torch.utils.flop_counter import FlopCounterMode

from jointtask.api.grid import LatentGrid
from jointtask.api.randomness import Streams
from jointtask.em.assembly import chosen
from jointtask.em.diagnostics import Diagnostics, round_record
from jointtask.em.estep import Sampled
from jointtask.em.latents import Latents
from jointtask.em.mstep import epoch_order
from jointtask.em.processes import World
from jointtask.em.state import Checkpoint
from jointtask.running.checkpoint import latest_checkpoint, save_checkpoint
from jointtask.running.overlap import overlaps
from jointtask.running.torchrun import joined
from jointtask.tools.cache import cached_arrays
from jointtask.tools.progress import SilentProgress

GRID = LatentGrid.product([[-10.0, -5.0, 0.0, 5.0, 10.0]] * 4)
BATCH = 64
CACHED = 200_000


def main(
    examples: Annotated[int, typer.Option(help="How many.")] = 1_000_000,
    draws: Annotated[int, typer.Option(help="J, estimates an example.")] = 1,
    floating: Annotated[bool, typer.Option(help="Count the networks' operations and parameters.")] = False,
    messages: Annotated[bool, typer.Option(help="Time the messages between processes.")] = False,
    whole: Annotated[bool, typer.Option("--runs", help="Whole runs over up to that many examples.")] = False,
) -> None:
    torch.set_num_threads(1)
    if whole:
        print(machine())
        with tempfile.TemporaryDirectory() as folder:
            sizes = [size for size in (10_000, 100_000) if size < examples]
            for text in runs(Path(folder), [*sizes, examples]):
                print(text)
        return
    with joined() as world:
        made = said(world, draws) if messages else networks() if floating else storage(examples, draws)
        columns, *rows = made
        if world.leader:
            print(machine())
            print(table(columns, rows))


def storage(examples: int, draws: int) -> list[list[str]]:
    """Take examples through everything of a round but data and networks."""
    rows = [[f"{examples:,} examples, J = {draws}", "seconds", "bytes an example"]]

    def measure(what: str, work: Callable[[], Any], *, holds: bool = False) -> Any:
        gc.collect()
        before, start = resident(), time.perf_counter()
        made = work()
        seconds = time.perf_counter() - start
        rows.append([what, f"{seconds:.2f}", f"{(resident() - before) / examples:.0f}" if holds else ""])
        return made

    ids = measure(
        "ids, as `image_folder` makes them", lambda: [f"folder/{row:012d}" for row in range(examples)], holds=True
    )
    digests = measure(
        "digests", lambda: [hashlib.blake2b(name.encode(), digest_size=20).hexdigest() for name in ids], holds=True
    )
    measure("`image-folder`: its files", lambda: [pair(name) for name in ids], holds=True)
    measure(
        "keys of a cache, while it is opened", lambda: [f"{digest} version settings" for digest in digests], holds=True
    )
    latents: Latents = measure("latents: filled by an E-step", lambda: recorded(examples, draws), holds=True)
    diagnostics: Diagnostics = measure("diagnostics of the E-step", lambda: kept(examples, draws), holds=True)
    measure("their summary", lambda: round_record(1, diagnostics, GRID))
    measure("order of an epoch", lambda: epoch_order(0, 0, examples))
    measure("random streams and 20 proposals", lambda: proposed(ids))
    measure("the examples that are enumerated", lambda: chosen(ids, 8))
    data: Any = type("Data", (), {"digests": digests, "ids": ids, "__len__": lambda self: examples})()
    measure("looking for examples of two data sets", lambda: overlaps({"train": data, "test": data}))
    with tempfile.TemporaryDirectory() as folder:
        tensors = {f"latents.{name}": tensor for name, tensor in latents.tensors().items()}
        tensors |= {f"diagnostics.{name}": tensor for name, tensor in diagnostics._asdict().items()}
        state = Checkpoint(tensors, {})
        path: Path = measure("checkpoint in an E-step: written", lambda: save_checkpoint(Path(folder), state))
        rows[-1][-1] = f"{path.stat().st_size / examples:.0f} on disk"
        measure("checkpoint in an E-step: read", lambda: latest_checkpoint(Path(folder)))
        few = digests[: min(CACHED, examples)]
        names = len(few)

        def opened() -> Any:
            make = {"value": np.zeros(16, dtype=np.uint8)}
            folder_ = Path(folder) / "cache"
            return cached_arrays(folder_, few, lambda row: make, workers=1, progress=SilentProgress(), label="")

        opened()
        start = time.perf_counter()
        opened()
        seconds = (time.perf_counter() - start) * examples / names
        rows.append([f"a cache opened, warm (from {names:,} examples)", f"{seconds:.2f}", ""])
    return rows


def pair(name: str) -> Pair:
    """Name an image and its mask."""
    return Pair(name, Path("/data/images", f"{name}.jpg"), Path("/data/masks", f"{name}.png"))


def recorded(examples: int, draws: int) -> Latents:
    """Fill the latents, a batch at a time."""
    latents = Latents.empty(examples, draws, GRID.dimensions)
    optimum = torch.rand(BATCH, GRID.dimensions)
    estimate = optimum[:, None].expand(-1, draws, -1)
    for index in torch.arange(examples).split(BATCH):
        latents.history(index, optimum[: len(index)])
        latents.record(index, estimate[: len(index)], optimum[: len(index)], GRID)
    return latents


def kept(examples: int, draws: int) -> Diagnostics:
    """Fill the diagnostics, a batch at a time."""
    diagnostics = Diagnostics.empty(examples, draws)
    for index in torch.arange(examples).split(BATCH):
        diagnostics.write(index, Diagnostics.empty(len(index), draws))
    return diagnostics


def proposed(ids: list[str]) -> None:
    """Draw what a chain of 20 moves draws."""
    log_weight = torch.zeros(BATCH, len(GRID), dtype=torch.float64)
    for start in range(0, len(ids), BATCH):
        batch = ids[start : start + BATCH]
        random = Streams(0, 1, batch, "sample")
        random.categorical(log_weight[: len(batch)], 20)
        random.uniform(20)


def networks() -> list[list[str]]:
    """Count parameters, and multiplications and additions of one forward pass of one example."""
    rows = [["networks", "parameters", "upstream, GFLOP", "downstream, GFLOP"]]
    for network in ("paper", "compact-mobilenet", "compact"):
        work = build(network, 2, [])
        batch = work.train.batch([0])
        crop = work.pair.bridge.condition(batch, work.pair.bridge.base(batch)[:, None])
        parameters = sum(p.numel() for module in work.pair.modules.values() for p in module.parameters())
        counted = []
        with torch.inference_mode():
            for predict, inputs in ((work.pair.predict_upstream, batch), (work.pair.predict_downstream, crop.input)):
                with FlopCounterMode(display=False) as counter:
                    predict(inputs)
                counted.append(f"{counter.get_total_flops() / 1e9:.3f}")
        rows.append([network, f"{parameters:,}", *counted])
    return rows


def said(world: World, draws: int) -> list[list[str]]:
    """Time a step's sum of gradients, and the gathering of an E-step's batch; the median of nine."""
    rows = [[f"{world.size} processes", "bytes", "milliseconds"]]

    def measure(what: str, size: int, work: Callable[[], object]) -> None:
        seconds = []
        for _ in range(9):
            world.wait_for_all()
            start = time.perf_counter()
            work()
            seconds.append(time.perf_counter() - start)
        rows.append([what, f"{size:,}", milliseconds(statistics.median(seconds))])

    for network in ("paper", "compact-mobilenet", "compact"):
        modules = list(build(network, 2, []).pair.modules.values())
        for parameter in (p for module in modules for p in module.parameters()):
            parameter.grad = torch.zeros_like(parameter)
        size = 4 * sum(p.numel() for module in modules for p in module.parameters())
        measure(f"gradients of `{network}`", size, partial(world.add_gradients, modules))
    diagnostics = Diagnostics.empty(BATCH, draws)
    optimum = torch.zeros(BATCH, GRID.dimensions)
    part = [(torch.arange(BATCH), Sampled(optimum[:, None].repeat(1, draws, 1), optimum, diagnostics))]
    size = world.size * BATCH * (8 + 4 * GRID.dimensions * (draws + 1) + 8 * (draws + len(diagnostics) - 1))
    measure(f"outcome of an E-step for {world.size * BATCH} examples", size, lambda: world.gather(part))
    measure("whether anybody was asked to stop", 8, world.wait_for_all)
    return rows


def resident() -> int:
    """Return the memory that this process holds, in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    typer.run(main)
