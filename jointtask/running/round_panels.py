"""Panels of a few training examples after each round, to see a training go wrong: files, and part of the page."""

from __future__ import annotations

from pathlib import Path

from jointtask.api.panel import Panel
from jointtask.em.assembly import Assembly
from jointtask.em.batches import Examples
from jointtask.em.kept import weights_in_use
from jointtask.em.predict import make_predictor
from jointtask.em.state import State
from jointtask.report.panels import draw_fixed
from jointtask.running.directory import panel_files
from jointtask.tools.files import write_atomic

__all__ = ["draw_round", "round_panels"]

_SHOWN = 8
"""Rounds on the page, at most; the folder has all."""


def draw_round(folder: Path, assembly: Assembly, examples: Examples, state: State, number: int) -> None:
    """Draw the panels of a finished round into a folder, and show them to the observers.

    Parameters
    ----------
    folder : pathlib.Path
        The folder ``panels`` of the run directory.
    assembly : Assembly
        The run; `run.panels_each_round` says how many examples are drawn.
    examples : Examples
        The training data.
    state : State
        The state after the round; it is left as it is.
    number : int
        Number of the round, 0 for the warm-up.
    """
    count = assembly.runfile.run.panels_each_round
    if not count or not assembly.world.leader:
        return
    with weights_in_use(assembly.pair, state.average):
        predictor = make_predictor(assembly.pair, assembly.runfile)
        panels = draw_fixed(assembly, predictor, examples, state.latents, count)
    if panels:
        folder.mkdir(exist_ok=True)
        assembly.observers.tell("panels_drawn", panels)
    for place, panel in enumerate(panels, 1):
        write_atomic(folder / f"round-{number:04d}-{place}.png", panel.png)


def round_panels(folder: Path) -> list[Panel]:
    """Return the panels of rounds for the page: of the first round, the last, and some between, evenly spaced."""
    by_round: dict[int, list[Path]] = {}
    for path in panel_files(folder):
        by_round.setdefault(int(path.name.split("-")[1]), []).append(path)
    rounds = sorted(by_round)
    last = len(rounds) - 1
    shown = rounds if len(rounds) <= _SHOWN else [rounds[k * last // (_SHOWN - 1)] for k in range(_SHOWN)]
    return [
        Panel(
            f"After round {number}" if number else "After the warm-up",
            "The same training examples after each round (run.panels_each_round).",
            path.read_bytes(),
        )
        for number in shown
        for path in by_round[number]
    ]
