"""What the E-step costs beside the forward passes that it cannot do without: ``python benchmarks/estep.py``.

With u the time of one upstream forward pass, c that of one crop in a full batch of the downstream network, and d the
distinct states that an image's E-step evaluates, it cannot take less than ``u + d c``. With ``--set run.device=cuda``
it is the wall-clock column that counts.
"""

from __future__ import annotations

from typing import Annotated

import torch
import typer
from attrs import evolve
from measuring import Stopwatch, build, each, estep, interleaved, machine, median, milliseconds, table, took
from torch import Tensor

from jointtask.api.task import Batch
from jointtask.em.estep import EStep
from jointtask.em.pair import Pair
from jointtask.em.samplers import exhaustive


def main(
    network: Annotated[str, typer.Option(help="Of both tasks.")] = "compact",
    examples: Annotated[int, typer.Option(help="Sampled together.")] = 64,
    batch: Annotated[int, typer.Option(help="Crops in a full batch.")] = 256,
    turns: Annotated[int, typer.Option(help="Medians are over so many turns.")] = 9,
    enumerated: Annotated[int, typer.Option(help="Examples whose 625 states are all evaluated, once each.")] = 4,
    override: Annotated[list[str] | None, typer.Option("--set", help="As in `jointtask run`.")] = None,
) -> None:
    work = build(network, examples, [f"em.downstream_batch={batch}", *(override or [])])
    stopwatch = Stopwatch()
    pair, sampling = watched(work.pair, work.estep, stopwatch)
    sample = estep(evolve(work, pair=pair, estep=sampling), range(examples), examples)
    oracle = evolve(work, estep=evolve(work.estep, sampler=exhaustive.sample, terms={}))
    frames = {name: tensor.to(work.pair.device) for name, tensor in work.train.batch(range(examples)).items()}
    crops = full_batch(work.pair, frames, batch)
    cases = {
        "u": lambda: work.pair.predict_upstream(frames),
        "c": lambda: work.pair.predict_downstream(crops),
        "E-step": stopwatch.timed("all", sample),
    }
    with torch.inference_mode():
        times = interleaved(cases, turns)
        parts = breakdown(stopwatch, (turns + 1) * examples)
        d = sample()
        all_states = [took(estep(oracle, [row], 1)) for row in range(enumerated)]

    u = each(lambda seconds: seconds / examples, times["u"])
    c = each(lambda seconds: seconds / batch, times["c"])
    whole = each(lambda seconds: seconds / examples, times["E-step"])
    bare = each(lambda u, c: u + d * c, u, c)
    ratio = median(each(lambda whole, bare: whole / bare, whole, bare))
    crops_a_second = {"bare downstream network": 1 / median(c).cpu, "E-step": d / median(whole).cpu}
    print(f"E-step of the `{network}` networks. {machine()}")
    print(f"{examples} examples; {batch} crops in a full batch; medians of {turns} turns\n")
    rows = {
        "u, an upstream forward pass": median(u),
        "c, a crop's downstream forward pass": median(c),
        f"u + d c, d = {d:.2f}": median(bare),
        "E-step": median(whole),
    }
    lines = [(name, milliseconds(spent.cpu), milliseconds(spent.wall)) for name, spent in rows.items()]
    lines.append(("E-step / (u + d c)", f"**{ratio.cpu:.3f}**", f"{ratio.wall:.3f}"))
    print(table(("an image", "processor, ms", "wall, ms"), lines))

    print(table(("crops a second", "of the processor"), ((name, f"{n:.0f}") for name, n in crops_a_second.items())))

    shares = ((name, milliseconds(spent), f"{spent / sum(parts.values()):.1%}") for name, spent in parts.items())
    print(table(("part of the E-step", "processor, ms", "share"), shares))

    if enumerated:
        states = len(work.pair.bridge.grid)
        measured = median(whole).cpu / median(all_states).cpu
        counted = median(bare).cpu / (median(u).cpu + states * median(c).cpu)
        columns = (work.runfile.sampler.name, "exhaustive", "ratio", f"(u + d c) / (u + {states} c)")
        spent = [milliseconds(median(series).cpu) for series in (whole, all_states)]
        print(table(columns, [(*spent, f"{measured:.4f}", f"{counted:.4f}")]))


def watched(pair: Pair, sampling: EStep, stopwatch: Stopwatch) -> tuple[Pair, EStep]:
    """Return the same, with a stopwatch on every part."""
    pair = evolve(
        pair,
        upstream=stopwatch.watch(pair.upstream, __call__="upstream network", energy="energy"),
        downstream=stopwatch.watch(pair.downstream, __call__="downstream network", energy="energy"),
        bridge=stopwatch.watch(pair.bridge, condition="crop"),
    )
    terms = {name: stopwatch.watch(term, log_weight=f"proposal: {name}") for name, term in sampling.terms.items()}
    return pair, evolve(sampling, terms=terms)


def full_batch(pair: Pair, frames: Batch, size: int) -> Tensor:
    """Return downstream inputs as the E-step has them."""
    centre = pair.bridge.base(frames)
    states = pair.bridge.grid.states.to(centre)
    chosen = states[torch.linspace(0, len(states) - 1, -(-size // len(centre))).long()]
    inputs: Tensor = pair.bridge.condition(frames, pair.bridge.reference(centre, chosen)).input
    return inputs[:size].clone()


def breakdown(stopwatch: Stopwatch, images: int) -> dict[str, float]:
    """Return the seconds an image of every part, the largest first, and what is left of the whole."""
    parts = {name: seconds / images for name, seconds in stopwatch.seconds.items()}
    parts["sampling and all else"] = parts.pop("all") - sum(parts.values())
    return dict(sorted(parts.items(), key=lambda part: -part[1]))


if __name__ == "__main__":
    typer.run(main)
