"""What the arms of a comparison cost beside each other: ``python benchmarks/arms.py FILE [--arm NAME ...]``.

Processor seconds, which other programs on the machine disturb less than the clock on the wall: an epoch and an E-step
of each arm, in turn, on a few examples, times the epochs, the rounds and the examples of the run file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, NamedTuple

import torch
import typer
from measuring import estep, interleaved, machine, median, milliseconds, table

from jointtask.cli.memory import keep_freed_memory
from jointtask.compare.arms import plan
from jointtask.em.assembly import Assembly
from jointtask.em.mstep import train_batch
from jointtask.em.optimizer import TaskOptimizer
from jointtask.registry.registry import load_registry
from jointtask.running.assemble import assemble, assemble_optimizers
from jointtask.tools.progress import SilentProgress


class Part(NamedTuple):
    """What is timed: a phase of an arm."""

    arm: str
    phase: str


def main(
    file: Annotated[Path, typer.Argument(help="Run file with [compare.arms].")],
    arm: Annotated[list[str] | None, typer.Option(help="Of these arms; all by default.")] = None,
    examples: Annotated[int, typer.Option(help="That are timed.")] = 64,
    turns: Annotated[int, typer.Option(help="Medians are over so many turns.")] = 7,
) -> None:
    torch.set_num_threads(1)
    keep_freed_memory()  # as the command line does
    registry = load_registry()
    arms = {each.name: each.runfile for each in plan(file, registry).arms if not arm or each.name in arm}
    works = {name: assemble(runfile, registry, SilentProgress()) for name, runfile in arms.items()}
    cases = {}
    for name, work in works.items():
        optimizers = assemble_optimizers(work)
        cases[Part(name, "M-step")] = lambda work=work, optimizers=optimizers: epoch(work, optimizers, examples)
        cases[Part(name, "E-step")] = estep(work, range(examples), arms[name].em.estep_batch)
    times = {part: median(taken).cpu / examples for part, taken in interleaved(cases, turns).items()}
    rows = []
    for name, work in works.items():
        em, modules = arms[name].em, work.pair.modules.values()
        epochs = em.warmup_epochs + em.rounds * em.epochs_per_round
        m, e = times[Part(name, "M-step")], times[Part(name, "E-step")]
        whole = [parameter for module in modules for parameter in module.parameters()]
        learned = [parameter for parameter in whole if parameter.requires_grad]
        seconds = f"{len(work.train) * (epochs * m + em.rounds * e):.0f}"
        counts = (f"{sum(p.numel() for p in those):,}" for those in (whole, learned))
        rows.append((name, milliseconds(m), str(epochs), milliseconds(e), str(em.rounds), seconds, *counts))
    print(f"{file}. {machine()}\n")
    columns = (
        "arm",
        "M-step, ms an example",
        "epochs",
        "E-step, ms",
        "rounds",
        "seconds, in all",
        "parameters",
        "learn",
    )
    print(table(columns, rows))


def epoch(work: Assembly, optimizers: dict[str, TaskOptimizer], examples: int) -> None:
    """Train on some examples, in batches as the run file has them."""
    pair, size = work.pair, work.runfile.em.batch_size
    pair.train(True)
    for start in range(0, examples, size):
        rows = list(range(start, min(start + size, examples)))
        batch = {name: tensor.to(pair.device) for name, tensor in work.train.batch(rows).items()}
        ids = [work.train.ids[row] for row in rows]
        train_batch(pair, optimizers, ids, batch, pair.bridge.base(batch)[:, None], seed=0, epoch=0)


if __name__ == "__main__":
    typer.run(main)
