"""What each speed-up buys, before and after: ``python benchmarks/options.py``.

The settings `run.precision` and `run.channels_last`, and `torch.compile`, which is no setting, are applied to the
E-step, to a step of the M-step and to inference, all in turn. A state drawn twice for one image is evaluated once: the
last table holds that against evaluating it every time, in round 1 and in later ones, which propose fewer states.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated
from unittest import mock

import torch
import typer
from measuring import build, each, estep, interleaved, machine, median, milliseconds, table
from torch import Tensor

from jointtask.em.assembly import Assembly
from jointtask.em.batches import Examples
from jointtask.em.latents import Latents
from jointtask.em.mstep import MStep, train_batch
from jointtask.em.predict import Predictor
from jointtask.em.target import NetworkTarget
from jointtask.running.assemble import assemble_optimizers

BFLOAT16, CHANNELS_LAST = "run.precision=bfloat16", "run.channels_last=true"
OPTIONS = {
    "as it is": (),
    "bfloat16": (BFLOAT16,),
    "channels_last": (CHANNELS_LAST,),
    "bfloat16, channels_last": (BFLOAT16, CHANNELS_LAST),
}
COMPILED = "torch.compile"


def main(
    network: Annotated[str, typer.Option(help="Of both tasks.")] = "compact",
    examples: Annotated[int, typer.Option(help="Images of an E-step, of a step of the M-step, and predicted.")] = 16,
    turns: Annotated[int, typer.Option(help="Medians are over so many turns.")] = 7,
    compiled: Annotated[bool, typer.Option("--compile", help="torch.compile too; compiling takes minutes.")] = False,
    override: Annotated[list[str] | None, typer.Option("--set", help="As in `jointtask run`.")] = None,
) -> None:
    settings = override or []
    works = {name: build(network, examples, [*settings, *more]) for name, more in OPTIONS.items()}
    if compiled:
        works[COMPILED] = build(network, examples, settings)
        for module in works[COMPILED].pair.modules.values():
            module.compile()
    cases = {(name, part): run for name, work in works.items() for part, run in parts(work, examples).items()}
    print(f"Options of the `{network}` networks. {machine()}")
    print(f"{examples} images; medians of {turns} turns\n")
    times = interleaved(cases, turns)
    columns = list(dict.fromkeys(part for _, part in cases))
    rows = []
    for name in works:
        cells = []
        for part in columns:
            ratio = median(each(lambda after, before: after / before, times[name, part], times["as it is", part])).cpu
            cells.append(f"{milliseconds(median(times[name, part]).cpu / examples)} ({ratio:.2f})")
        rows.append((name, *cells))
    print(table(("processor, ms an image", *columns), rows))
    repeated(works["as it is"], examples, turns)


def parts(work: Assembly, examples: int) -> dict[str, Callable[[], object]]:
    """Return the E-step, a step of the M-step, and inference of all images."""
    pair = work.pair
    batch = Examples(work.train, {}, work.runfile, work.context).batch(range(examples))
    mstep = MStep(assemble_optimizers(work))
    reference = pair.bridge.base(batch.tensors)[:, None]
    predictor, frames = Predictor(pair), {"image": batch.tensors["image"]}
    photographs = [work.train.example(row) for row in range(examples)]

    def step() -> None:
        pair.train(True)
        train_batch(pair, mstep, 0, batch, reference)

    def one_by_one() -> None:
        for row, photograph in enumerate(photographs):
            predictor.predict_batch({"image": frames["image"][row : row + 1]}, [photograph])

    return {
        "E-step": estep(work, range(examples), examples),
        "M-step": step,
        "inference, one by one": one_by_one,
        "inference, together": lambda: predictor.predict_batch(frames, photographs),
    }


class EveryProposal(NetworkTarget):
    """Evaluates every state of its first request, however often an example asks for it."""

    def energy(self, index: Tensor) -> Tensor:
        """Return energies as `NetworkTarget` does."""
        if not self.evaluated.any():
            example = torch.arange(len(index)).repeat_interleave(index.shape[1])
            size = self._pair.downstream_batch
            with torch.inference_mode():
                for chunk in zip(example.split(size), index.flatten().split(size), strict=True):
                    self.downstream[chunk] = self._downstream_energy(*chunk)
        return super().energy(index)


def repeated(work: Assembly, examples: int, turns: int) -> None:
    """Print what the E-step takes in rounds 1, 3 and 5, with states evaluated once and every time."""
    rows = []
    for done in (0, 2, 4):
        latents = Latents.empty(examples, work.estep.draws, work.pair.bridge.grid.dimensions)
        for number in range(1, done + 1):
            estep(work, range(examples), examples, latents, number, record=True)()
        once = estep(work, range(examples), examples, latents, done + 1)

        def always(once: Callable[[], float] = once) -> None:
            with mock.patch("jointtask.em.estep.NetworkTarget", EveryProposal):
                once()

        times = interleaved({"always": always, "once": once}, turns)
        ratio = median(each(lambda after, before: after / before, times["once"], times["always"])).cpu
        before, after = (milliseconds(median(times[name]).cpu / examples) for name in ("always", "once"))
        rows.append((str(done + 1), f"{once():.2f}", before, f"{after} ({ratio:.2f})"))
    print(table(("round", "distinct states an image", "every proposal, ms", "each state once, ms"), rows))


if __name__ == "__main__":
    typer.run(main)
