"""What inference costs beside its two bare forward passes, one image at a time: ``python benchmarks/inference.py``.

Inference is `Predictor.predict` on one image: from its frame to the extraction at the image's own size. Decoding the
file and squashing the image to the frame come before, and are not in it.
"""

from __future__ import annotations

from typing import Annotated

import torch
import typer
from attrs import evolve
from measuring import Stopwatch, build, each, interleaved, machine, median, milliseconds, table

from jointtask.predict import Predictor


def main(
    network: Annotated[str, typer.Option(help="Of both tasks.")] = "compact",
    examples: Annotated[int, typer.Option(help="Different images.")] = 16,
    turns: Annotated[int, typer.Option(help="Medians are over so many turns, each through all images.")] = 15,
    override: Annotated[list[str] | None, typer.Option("--set", help="As in `jointtask run`.")] = None,
) -> None:
    work = build(network, examples, override or [])
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
            predictor.predict(frame, [photograph])

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


if __name__ == "__main__":
    typer.run(main)
