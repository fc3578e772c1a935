"""How E-step time grows with images, moves K, states N and both batch sizes: ``python benchmarks/growth.py``.

One setting grows at a time; the others are those of the example run. All values of a setting run in turn, so that what
a ratio compares lies within seconds of each other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Annotated

import typer
from attrs import evolve
from measuring import build, each, estep, interleaved, machine, median, milliseconds, table

from jointtask.em.samplers import metropolis_hastings

LEVELS = {81: "[-10, 0, 10]", 625: "[-10, -5, 0, 5, 10]", 2401: "[-15, -10, -5, 0, 5, 10, 15]"}

Cases = Mapping[int, tuple[Callable[[], float], int]]
"""For each value of a setting, the E-step and the number of its images."""


def main(
    network: Annotated[str, typer.Option(help="Of both tasks.")] = "compact",
    examples: Annotated[int, typer.Option(help="Images, sampled together unless it says otherwise.")] = 64,
    turns: Annotated[int, typer.Option(help="Medians are over so many turns.")] = 7,
    only: Annotated[list[str] | None, typer.Option(help="A setting's name, as in the tables; all.")] = None,
    override: Annotated[list[str] | None, typer.Option("--set", help="As in `jointtask run`.")] = None,
) -> None:
    settings = override or []
    work = build(network, 4 * examples, settings)
    images = range(examples)

    def moves(count: int) -> Callable[[], float]:
        chain = evolve(work.estep, sampler=partial(metropolis_hastings.sample, moves=count))
        return estep(evolve(work, estep=chain), images, examples)

    def states(levels: str) -> Callable[[], float]:
        return estep(build(network, examples, [f"bridge.levels={levels}", *settings]), images, examples)

    def downstream_batch(size: int) -> Callable[[], float]:
        return estep(evolve(work, pair=evolve(work.pair, downstream_batch=size)), images, examples)

    sizes = sorted({max(1, examples // part) for part in (64, 16, 4, 2, 1)})
    counts = (examples // 2, examples, 2 * examples, 4 * examples)
    cases: dict[str, Callable[[], Cases]] = {
        "images": lambda: {count: (estep(work, range(count), examples), count) for count in counts},
        "moves, K": lambda: {count: (moves(count), examples) for count in (5, 10, 20, 40, 80)},
        "states, N": lambda: {count: (states(levels), examples) for count, levels in LEVELS.items()},
        "em.estep_batch": lambda: {size: (estep(work, images, size), examples) for size in sizes},
        "em.downstream_batch": lambda: {4**p: (downstream_batch(4**p), examples) for p in range(6)},
    }
    print(f"E-step of the `{network}` networks. {machine()}")
    print(f"{examples} images; medians of {turns} turns; a ratio is to the first row, image by image\n")
    for setting in only or cases:
        grown(setting, cases[setting](), turns)


def grown(setting: str, cases: Cases, turns: int) -> None:
    """Print a row for each value of a setting."""
    times = interleaved({value: run for value, (run, _) in cases.items()}, turns)
    spent = {v: each(lambda s, images=images: s / images, times[v]) for v, (_, images) in cases.items()}
    first = next(iter(spent.values()))
    rows = []
    for value, (run, _) in cases.items():
        ratio = median(each(lambda image, least: image / least, spent[value], first)).cpu
        rows.append((f"{value:,}", milliseconds(median(spent[value]).cpu), f"{ratio:.3f}", f"{run():.2f}"))
    print(table((setting, "processor, ms an image", "ratio", "distinct states an image"), rows))


if __name__ == "__main__":
    typer.run(main)
