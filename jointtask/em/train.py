"""The EM loop: warm-up, then rounds of one E-step and one M-step."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Protocol

from attrs import evolve
from torch import Tensor

from jointtask.api.observer import StepRecord
from jointtask.api.record import OWN, RoundRecord
from jointtask.em.assembly import Assembly, chosen
from jointtask.em.batches import Examples
from jointtask.em.diagnostics import Diagnostics, round_record
from jointtask.em.estep import EStep, Sampled, require_usable, sample_batch
from jointtask.em.kept import note_best, over, update_average, weights_in_use
from jointtask.em.mstep import MStep, Step, epoch_order, train_batch
from jointtask.em.pair import Pair
from jointtask.em.part import Part
from jointtask.em.predict import make_predictor
from jointtask.em.score import score, through
from jointtask.em.state import State

__all__ = ["Autosave", "train"]


class Autosave(Protocol):
    """Saves the state of a run while it is trained, and stops it when asked to."""

    def after_batch(self) -> None:
        """Save the state if it is due; raise, with everything saved, if the run was asked to stop."""
        ...

    def stop_if_asked(self) -> None:
        """Raise if the run was asked to stop; called inside a batch, which is done again after a resume."""
        ...

    def save(self) -> None:
        """Save the state now."""
        ...


def train(
    assembly: Assembly,
    examples: Examples,
    state: State,
    autosave: Autosave,
    observe: Callable[[RoundRecord], None],
    show: Callable[[RoundRecord], None] = lambda record: None,
) -> None:
    """Train both networks, from the round that the state is in to the last.

    Round 0 is the warm-up: epochs at no adjustment. Every later round samples the adjustment of every example with
    both networks, and trains both on the estimates (Wang et al., NIPS 2014, section 3); with `em.part` below 1, that of
    the examples of its part.

    Parameters
    ----------
    assembly : Assembly
        The networks, the sampler, the data and the settings.
    examples : Examples
        The training data with its prepared proposals.
    state : State
        The state of the run; changed in place.
    autosave : Autosave
        Saver that is called after every batch and at the end of every round.
    observe : callable
        Receives the record of each finished round.
    show : callable, optional
        Receives it too, before the state is saved: what it makes is there for every round that is saved.
    """
    em = assembly.runfile.em
    while not over(assembly, state):
        part = assembly.parts.of_round(state.round)
        if state.round > 0 and not state.sampled:
            expect(assembly, examples, state, autosave, part)
        while state.epochs < (em.epochs_per_round if state.round > 0 else em.warmup_epochs):
            maximise(assembly, examples, state, autosave, part)
        record = finish_round(assembly, state, len(part))
        show(record)
        autosave.save()
        observe(record)
        assembly.observers.tell("round_finished", record)


def expect(assembly: Assembly, examples: Examples, state: State, autosave: Autosave, part: Part) -> None:
    """Run the E-step of one round over its examples, in their order, unaugmented."""
    pair, world, total = assembly.pair, assembly.world, len(part)
    estep = evolve(assembly.estep, interrupt=autosave.stop_if_asked, oracle_ids=enumerated(assembly, part))
    pair.train(False)
    if state.diagnostics is None:
        state.diagnostics = Diagnostics.empty(total, assembly.estep.draws)
    with assembly.context.progress.phase(f"round {state.round}: E-step", total) as bar:
        bar.advance(state.offset)
        while state.offset < total:
            rows, stop = world.next_positions(state.offset, total, assembly.runfile.em.estep_batch)
            positions = part.positions[rows.start : rows.stop].tolist()
            own = [sample(pair, estep, examples, state, positions)] if positions else []
            with timed(state, "E-step"):
                for index, sampled in world.gather(own):
                    state.latents.record(index, sampled.estimate, sampled.optimum, pair.bridge.grid)
                    state.diagnostics.write(part.rows(index), sampled.diagnostics)
            bar.advance(stop - state.offset)
            state.offset = stop
            autosave.after_batch()
    state.record = round_record(state.round, state.diagnostics, pair.bridge.grid)
    state.diagnostics, state.offset, state.sampled = None, 0, True


def sample(
    pair: Pair, estep: EStep, examples: Examples, state: State, positions: Sequence[int]
) -> tuple[Tensor, Sampled]:
    """Sample the adjustment of this process's next examples; return their positions with the outcome."""
    with timed(state, "data"):
        batch = examples.batch(positions, prepared=True)
    with timed(state, "E-step"):
        return batch.positions, sample_batch(pair, estep, state.round, batch, state.latents)


def enumerated(assembly: Assembly, part: Part) -> frozenset[str]:
    """Return the ids of the examples of a round that are compared with exhaustive enumeration."""
    everywhere = assembly.estep.oracle_ids
    if part.whole or not everywhere:
        return everywhere
    return frozenset(chosen((assembly.train.ids[row] for row in part.positions.tolist()), len(everywhere)))


def maximise(assembly: Assembly, examples: Examples, state: State, autosave: Autosave, part: Part) -> None:
    """Run one epoch of the M-step over the round's examples, augmented.

    Each example comes once, in an order that depends on the seed and the number of the epoch alone.
    """
    pair, runfile, total = assembly.pair, assembly.runfile, len(part)
    order = part.positions[epoch_order(runfile.run.seed, state.epoch, total)]
    mstep = MStep(state.optimizers, runfile.run.seed, assembly.world, runfile.em.microbatch, state.scale)
    if state.offset == 0:
        state.sums = {}
    label = f"round {state.round}: M-step" if state.round > 0 else "warm-up"
    pair.train(True)
    with assembly.context.progress.phase(f"{label}, epoch {state.epochs + 1}", total) as bar:
        bar.advance(state.offset)
        while state.offset < total:
            whole = order[state.offset : state.offset + runfile.em.batch_size]
            own, share = assembly.world.own_part(whole)
            with timed(state, "data"):
                batch = examples.batch(own.tolist(), share=share)
            with timed(state, "M-step"):
                base = pair.bridge.base(batch.tensors)
                require_usable(pair, "base", base, batch.ids, batch.tensors)
                reference = _reference(base, own, state)
                rates = {role: optimizer.rate for role, optimizer in state.optimizers.items()}
                step = train_batch(pair, mstep, state.epoch, batch, reference)
                if runfile.em.average:
                    update_average(state, runfile.em.average)
            state.sums = {role: state.sums.get(role, 0.0) + loss for role, loss in step.losses.items()}
            if assembly.observers:
                observe_step(assembly, state, step, rates, len(whole))
            state.offset += len(whole)
            bar.advance(len(whole))
            autosave.after_batch()
    pair.train(False)
    state.epoch, state.epochs, state.offset = state.epoch + 1, state.epochs + 1, 0


def observe_step(assembly: Assembly, state: State, step: Step, rates: Mapping[str, float], examples: int) -> None:
    """Tell the observers of a step over `examples` examples."""
    record = StepRecord(
        step=max(optimizer.steps for optimizer in state.optimizers.values()),
        round=state.round,
        epoch=state.epoch,
        losses={role: loss / examples for role, loss in step.losses.items()},
        gradient_norms=step.gradient_norms,
        rates=rates,
    )
    assembly.observers.tell("step_finished", record)


def finish_round(assembly: Assembly, state: State, total: int) -> RoundRecord:
    """Score the validation data, close the record of a round over `total` examples and step to the next round."""
    assembly.world.require_same(state.agreement)
    record = evolve(state.record, training={role: loss / total for role, loss in state.sums.items()})
    names = assembly.runfile.evaluate.each_round or assembly.runfile.evaluate.metrics[:1]
    if assembly.validation is not None and names:
        with timed(state, "evaluation"), weights_in_use(assembly.pair, state.average):
            predictor = make_predictor(assembly.pair, assembly.runfile)
            scores = score(
                through(predictor),
                assembly.validation,
                {name: assembly.metrics[name] for name in names},
                predictor=OWN,
                data="validation",
                batch_size=assembly.runfile.predict.batch_size,
                progress=assembly.context.progress,
                world=assembly.world,
            )
        record = evolve(record, validation=scores.values)
        note_best(assembly, state, record)
        if state.round == 0:
            state.validated["start"] = scores
        elif not state.best or state.best_round == state.round:
            state.validated["latest"] = scores
    state.history.append(record)
    state.timing.extend({"round": state.round, "phase": name, "seconds": took} for name, took in state.clock.items())
    state.round += 1
    state.sampled, state.epochs, state.sums, state.clock = False, 0, {}, {}
    state.record = RoundRecord(round=state.round)
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
    """Return the references to train on, (B, J, D): no adjustment in the warm-up, then the estimates."""
    if state.round == 0:
        return base[:, None]
    return state.latents.reference[index].to(base)
