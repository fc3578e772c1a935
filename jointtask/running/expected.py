"""What a run will cost, from one batch of each step, and whether its optimiser steps are enough to learn from."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import attrs
import torch

from jointtask.em.assembly import Assembly
from jointtask.em.batches import Examples
from jointtask.em.estep import sample_batch
from jointtask.em.latents import Latents
from jointtask.em.predict import make_predictor
from jointtask.em.score import Predict, one_by_one, score_batch, through
from jointtask.running.some import SomeExamples
from jointtask.running.try_training import try_training
from jointtask.tools import text

__all__ = ["FEWEST_STEPS", "expected", "few_steps"]

SAMPLED = 8
"""Examples whose E-step is timed: enough to fill a batch of references, few enough for a large network on a CPU."""

FEWEST_STEPS = {"random": 100, "trained": 20}
"""Optimiser steps below which a run is unlikely to learn anything, by what its networks start from."""


def expected(assembly: Assembly) -> Iterator[str]:
    """Time each step - one batch of the E-step after one that warms up, the first ones of training - and scale it up.

    Parameters
    ----------
    assembly : Assembly
        The built run; its networks are left as they are.

    Yields
    ------
    str
        Lines for the user: time by step, time of everything that a run does, memory.

    Raises
    ------
    PluginError
        See `try_training`.
    """
    em, total = assembly.runfile.em, len(assembly.train)
    few = range(min(SAMPLED, em.estep_batch, total))
    head = SomeExamples(assembly.train, few)
    examples = Examples(head, assembly.estep.terms, assembly.runfile, assembly.context)
    per_estep = _estep_seconds(assembly, examples, few, oracle=False) / len(few)
    per_mstep = try_training(assembly)
    predictor = make_predictor(assembly.pair, assembly.runfile)
    shown = [head.example(0)]
    per_example = _seconds(lambda: predictor.predict_batch(head.batch([0]), shown))
    sampled = assembly.parts.examples(em.rounds)
    a_round = sampled / em.rounds
    yield f"E-step: {per_estep * 1e3:.1f} ms an example, {text.duration(per_estep * a_round)} a round"
    estep = per_estep * sampled
    if count := len(assembly.estep.oracle_ids):
        per_oracle = max(0.0, _estep_seconds(assembly, examples, few[:1], oracle=True) - per_estep)
        enumeration = per_oracle * count
        yield f"exhaustive enumeration of {count} examples (em.oracle_examples): {text.duration(enumeration)} a round"
        estep += em.rounds * enumeration
    presented = em.warmup_epochs * total + em.epochs_per_round * sampled
    training = estep + presented * per_mstep
    yield f"M-step: {per_mstep * 1e3:.1f} ms an example, {text.duration(per_mstep * total)} an epoch"
    yield f"prediction: {per_example * 1e3:.1f} ms an example"
    scoring = _scoring_seconds(assembly)
    yield f"training, in all: about {text.duration(training)}; with scoring, about {text.duration(training + scoring)}"
    dimensions = assembly.pair.bridge.grid.dimensions
    latents = total * (4 * assembly.estep.draws * dimensions + 8 * (1 + dimensions + dimensions**2))
    yield f"latents: {latents / 2**20:.2f} MiB in memory; frames stay on disk"
    if assembly.context.device.type == "cuda":
        yield f"device memory, at most: {torch.cuda.max_memory_allocated() / 2**20:.0f} MiB"


def few_steps(assembly: Assembly) -> list[str]:
    """Return a warning if a run takes too few optimiser steps for its networks to learn, in a list."""
    em = assembly.runfile.em
    steps = em.warmup_epochs * -(-len(assembly.train) // em.batch_size)
    steps += em.epochs_per_round * assembly.parts.steps(em.rounds, em.batch_size)
    tables = (assembly.runfile.upstream, assembly.runfile.downstream)
    trained = bool(assembly.runfile.run.start) or any(_pretrained(table.settings) for table in tables)
    fewest = FEWEST_STEPS["trained" if trained else "random"]
    if steps >= fewest:
        return []
    start = "trained weights" if trained else "random weights"
    ways = [
        "raise em.warmup_epochs",
        "lower em.batch_size",
        *([] if trained else ["start from a trained run (run.start)"]),
    ]
    return [
        f"warning: {steps} optimiser steps in all are too few to learn from {start}, where {fewest} are the least: "
        f"{' or '.join(ways)}"
    ]


def _pretrained(settings: Any) -> bool:
    """Say whether a task names weights that only training reads, by the metadata that `without_pretraining` reads."""
    fields = (field for field in attrs.fields(type(settings)) if field.metadata.get("training_only"))
    return any(getattr(settings, field.name) != field.default for field in fields)


def _estep_seconds(assembly: Assembly, examples: Examples, rows: Sequence[int], *, oracle: bool) -> float:
    """Time the E-step of some examples, with their exhaustive enumeration or without."""
    batch = examples.batch(rows, prepared=True)
    latents = Latents.empty(len(rows), 1, assembly.pair.bridge.grid.dimensions)
    estep = attrs.evolve(assembly.estep, oracle_ids=frozenset(batch.ids) if oracle else frozenset())
    # An enumeration is a batch of one example and hundreds of states, which needs no warm-up.
    return _seconds(lambda: sample_batch(assembly.pair, estep, 1, batch, latents), warm=not oracle)


def _scoring_seconds(assembly: Assembly) -> float:
    """Time one example of all that is scored, and scale it: validation by round, and everything at the end."""
    evaluate = assembly.runfile.evaluate
    own = through(make_predictor(assembly.pair, assembly.runfile))
    seconds = 0.0
    if assembly.validation is not None and (each := evaluate.each_round or evaluate.metrics[:1]):
        seconds += (assembly.runfile.em.rounds + 1) * _score_seconds(assembly, own, assembly.validation, each)
    last = assembly.validation if assembly.test is None else assembly.test
    if last is not None and evaluate.metrics:
        seconds += _score_seconds(assembly, own, last, evaluate.metrics)
        for function in assembly.predictors.values():
            with one_by_one(function, 1) as predict:
                seconds += _score_seconds(assembly, predict, last, evaluate.metrics)
    return seconds


def _score_seconds(assembly: Assembly, predict: Predict, data: Any, names: Sequence[str]) -> float:
    metrics = {name: assembly.metrics[name] for name in names}
    return _seconds(lambda: score_batch(predict, data, [0], metrics)) * len(data)


def _seconds(call: Callable[[], object], *, warm: bool = True) -> float:
    """Return the seconds of one call, after another one that warms up."""
    if warm:
        call()
    start = time.perf_counter()
    call()
    return time.perf_counter() - start
