"""What proposals find at equal cost: ``python benchmarks/proposals.py RUN [RUN ...]``.

With the networks of trained runs, every state of some training examples is evaluated once; each way of sampling is then
held against that table. Each may evaluate as many states of an example downstream as the run's own sampler does, on
average: the number of moves is chosen for that, so a proposal that comes to the same states again may make more. Rows
are means over examples, repetitions and runs.

- regret: energy of the best state visited, the start included, above the lowest of the grid, in nats
- mass: posterior probability of the states visited
- accepted: share of the moves
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from attrs import evolve
from measuring import machine, table
from torch import Tensor

from jointtask.api.proposal import ProposalTerm
from jointtask.api.randomness import Streams
from jointtask.api.sampler import Draws, Sampler
from jointtask.em.assembly import Assembly, chosen
from jointtask.em.batches import Examples
from jointtask.em.diagnostics import oracle, visited
from jointtask.em.estep import sample_batch
from jointtask.em.latents import Latents
from jointtask.em.proposals.upstream import UpstreamTerm
from jointtask.em.samplers import gibbs, metropolis_hastings, none
from jointtask.registry.registry import load_registry
from jointtask.runfile.load import load
from jointtask.running.assemble import assemble
from jointtask.running.directory import RunDirectory
from jointtask.running.weights import load_pair
from jointtask.testing import TabulatedTarget
from jointtask.tools.progress import SilentProgress

BATCH = 16
MOST_MOVES = 1024
SPREADS = (1, 10, 20, 40)


class Way(NamedTuple):
    """A way of sampling: its proposal terms, and a sampler that takes a number of moves or sweeps; 0 is all states."""

    terms: dict[str, ProposalTerm]
    sampler: Any


class Found(NamedTuple):
    """Means over examples and repetitions."""

    moves: float
    evaluated: float
    accepted: float
    regret: float
    mass: float


class Tables(NamedTuple):
    """Energies (B, N) of the chosen examples, and the log proposal (B, N) of each way."""

    energy: Tensor
    log_proposal: dict[str, Tensor]
    ids: Sequence[str]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path, help="finished run directories, alike but for their seed")
    parser.add_argument("--examples", type=int, default=64, help="chosen by a hash of their ids")
    parser.add_argument("--round", type=int, default=1, help="E-step measured; before it, the same networks' own")
    parser.add_argument("--repetitions", type=int, default=8, help="chains of each example")
    parser.add_argument("--moves", type=int, default=0, help="of the run's own sampler; 0: as it has")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="as in jointtask run")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    found: dict[str, list[Found]] = {}
    for run in arguments.runs:
        work = trained_assembly(run, arguments.set)
        moves = arguments.moves or work.runfile.sampler.settings.moves
        tables = tabulate(work, arguments.examples, arguments.round)
        budget = measure(work, tables, "own proposal", moves, arguments.repetitions).evaluated
        for name in ways(work):
            found.setdefault(name, []).append(fitting(work, tables, name, budget, arguments.repetitions))
    print(f"{', '.join(map(str, arguments.runs))}. {machine()}")
    print(f"{arguments.examples} training examples, {len(work.pair.bridge.grid)} states, round {arguments.round}\n")
    rows = []
    for name, each in found.items():
        mean = Found(*np.mean(each, axis=0))
        accepted = "" if np.isnan(mean.accepted) else f"{mean.accepted:.0%}"
        rows.append(
            (name, f"{mean.moves:.0f}", f"{mean.evaluated:.1f}", accepted, f"{mean.regret:.2f}", f"{mean.mass:.1%}")
        )
    print(table(("sampler and proposal", "moves", "evaluated", "accepted", "regret, nats", "mass"), rows))


def trained_assembly(run: Path, overrides: Sequence[str]) -> Assembly:
    """Build what a run directory was made from, with its trained weights."""
    directory, registry = RunDirectory(run), load_registry()
    runfile = load(directory.config, ["run.device=cpu", *overrides], registry)
    work = assemble(runfile, registry, SilentProgress())
    load_pair(work.pair, directory.read_model(), run, "measure with the version that trained it")
    return work


def ways(work: Assembly) -> dict[str, Way]:
    """Return what is measured."""
    chain = lambda moves: partial(metropolis_hastings.sample, moves=moves)  # noqa: E731
    own = dict(work.estep.terms)
    upstream = {f"upstream, spread {n}": {"upstream": UpstreamTerm(n)} for n in SPREADS}
    mixed = {f"own proposal and upstream, spread {n}": own | {"upstream": UpstreamTerm(n)} for n in SPREADS}
    proposals = {"own proposal": own, "uniform": {}} | upstream | mixed
    gibbs_of = lambda sweeps: partial(gibbs.sample, sweeps=sweeps)  # noqa: E731
    found = {name: Way(terms, chain) for name, terms in proposals.items()}
    return found | {"gibbs": Way({}, gibbs_of), "start alone": Way({}, lambda moves: none.sample)}


def tabulate(work: Assembly, count: int, round: int) -> Tables:
    """Evaluate all states of some training examples, and tabulate the proposals of every way in a round."""
    ids = chosen(work.train.ids, count)
    rows = [work.train.ids.index(name) for name in ids]
    log_q: dict[str, list[Tensor]] = {}
    energy: list[Tensor] = []
    examples = Examples(work.train, work.estep.terms, work.runfile, work.context)
    for some in batches(rows):
        for name, way in ways(work).items():
            log_q.setdefault(name, []).append(proposal(work, examples, way, some, round))
        energy.append(posed(work, examples, some, everything).energy)
    return Tables(torch.cat(energy), {name: torch.cat(parts) for name, parts in log_q.items()}, ids)


def proposal(work: Assembly, examples: Examples, way: Way, rows: Sequence[int], round: int) -> Tensor:
    """Return the log proposal (B, N) of a round, after E-steps of the same kind in the rounds before."""
    work = evolve(work, estep=evolve(work.estep, terms=way.terms))
    latents = Latents.empty(len(work.train), 1, work.pair.bridge.grid.dimensions)
    for before in range(1, round):
        posed(work, examples, rows, partial(metropolis_hastings.sample, moves=20), latents, before)
    return posed(work, examples, rows, none.sample, latents, round).log_proposal


class Posed(NamedTuple):
    """What a sampler was told, and the energies of its draws."""

    energy: Tensor
    log_proposal: Tensor


def posed(
    work: Assembly,
    examples: Examples,
    rows: Sequence[int],
    sampler: Sampler,
    latents: Latents | None = None,
    round: int = 1,
) -> Posed:
    """Sample some examples as the E-step does; return what the sampler was told, and what it found out."""
    known = latents or Latents.empty(len(work.train), 1, work.pair.bridge.grid.dimensions)
    told: list[Posed] = []

    def spy(target: Any, random: Streams) -> Draws:
        draws = sampler(target, random)
        told.append(Posed(draws.energy, target.log_proposal))
        return draws

    batch = examples.batch(rows, prepared=True)
    estep = evolve(work.estep, sampler=spy, estimate="best", draws=1, oracle_ids=frozenset(), temperatures=(1,))
    sampled = sample_batch(work.pair, estep, round, batch, known)
    known.record(batch.positions, sampled.estimate, sampled.optimum, work.pair.bridge.grid)
    return told[0]


def everything(target: Any, random: Streams) -> Draws:
    """Enumerate the grid."""
    index = torch.arange(len(target.grid)).expand(len(target.start), -1)
    energy = target.energy(index)
    return Draws(index, energy, -energy)


def batches(rows: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(rows), BATCH):
        yield rows[start : start + BATCH]


def fitting(work: Assembly, tables: Tables, name: str, budget: float, repetitions: int) -> Found:
    """Return what is found with the most moves whose states evaluated do not exceed the budget by half a state."""
    low, high = 1, 2
    while high < MOST_MOVES and measure(work, tables, name, high, 1).evaluated <= budget + 0.5:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        if measure(work, tables, name, middle, 1).evaluated <= budget + 0.5:
            low = middle
        else:
            high = middle
    return measure(work, tables, name, low, repetitions)


def measure(work: Assembly, tables: Tables, name: str, moves: int, repetitions: int) -> Found:
    """Sample on the tables."""
    grid = work.pair.bridge.grid
    rows = []
    for repetition in range(repetitions):
        target = TabulatedTarget(grid, tables.energy, tables.log_proposal[name])
        draws = ways(work)[name].sampler(moves)(target, Streams(repetition, 1, tables.ids, "proposals"))
        states = torch.cat([target.start[:, None], draws.index], dim=1)
        best = tables.energy.gather(1, states).amin(dim=1)
        regret, mass = oracle(tables.energy, best, visited(states, len(grid)))
        accepted = torch.nan if draws.accepted is None else float(draws.accepted.double().mean())
        evaluated = (target.evaluated & torch.isfinite(tables.energy)).sum(dim=1).double()
        rows.append(Found(moves, float(evaluated.mean()), accepted, float(regret.mean()), float(mass.mean())))
    return Found(*np.mean(rows, axis=0))


if __name__ == "__main__":
    main()
