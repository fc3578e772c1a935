"""The kit, run on the parts that a run file names, for `jointtask check`."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager

import attrs
import torch

from jointtask.api.component import SamplerComponent
from jointtask.api.dataset import Dataset
from jointtask.api.errors import PluginError, UserError
from jointtask.api.grid import LatentGrid
from jointtask.em.assembly import Assembly
from jointtask.em.pair import Pair
from jointtask.em.predict import make_predictor
from jointtask.registry.attribution import remedy
from jointtask.registry.kinds import KINDS
from jointtask.registry.sources import reason
from jointtask.testing.bridges import check_bridge
from jointtask.testing.datasets import check_dataset
from jointtask.testing.expect import reads_no_annotation
from jointtask.testing.metrics import check_metric
from jointtask.testing.posteriors import Posterior
from jointtask.testing.proposals import check_proposal_term
from jointtask.testing.samplers import hold_sampler
from jointtask.testing.tasks import check_task

__all__ = ["check_parts"]

EXAMPLES = 4


def check_parts(assembly: Assembly) -> None:
    """Hold every part of a built run to its contract, on a few training examples.

    The networks are copied to the CPU; nothing of the run is changed. A sampler is held to what a single draw can show,
    on a posterior over the run's own grid: whether its draws follow the posterior is for its own tests. With fewer than
    two training examples, nothing is checked.

    Parameters
    ----------
    assembly : Assembly
        Everything that the run file names, built.

    Raises
    ------
    PluginError
        Naming the component, its plugin and version, what it gave and what was expected.
    """
    if len(assembly.train) < 2:
        return
    tables, pair = assembly.runfile, _on_cpu(assembly.pair)
    bridge = pair.bridge
    for table, data in _distinct(assembly):
        with _held(assembly, "dataset", table, "check_dataset"):
            check_dataset(data, bridge)
    rows = range(min(EXAMPLES, len(assembly.train)))
    batch, example = assembly.train.batch(rows), assembly.train.example(0)
    with _held(assembly, "bridge", tables.bridge.name, "check_bridge"):
        check_bridge(bridge, batch, pair.downstream, example=example)
    base = bridge.base(batch)
    states = bridge.grid.states[[bridge.grid.start, 0, -1]].to(base)  # targets at no adjustment may all be alike
    condition = bridge.condition(batch, bridge.admit(bridge.reference(base, states)))
    with _held(assembly, "task", tables.downstream.name, "check_task", "downstream task"):
        check_task(pair.downstream, condition.input, condition.target)
    seen = {name: tensor for name, tensor in batch.items() if name not in bridge.annotation}
    with (
        _held(assembly, "task", tables.upstream.name, "check_task", "upstream task"),
        reads_no_annotation(bridge, "it"),
    ):
        check_task(pair.upstream, seen, base)
    for name, term in assembly.estep.terms.items():
        with _held(assembly, "proposal", name, "check_proposal_term"):
            check_proposal_term(term, batch, bridge, name=name)
    component = assembly.registry.find("sampler", tables.sampler.name)
    assert isinstance(component, SamplerComponent)  # the registry refuses any other record of this kind
    with _held(assembly, "sampler", component.name, "check_sampler"):
        hold_sampler(assembly.estep.sampler, "on a random posterior", _random_posterior(bridge.grid))
    prediction = make_predictor(pair, tables).predict_batch(assembly.train.batch([0]), [example])[0]
    for name, metric in assembly.metrics.items():
        with _held(assembly, "metric", name, "check_metric"):
            check_metric(metric, prediction, example)


def _on_cpu(pair: Pair) -> Pair:
    upstream, downstream = (copy.deepcopy(module).to("cpu").eval() for module in (pair.upstream, pair.downstream))
    return attrs.evolve(pair, upstream=upstream, downstream=downstream, device=torch.device("cpu"))


def _distinct(assembly: Assembly) -> Iterator[tuple[str, Dataset]]:
    """Give each data set of at least two examples with its component's name."""
    tables = {"train": assembly.runfile.data.train, "validation": assembly.runfile.data.validation}
    for split, data in assembly.data.items():
        table = {**tables, "test": assembly.runfile.data.test}[split]
        if table is not None and len(data) >= 2:
            yield table.name, data


def _random_posterior(grid: LatentGrid) -> Posterior:
    """Return a posterior in which one state in ten is not usable, the start aside."""
    random = torch.Generator().manual_seed(0)
    energy, log_proposal = torch.randn(2, len(grid), generator=random, dtype=torch.float64)
    unusable = torch.rand(len(grid), generator=random) < 0.1
    unusable[grid.start] = False
    return Posterior(grid, (2 * energy).masked_fill(unusable, torch.inf), log_proposal)


@contextmanager
def _held(assembly: Assembly, kind: str, name: str, check: str, title: str = "") -> Iterator[None]:
    """Turn what a check finds into an error for the user that names the part."""
    source = assembly.registry.source(kind, name)
    what = f"the {title or KINDS[kind].title} '{name}' of {source}"
    try:
        yield
    except AssertionError as error:
        message = str(error).partition("\nassert ")[0]
        raise PluginError(f"{what}: {message}", remedy=f"jointtask.testing.{check} says the same in a test") from error
    except (UserError, KeyboardInterrupt):
        raise
    except BaseException as error:
        cause = f"{reason(error, source)}, while it was tried by jointtask.testing.{check}"
        raise PluginError(f"{what} raised an error", cause=cause, remedy=remedy(error, source)) from error
