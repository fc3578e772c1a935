"""Which weights of a run are scored and saved: the last, their moving average, or those of the best round."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor

from jointtask.api.errors import ConfigError
from jointtask.api.metric import Summary
from jointtask.api.record import RoundRecord
from jointtask.em.assembly import Assembly
from jointtask.em.pair import Pair
from jointtask.em.state import State

__all__ = ["followed", "follows", "kept_weights", "note_best", "over", "update_average", "weights_in_use"]


def pair_weights(pair: Pair) -> dict[str, Tensor]:
    """Return the weights of both networks by ``<role>.<name>``; they share memory with the networks."""
    return {
        f"{role}.{name}": tensor
        for role, module in pair.modules.items()
        for name, tensor in module.state_dict().items()
    }


@torch.no_grad()
def update_average(state: State, decay: float) -> None:
    """Move the average of the weights towards them after a step.

    The average is ``decay * average + (1 - decay) * weights``, with a smaller decay in the first steps, so that it
    forgets the initial weights: ``(1 + t) / (10 + t)`` at step t. Buffers, such as running statistics, are copied.
    """
    learnt = {f"{role}.{name}" for role, module in state.pair.learning.items() for name, _ in module.named_parameters()}
    steps = max(optimizer.steps for optimizer in state.optimizers.values())
    rate = 1 - min(decay, (1 + steps) / (10 + steps))
    for name, tensor in pair_weights(state.pair).items():
        if name not in state.average:
            state.average[name] = tensor.detach().clone()
        elif name in learnt and tensor.is_floating_point():
            state.average[name].lerp_(tensor, rate)
        else:
            state.average[name].copy_(tensor)


def note_best(assembly: Assembly, state: State, record: RoundRecord) -> None:
    """Keep the round, and its weights if they are asked for, if its validation score is the best so far."""
    if not follows(assembly):
        return
    name, summary = followed(assembly)
    score = record.validation[name]
    best = state.best_score
    better = best is None or (score > best if summary.better == "higher" else score < best)
    if score == score and better:  # NaN is no score
        state.best_score, state.best_round = score, record.round
        if assembly.runfile.em.keep == "best":
            weights = state.average or pair_weights(state.pair)
            state.best = {key: tensor.detach().clone() for key, tensor in weights.items()}


def follows(assembly: Assembly) -> bool:
    """Say whether a run follows a validation score: `em.keep` or `em.patience` asks for it."""
    return assembly.runfile.em.keep == "best" or assembly.runfile.em.patience > 0


def followed(assembly: Assembly) -> tuple[str, Summary]:
    """Return the validation score that decides which round is best.

    Raises
    ------
    ConfigError
        If `em.monitor` names none that is scored in each round.
    """
    evaluate, wanted = assembly.runfile.evaluate, assembly.runfile.em.monitor
    names = evaluate.each_round or evaluate.metrics[:1]
    summaries = {key: summary for name in names for key, summary in assembly.metrics[name].summaries.items()}
    if wanted and wanted not in summaries:
        raise ConfigError(
            f"em.monitor: no score of a round is called '{wanted}'",
            remedy=f"name one of {', '.join(summaries)}, or add its metric to evaluate.each_round",
        )
    name = wanted or next(iter(summaries))
    return name, summaries[name]


def over(assembly: Assembly, state: State) -> bool:
    """Say whether training is over: the last round is done, or none of the last `em.patience` rounds was better."""
    em = assembly.runfile.em
    waited = 0 if state.best_round is None else state.round - 1 - state.best_round
    return state.round > em.rounds or 0 < em.patience <= waited


def kept_weights(state: State) -> Mapping[str, Tensor]:
    """Return the weights to use, by ``<role>.<name>``: of the best round if they are kept, else the average, if any."""
    return state.best or state.average


@contextmanager
def weights_in_use(pair: Pair, weights: Mapping[str, Tensor]) -> Iterator[None]:
    """Give both networks other weights inside the context; none leaves them as they are."""
    if not weights:
        yield
        return
    own = {name: tensor.detach().clone() for name, tensor in pair_weights(pair).items()}
    try:
        _load(pair, weights)
        yield
    finally:
        _load(pair, own)


def _load(pair: Pair, weights: Mapping[str, Tensor]) -> None:
    for role, module in pair.modules.items():
        prefix = f"{role}."
        module.load_state_dict(
            {name.removeprefix(prefix): tensor for name, tensor in weights.items() if name.startswith(prefix)}
        )
