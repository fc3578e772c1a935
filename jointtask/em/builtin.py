"""The core's own components, given through the hooks of its own plugin."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from attrs import field, frozen, validators

from jointtask.api import hookimpl
from jointtask.api.component import Component, Context, NoSettings, SamplerComponent

__all__ = ["Chain", "GaussianProposal", "Sweeps"]


def _help(text: str) -> dict[str, Any]:
    return {"help": text}


@frozen
class Chain:
    """Settings of the samplers that run an independence chain."""

    moves: int = field(default=20, validator=validators.ge(1), metadata=_help("proposals drawn per example, K"))


@frozen
class Sweeps:
    """Settings of `gibbs`."""

    sweeps: int = field(default=2, validator=validators.ge(1), metadata=_help("passes over all coordinates"))


@frozen
class GaussianProposal:
    """Settings of the proposal term `gaussian`."""

    cold_variance: float = field(
        default=50.0,
        validator=validators.gt(0),
        metadata=_help("variance of each coordinate before an example has a history, in squared reference units"),
    )
    widening: float = field(
        default=25.0,
        validator=validators.gt(0),
        metadata=_help("added to the variance of an example's history, in squared reference units"),
    )


def _metropolis_hastings(settings: Chain, context: Context) -> Any:
    from jointtask.em.samplers import metropolis_hastings

    return partial(metropolis_hastings.sample, moves=settings.moves)


def _exhaustive(settings: NoSettings, context: Context) -> Any:
    from jointtask.em.samplers import exhaustive

    return exhaustive.sample


def _gibbs(settings: Sweeps, context: Context) -> Any:
    from jointtask.em.samplers import gibbs

    return partial(gibbs.sample, sweeps=settings.sweeps)


def _none(settings: NoSettings, context: Context) -> Any:
    from jointtask.em.samplers import none

    return none.sample


def _gaussian_term(settings: GaussianProposal, context: Context) -> Any:
    from jointtask.em.proposals.gaussian import GaussianTerm

    assert context.grid is not None  # terms are built after the bridge
    return GaussianTerm(context.grid, settings.cold_variance, settings.widening)


@hookimpl
def jointtask_samplers() -> Sequence[SamplerComponent]:
    """Give the samplers of the core."""
    return [
        SamplerComponent(
            "metropolis-hastings",
            Chain,
            _metropolis_hastings,
            "independence Metropolis-Hastings with all proposal terms (the paper's)",
            exact=True,
            proposal="all",
        ),
        SamplerComponent(
            "gaussian",
            Chain,
            _metropolis_hastings,
            "the same chain with the Gaussian term alone",
            exact=True,
            proposal=("gaussian",),
        ),
        SamplerComponent(
            "exhaustive", NoSettings, _exhaustive, "every state of the grid, weighted", exact=True, proposal="none"
        ),
        SamplerComponent(
            "gibbs", Sweeps, _gibbs, "one coordinate at a time, by exact conditionals", exact=True, proposal="none"
        ),
        SamplerComponent(
            "none", NoSettings, _none, "no adjustment: the two tasks trained apart", exact=False, proposal="none"
        ),
    ]


@hookimpl
def jointtask_proposal_terms() -> Sequence[Component]:
    """Give the proposal terms of the core."""
    return [Component("gaussian", GaussianProposal, _gaussian_term, "normal around the example's own previous optima")]
