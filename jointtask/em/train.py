"""The EM loop: warm-up, then rounds of one E-step and one M-step."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Protocol

import torch
from attrs import asdict, evolve
from cattrs import structure
from torch import Tensor

from jointtask.api.record import OWN, RoundRecord
from jointtask.em.assembly import Assembly
from jointtask.em.batches import Examples
from jointtask.em.diagnostics import summarise_estep
from jointtask.em.estep import Sampled, sample_batch
from jointtask.em.mstep import epoch_order, train_batch
from jointtask.em.predict import make_predictor
from jointtask.em.score import score, through
from jointtask.em.state import State

__all__ = ["Autosave", "train"]


class Autosave(Protocol):
    """Saves the state of a run while it is trained, and stops it when asked to."""

    def after_batch(self) -> None:
        """Save the state if it is due, and raise if the run was asked to stop: everything is then saved."""
        ...

    def stop_if_asked(self) -> None:
        """Raise if the run was asked to stop; called inside a batch, which is done again after a resume."""
        ...

    def save(self) -> None:
        """Save the state now."""
        ...


def train(
    work: Assembly, examples: Examples, state: State, autosave: Autosave, observe: Callable[[RoundRecord], None]
) -> None:
    """Train both networks, from wherever the state stands to the last round.

    Round 0 is the warm-up: epochs at no adjustment. Every later round samples the adjustment of every example with
    both networks, and trains both with what it found (Wang et al., NIPS 2014, section 3).

    Parameters
    ----------
    work : Assembly
        What was built from the run file.
    examples : Examples
        The training data with its prepared proposals.
    state : State
        Changed in place.
    autosave : Autosave
        Called after every batch and at the end of every round.
    observe : callable
        Receives the record of each finished round.
    """
    em = work.runfile.em
    while state.round <= em.rounds:
        if state.round > 0 and not state.sampled:
            expect(work, examples, state, autosave)
        while state.epochs < (em.epochs_per_round if state.round > 0 else em.warmup_epochs):
            maximise(work, examples, state, autosave)
        record = finish_round(work, state)
        autosave.save()
        observe(record)


def expect(work: Assembly, examples: Examples, state: State, autosave: Autosave) -> None:
    """Run the E-step of one round over all examples, in their order, unaugmented."""
    pair, total = work.pair, len(examples)
    pair.train(False)
    with work.context.progress.phase(f"round {state.round}: E-step", total) as bar:
        bar.advance(state.offset)
        while state.offset < total:
            rows, stop = work.world.block(state.offset, total, work.runfile.em.estep_batch)
            mine = [sample(work, examples, state, autosave, rows)] if rows else []
            with timed(state, "E-step"):
                for index, sampled in work.world.gather(mine):
                    state.latents.record(index, sampled.estimate, sampled.optimum, pair.bridge.grid)
                    state.keep(index, {**sampled.columns, "state": sampled.state}, total)
            bar.advance(stop - state.offset)
            state.offset = stop
            autosave.after_batch()
    state.estep = summarise_estep(state.columns, pair.bridge.grid)
    state.columns, state.offset, state.sampled = {}, 0, True


def sample(
    work: Assembly, examples: Examples, state: State, autosave: Autosave, rows: Sequence[int]
) -> tuple[Tensor, Sampled]:
    """Sample the adjustment of this process's next examples; return their positions and what was found."""
    with timed(state, "data"):
        batch = examples.batch(rows, prepared=True)
    with timed(state, "E-step"):
        index, ids = torch.tensor(rows), examples.ids(rows)
        base = work.pair.bridge.base(batch)
        history = state.latents.history(index, base)
        pause = autosave.stop_if_asked
        return index, sample_batch(work.pair, work.how, state.round, ids, batch, history, base, pause)


def maximise(work: Assembly, examples: Examples, state: State, autosave: Autosave) -> None:
    """Run one epoch of the M-step: every example once, augmented, in an order of the epoch's own."""
    pair, seed, total = work.pair, work.runfile.run.seed, len(examples)
    order = epoch_order(seed, state.epoch, total)
    if state.offset == 0:
        state.sums = {}
    label = f"round {state.round}: M-step" if state.round > 0 else "warm-up"
    pair.train(True)
    with work.context.progress.phase(f"{label}, epoch {state.epochs + 1}", total) as bar:
        bar.advance(state.offset)
        while state.offset < total:
            whole = order[state.offset : state.offset + work.runfile.em.batch_size]
            index, share = work.world.part(whole)
            rows = index.tolist()
            with timed(state, "data"):
                batch = examples.batch(rows)
            with timed(state, "M-step"):
                reference = _reference(pair.bridge.base(batch), index, state)
                ids = examples.ids(rows)
                step = partial(train_batch, seed=seed, epoch=state.epoch, share=share, world=work.world)
                energies = step(pair, state.optimizers, ids, batch, reference)
            state.sums = {role: state.sums.get(role, 0.0) + energy for role, energy in energies.items()}
            state.offset += len(whole)
            bar.advance(len(whole))
            autosave.after_batch()
    pair.train(False)
    state.epoch, state.epochs, state.offset = state.epoch + 1, state.epochs + 1, 0


def finish_round(work: Assembly, state: State) -> RoundRecord:
    """Score the validation data, close the round's record and step to the next round."""
    work.world.require_same(state.standing)
    total = len(work.train)
    training = {role: energy / total for role, energy in state.sums.items()}
    record = structure({"round": state.round, "training": training, **state.estep}, RoundRecord)
    wanted = work.runfile.evaluate.each_round or work.runfile.evaluate.metrics[:1]
    if work.validation is not None and wanted:
        with timed(state, "evaluation"):
            predictor = make_predictor(work.pair, work.runfile)
            scores = score(
                through(predictor),
                work.validation,
                {name: work.metrics[name] for name in wanted},
                predictor=OWN,
                data="validation",
                batch_size=work.runfile.predict.batch_size,
                progress=work.context.progress,
                world=work.world,
            )
        record = evolve(record, validation=scores.values)
    state.history.append(asdict(record))
    state.timing.extend({"round": state.round, "phase": name, "seconds": took} for name, took in state.clock.items())
    state.round += 1
    state.sampled, state.epochs, state.sums, state.estep, state.clock = False, 0, {}, {}, {}
    return record


@contextmanager
def timed(state: State, phase: str) -> Iterator[None]:
    """Add the seconds spent inside to the round's clock."""
    start = time.perf_counter()
    try:
        yield
    finally:
        state.clock[phase] = state.clock.get(phase, 0.0) + time.perf_counter() - start


def _reference(base: Tensor, index: Tensor, state: State) -> Tensor:
    """Return what to train on, (B, J, D): no adjustment in the warm-up, then the estimates."""
    if state.round == 0:
        return base[:, None]
    return state.latents.reference[index].to(base)
