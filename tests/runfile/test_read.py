from __future__ import annotations

import copy
import datetime
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jointtask.api.errors import ConfigError
from jointtask.registry.registry import Registry, load_registry
from jointtask.runfile.read import structure
from jointtask.runfile.schema import RunFile

Tables = dict[str, Any]


def change(tables: Tables, path: str, value: object) -> Tables:
    changed = copy.deepcopy(tables)
    at = changed
    *parents, last = path.split(".")
    for key in parents:
        at = at.setdefault(key, {})
    at[last] = value
    return changed


def problems(tables: Tables, registry: Registry) -> dict[str, str]:
    """Return the reasons by key path."""
    with pytest.raises(ConfigError) as caught:
        structure(tables, registry, "light.toml", RunFile)
    first, *rows = caught.value.message.splitlines()
    found = dict(row.split(maxsplit=1) for row in rows if not row.startswith("   "))
    assert first == f"light.toml: {len(found)} problem{'s' * (len(found) > 1)}"
    return found


def test_fills_defaults(light_tables: Tables, light_registry: Registry) -> None:
    runfile = structure(light_tables, light_registry, "light.toml", RunFile)
    assert runfile.run.seed == 0
    assert runfile.upstream.optimizer.name == "adamw"
    assert runfile.upstream.settings.widths == (8, 16)
    assert runfile.sampler.settings.moves == 20
    assert runfile.sampler.estimate == "best"
    assert runfile.data.validation is None
    assert runfile.proposal == ()


def test_the_listing_of_the_documentation(light_tables: Tables, light_registry: Registry) -> None:
    tables = change(light_tables, "run.seed", "3")
    tables = change(tables, "em.rounds", 0)
    tables = change(tables, "sampler.movess", 20)
    with pytest.raises(ConfigError) as caught:
        structure(tables, light_registry, "examples/object_extraction.toml", RunFile)
    lines = caught.value.message.splitlines()
    assert lines[0] == "examples/object_extraction.toml: 3 problems"
    assert sorted(lines[1:]) == [
        "  em.rounds        must be at least 1, got 0",
        "  run.seed         expected an integer, got the string '3'",
        "  sampler.movess   unknown key; did you mean 'moves'?",
    ]


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        ("run.seed", True, "expected an integer, got the boolean true"),
        ("run.seed", 1.0, "expected an integer, got the number 1.0"),
        ("run.seed", -1, "must be at least 0, got -1"),
        ("run.name", 3, "expected a string, got the integer 3"),
        ("run.name", "a/b", "must be the plain name of a folder, got 'a/b'"),
        ("run.name", "..", "must be the plain name of a folder, got '..'"),
        ("run.channels_last", 1, "expected a boolean, got the integer 1"),
        ("run.channels_last", "true", "expected a boolean, got the string 'true'"),
        ("run.device", "gpu", "expected 'auto', 'cpu', 'cuda' or 'mps', got 'gpu'"),
        ("run.device", "cudaa", "expected 'auto', 'cpu', 'cuda' or 'mps', got 'cudaa'"),
        ("run.device", 0, "expected 'auto', 'cpu', 'cuda' or 'mps', got the integer 0"),
        ("run.seed", datetime.date(2020, 1, 2), "expected an integer, got the date or time 2020-01-02"),
        ("run.seed", [1], "expected an integer, got an array"),
        ("run.seed", {"a": 1}, "expected an integer, got a table"),
        ("run", 3, "expected a table, got the integer 3"),
        ("upstream", "first-task", "expected a table, got the string 'first-task'"),
        ("upstream.weight", math.nan, "must be finite, got nan"),
        ("upstream.weight", math.inf, "must be finite, got inf"),
        ("upstream.weight", 10**400, "too large for a number"),
        ("upstream.weight", "1", "expected a number, got the string '1'"),
        ("upstream.weight", True, "expected a number, got the boolean true"),
        ("upstream.wieght", 1.0, "unknown key; did you mean 'weight'?"),
        ("upstream.optimizer", {"name": "sgd", "momentum": 1}, None),
        ("upstream.optimizer.eps", -1, "must be at least 0, got -1.0"),
        ("upstream.optimizer.rates", {"conv": -1.0}, "must be at least 0, got conv = -1.0"),
        ("upstream.optimizer.rates", [1], "expected a table of numbers, got an array"),
        ("upstream.widths", [8, "16"], None),
        ("upstream.widths", 8, "expected an array of integers, got the integer 8"),
        ("upstream.widths", [], "must be non-empty, got []"),
        ("upstream.high", 0.0, "must be above low, which is 0.0, got 0.0"),
        ("data.train.range", [1.0], "expected 2 values, got 1"),
        ("data.train.limit", "x", "expected an integer, got the string 'x'"),
        ("data.train.mode", "fats", "expected 'fast' or 'slow', got 'fats'"),
        ("bridge.zzz", 1, "unknown key; known here: name"),
        ("smapler", {"name": "none"}, "unknown table; did you mean 'sampler'?"),
        ("em.draws", 4, "must be 1 unless sampler.estimate is 'weighted', got 4"),
        ("evaluate.metrics", ["accuracy", "accuracy"], "names 'accuracy' twice"),
        ("proposal", [{"name": "gaussian"}, {"name": "gaussian"}], "names 'gaussian' twice"),
        ("proposal", {"name": "gaussian"}, None),
    ],
)
def test_each_fault_alone(
    light_tables: Tables, light_registry: Registry, path: str, value: object, reason: str | None
) -> None:
    found = problems(change(light_tables, path, value), light_registry)
    assert len(found) == 1
    if reason is not None:
        assert found == {path: reason}


def test_faults_inside_arrays_and_tables_have_their_own_paths(light_tables: Tables, light_registry: Registry) -> None:
    tables = change(light_tables, "upstream.widths", [8, "16", 2.5])
    tables = change(tables, "upstream.optimizer", {"rates": {"a b": "1"}, "rate": -1})
    tables = change(tables, "proposal", [{"name": "gaussian", "widening": 0}, {}])
    tables = change(tables, "evaluate.metrics", ["accuracy", "eror"])
    assert problems(tables, light_registry) == {
        "upstream.widths.1": "expected an integer, got the string '16'",
        "upstream.widths.2": "expected an integer, got the number 2.5",
        'upstream.optimizer.rates."a': "b\"   expected a number, got the string '1'",
        "upstream.optimizer.rate": "must be at least 0, got -1.0",
        "proposal.0.widening": "must be above 0, got 0.0",
        "proposal.1.name": "required key is missing; available: gaussian, upstream (jointtask 0.1.0)",
        "evaluate.metrics.1": "no metric is called 'eror'; did you mean 'error'?",
    }


def test_missing_tables_and_keys(light_registry: Registry) -> None:
    found = problems({"data": {}, "upstream": {}, "run": {}}, light_registry)
    assert set(found) == {"run.name", "data.train", "upstream.name", "downstream", "bridge", "sampler"}
    assert found["data.train"].startswith("required table is missing")
    assert found["run.name"].startswith("required key is missing")
    assert "first-task, second-task (light_plugin.py" in found["upstream.name"]


def test_an_unknown_component_says_what_there_is(light_tables: Tables, light_registry: Registry) -> None:
    tables = change(light_tables, "sampler", {"name": "exhaustiv", "moves": 3, "estimate": 3})
    with pytest.raises(ConfigError) as caught:
        structure(tables, light_registry, "light.toml", RunFile)
    lines = caught.value.message.splitlines()
    assert lines[0] == "light.toml: 2 problems"
    start = lines[1].index("no sampler is called 'exhaustiv'; did you mean 'exhaustive'?")
    assert lines[2][:start].isspace()
    assert lines[2][start:].startswith("available: exhaustive, ")
    assert lines[3].startswith("  sampler.estimate")


def test_an_unknown_component_says_which_plugins_failed(
    light_tables: Tables, light_plugin: Path, plugin_file: Callable[..., str]
) -> None:
    registry = load_registry([str(light_plugin), plugin_file("import no_such_module\n")])
    assert structure(light_tables, registry, "light.toml", RunFile).bridge.name == "plank"
    with pytest.raises(ConfigError, match=r"not used: odd\.py .*No module named 'no_such_module'"):
        structure(change(light_tables, "bridge.name", "arch"), registry, "light.toml", RunFile)


def test_an_integer_stands_for_a_number(light_tables: Tables, light_registry: Registry) -> None:
    runfile = structure(change(light_tables, "upstream.weight", 2), light_registry, "light.toml", RunFile)
    assert type(runfile.upstream.weight) is float


def test_weighted_draws(light_tables: Tables, light_registry: Registry) -> None:
    tables = change(change(light_tables, "em.draws", 4), "sampler.estimate", "weighted")
    assert structure(tables, light_registry, "light.toml", RunFile).em.draws == 4


@pytest.mark.parametrize("temperatures", [[], [2.0, 0.0], [-1.0]])
def test_temperatures_are_some_and_above_0(
    temperatures: list[float], light_tables: Tables, light_registry: Registry
) -> None:
    found = problems(change(light_tables, "em.temperatures", temperatures), light_registry)
    assert found == {"em.temperatures": f"must be one or more numbers above 0, got {temperatures}"}


def test_compare_is_reserved_and_nothing_else(light_tables: Tables, light_registry: Registry) -> None:
    tables = change(light_tables, "compare.arms.one", {"sampler.name": "none"})
    assert structure(tables, light_registry, "light.toml", RunFile) == structure(
        light_tables, light_registry, "light.toml", RunFile
    )
    assert problems(change(light_tables, "em.compare", {}), light_registry) == {
        "em.compare": "unknown table; known here: rounds, warmup_epochs, epochs_per_round, part, batch_size, "
        "microbatch, average, keep, patience, monitor, draws, temperatures, estep_batch, downstream_batch, "
        "oracle_examples"
    }


def test_paths_become_absolute(
    light_tables: Tables, light_registry: Registry, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))

    def stored(path: str) -> str:
        tables = change(light_tables, "data.train.path", path)
        settings: Any = structure(tables, light_registry, "light.toml", RunFile).data.train.settings
        return str(settings.path)

    assert stored("images/../masks") == str(tmp_path / "masks")
    assert stored("~/images") == str(tmp_path / "home" / "images")
    assert stored("/elsewhere") == "/elsewhere"
    assert stored("") == ""
    assert stored("https://example.org/x") == "https://example.org/x"
    runfile = structure(light_tables, light_registry, "light.toml", RunFile)
    assert runfile.run.output == str(tmp_path / "runs")


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("run.threads", 1_000_000_000, "must be at most 4,096, got 1000000000"),
        ("run.workers", 100_000, "must be at most 4,096"),
        ("run.seed", 9_999_999_999_999_999_999, "must be an integer of 64 bits, got an integer of 64 bits"),
        ("run.seed", 10**4400, "must be an integer of 64 bits, got an integer of 14617 bits"),
        ("em.rounds", 10**12, "must be at most 1,000,000,000, got 1000000000000"),
        ("em.downstream_batch", 9_999_999, "must be at most 1,000,000"),
        ("em.estep_batch", 10**18, "must be at most 1,000,000"),
        ("predict.draws", 10**9, "must be at most 1,000,000"),
        ("em.draws", "4" * 10_000, "... (10,002 characters)"),
        ("run.output", "a\0b", "holds the character NUL"),
        ("run.output", "caf\udce9", "is not UTF-8"),
        ("em." + "x" * 20_000, 1, "unknown key"),
        ("em.rounds", [[1] * 1000], "expected an integer, got an array"),
    ],
    ids=lambda value: repr(value)[:20] if isinstance(value, str) else "value",
)
def test_what_no_run_can_use_is_refused_in_a_few_words(
    light_tables: Tables, light_registry: Registry, key: str, value: object, reason: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        structure(change(light_tables, key, value), light_registry, "light.toml", RunFile)
    message = str(caught.value)
    assert reason in message
    assert len(message) < 700
