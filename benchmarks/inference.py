"""What inference costs beside its two bare forward passes, and images a second: ``python benchmarks/inference.py``.

Inference is `Predictor.predict`: from frames to the extractions at the images' own sizes. Decoding files and squashing
images to the frame come before, and are not in it. Images go through one at a time, then several together.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Annotated

import torch
import typer
from attrs import evolve
from measuring import Stopwatch, build, each, interleaved, machine, median, milliseconds, table

from jointtask.em.assembly import Assembly
from jointtask.em.predict import Predictor


def main(
    network: Annotated[str, typer.Option(help="Of both tasks.")] = "compact",
    examples: Annotated[int, typer.Option(help="Different images.")] = 16,
    turns: Annotated[int, typer.Option(help="Medians are over so many turns, each through all images.")] = 15,
    batches: Annotated[list[int], typer.Option("--batch", help="Predicted together.")] = [1, 16, 32],  # noqa: B006  # never changed
    override: Annotated[list[str] | None, typer.Option("--set", help="As in `jointtask run`.")] = None,
) -> None:
    work = build(network, max(examples, *batches), override or [])
    stopwatch = Stopwatch()
    bridge = stopwatch.watch(work.pair.bridge, admit="box", condition="crop", restore="paste", finish="own size")
    predictor = Predictor(evolve(work.pair, bridge=bridge))
    frames = [{"image": work.train.batch([row])["image"]} for row in range(examples)]
    photographs = [work.train.example(row) for row in range(examples)]
    crops = torch.rand(examples, 1, 3, work.pair.downstream.input_size, work.pair.downstream.input_size)

    @torch.inference_mode()
    def bare() -> None:
        for frame, crop in zip(frames, crops, strict=True):
            work.pair.predict_upstream(frame)
            work.pair.predict_downstream(crop)

    def predict() -> None:
        for frame, photograph in zip(frames, photographs, strict=True):
            predictor.predict_batch(frame, [photograph])

    times = interleaved({"bare": bare, "predict": predict}, turns)
    ratio = median(each(lambda predict, bare: predict / bare, times["predict"], times["bare"]))
    print(f"Inference of the `{network}` networks. {machine()}")
    print(f"{examples} images of {photographs[0].image.shape[:2]} pixels, one at a time; medians of {turns} turns\n")
    rows = {"two bare forward passes": times["bare"], "inference": times["predict"]}
    lines = [(name, *(milliseconds(s / examples) for s in median(spent))) for name, spent in rows.items()]
    lines.append(("inference / bare", f"**{ratio.cpu:.3f}**", f"{ratio.wall:.3f}"))
    print(table(("an image", "processor, ms", "wall, ms"), lines))
    parts = ((part, milliseconds(spent / examples / (turns + 1))) for part, spent in stopwatch.seconds.items())
    print(table(("part of inference", "processor, ms"), parts))
    bulk(work, examples, batches, turns)


def bulk(work: Assembly, examples: int, batches: Sequence[int], turns: int) -> None:
    """Print how many images a second are predicted, by number of images predicted together."""
    predictors = {
        "as in the paper": Predictor(work.pair),
        "predict.relocations = 1": Predictor(work.pair, relocations=1),
        "predict.draws = 8": Predictor(work.pair, draws=8),
    }
    count = max(examples, *batches)
    images, photographs = work.train.batch(range(count))["image"], [work.train.example(row) for row in range(count)]

    def predict(predictor: Predictor, batch: int) -> None:
        for start in range(0, count, batch):
            some = slice(start, start + batch)
            predictor.predict_batch({"image": images[some]}, photographs[some])

    cases = {(n, batch): partial(predict, predictor, batch) for n, predictor in predictors.items() for batch in batches}
    rate = {case: count / median(times).cpu for case, times in interleaved(cases, turns).items()}
    rows = ((name, *(f"{rate[name, batch]:.1f}" for batch in batches)) for name in predictors)
    print(table(("images a second of the processor", *(f"{batch} together" for batch in batches)), rows))


if __name__ == "__main__":
    typer.run(main)
