"""Every part of the pair, as the example run file makes it, holds what `jointtask.testing` asks of anybody's."""

from __future__ import annotations

from pathlib import Path

import pytest

from jointtask.api import Context
from jointtask.em.predict import make_predictor
from jointtask.registry.registry import load_registry
from jointtask.runfile.load import load
from jointtask.running.assemble import assemble_pair
from jointtask.testing import check_bridge, check_dataset, check_metric, check_plugin, check_proposal_term, check_task

FILE = Path(__file__).parents[3] / "examples" / "object_extraction.toml"


@pytest.mark.parametrize("likelihood", ["frame", "reference"])
def test_the_pair_conforms(jointtask_context: Context, likelihood: str) -> None:
    registry = load_registry()
    runfile = load(FILE, [f"bridge.likelihood={likelihood}", "data.train.examples=6"], registry)
    table = runfile.data.train
    data = registry.find("dataset", table.name).build(table.settings, jointtask_context)
    pair, context = assemble_pair(runfile, registry, jointtask_context)
    check_dataset(data, pair.bridge)
    batch, examples = data.batch(range(3)), [data.example(row) for row in range(3)]
    check_bridge(pair.bridge, batch, pair.downstream, example=examples[0])
    base = pair.bridge.base(batch)
    check_task(pair.upstream, batch, base)
    check_task(pair.downstream, *pair.bridge.condition(batch, base[:, None]))
    for term in runfile.proposal:
        built = registry.find("proposal", term.name).build(term.settings, context)
        check_proposal_term(built, batch, pair.bridge, name=term.name)
    prediction = make_predictor(pair, runfile).predict_batch(batch, examples)[0]
    for name in runfile.evaluate.metrics:
        component = registry.find("metric", name)
        check_metric(component.build(component.settings(), context), prediction, examples[0])


def test_the_plugin_conforms() -> None:
    assert "bridge box-adjustment" in check_plugin("object-extraction")
