"""The core's own components, given through the hooks of its own plugin."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from attrs import frozen

from jointtask.api import hookimpl
from jointtask.api.component import Component, Context, NoSettings, SamplerComponent
from jointtask.api.setting import setting
from jointtask.em.schedules import jointtask_schedules
from jointtask.em.torch_optimizers import jointtask_optimizers

__all__ = ["Chain", "GaussianProposal", "Sweeps", "UpstreamProposal", "jointtask_optimizers", "jointtask_schedules"]


@frozen
class Chain:
    """Settings of the samplers that run an independence chain."""

    moves: int = setting(20, "proposals drawn per example, K", ge=1, le=1_000_000)


@frozen
class Sweeps:
    """Settings of `gibbs`."""

    sweeps: int = setting(2, "passes over all coordinates", ge=1, le=1_000_000)


@frozen
class GaussianProposal:
    """Settings of the proposal term `gaussian`."""

    cold_variance: float = setting(
        50.0, "variance of each coordinate before an example has a history, in squared reference units", gt=0
    )
    widening: float = setting(25.0, "variance added to that of an example's history, in squared reference units", gt=0)


@frozen
class UpstreamProposal:
    """Settings of the proposal term `upstream`."""

    spread: float = setting(1.0, "least effective number of states of an example's proposal; 1 is no limit", ge=1)


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


def _upstream_term(settings: UpstreamProposal, context: Context) -> Any:
    from jointtask.em.proposals.upstream import UpstreamTerm

    return UpstreamTerm(settings.spread)


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
    return [
        Component("gaussian", GaussianProposal, _gaussian_term, "normal around the example's own previous optima"),
        Component("upstream", UpstreamProposal, _upstream_term, "where the upstream task believes the reference to be"),
    ]
