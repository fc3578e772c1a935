from __future__ import annotations

from typing import Any

import pytest
import tomli_w

from jointtask.api.errors import ConfigError
from jointtask.runfile.override import override

FULL: dict[str, Any] = {
    "run": {"name": "full", "seed": 7},
    "data": {"test": {"name": "folder", "path": "/b", "mode": "slow"}},
    "upstream": {"name": "first-task", "optimizer": {"rates": {"conv": 1e-10}}},
    "sampler": {"name": "metropolis-hastings", "moves": 5, "estimate": "weighted"},
    "proposal": [{"name": "gaussian", "widening": 1.5}],
    "evaluate": {"metrics": ["accuracy", "error"]},
}


@pytest.mark.parametrize(
    ("text", "path", "value"),
    [
        ("em.rounds=3", ["em", "rounds"], 3),
        ("em.rounds = 3", ["em", "rounds"], 3),
        ("run.seed='3'", ["run", "seed"], "3"),
        ("run.name=plain words", ["run", "name"], "plain words"),
        ("run.name=a=b", ["run", "name"], "a=b"),
        ("run.name=", ["run", "name"], ""),
        ("run.name=x\ny = 2", ["run", "name"], "x\ny = 2"),
        ("run.seed=1\ny = 2", ["run", "seed"], "1\ny = 2"),
        ("run.channels_last=true", ["run", "channels_last"], True),
        ("upstream.optimizer={ name = 'sgd' }", ["upstream", "optimizer"], {"name": "sgd"}),
        ('upstream.optimizer.rates."a.b"=1.5', ["upstream", "optimizer", "rates", "a.b"], 1.5),
        ("evaluate.metrics=['iou']", ["evaluate", "metrics"], ["iou"]),
        ("evaluate.metrics.1=x", ["evaluate", "metrics", 1], "x"),
        ("proposal.0.widening=2", ["proposal", 0, "widening"], 2),
        ("proposal.1.name=other", ["proposal", 1, "name"], "other"),
        ("data.validation.path=/v", ["data", "validation", "path"], "/v"),
    ],
)
def test_an_override_sets_one_value(text: str, path: list[str | int], value: object) -> None:
    before = tomli_w.dumps(FULL)
    data, notes = override(FULL, [text])
    at: Any = data
    for key in path:
        at = at[key]
    assert at == value
    assert type(at) is type(value)
    assert notes == []
    assert tomli_w.dumps(FULL) == before


def test_an_array_of_tables_begins_at_its_first_position() -> None:
    data, _ = override({}, ["proposal.0.name=gaussian", "proposal.1.name=other"])
    assert data == {"proposal": [{"name": "gaussian"}, {"name": "other"}]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("em.rounds", "not KEY=VALUE"),
        ("=3", "not KEY=VALUE"),
        ("em..rounds=3", "not KEY=VALUE"),
        ("a b=3", "not KEY=VALUE"),
        ("run.seed.x=3", "run.seed is a value, not a table"),
        ("proposal.2.name=x", "proposal is an array of 1, and '2' is none of its positions"),
        ("proposal.name=x", "proposal is an array of 1, and 'name' is none of its positions"),
        ("evaluate.metrics.7=x", "evaluate.metrics is an array of 2"),
    ],
)
def test_an_override_that_leads_nowhere(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        override(FULL, [text])


def test_names_come_first_whatever_the_order() -> None:
    data, notes = override(FULL, ["sampler.sweeps=3", "sampler.name=gibbs", "data.test.name=other"])
    assert data["sampler"] == {"name": "gibbs", "sweeps": 3, "estimate": "weighted"}
    assert data["data"]["test"] == {"name": "other"}
    assert notes[1] == "data.test: 'folder' became 'other'; dropped path = \"/b\", mode = \"slow\""


def test_a_component_that_had_no_keys_drops_none() -> None:
    data, notes = override({"sampler": {"name": "gibbs", "estimate": "best"}}, ["sampler.name=none"])
    assert data == {"sampler": {"name": "none", "estimate": "best"}}
    assert notes == []


def test_the_same_component_keeps_its_keys() -> None:
    data, notes = override(FULL, ["sampler.name=metropolis-hastings"])
    assert data == FULL
    assert notes == []
