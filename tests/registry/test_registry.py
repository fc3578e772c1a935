from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import attrs
import pytest

from jointtask.api.component import SamplerComponent
from jointtask.api.errors import ConfigError
from jointtask.registry.kinds import KINDS, TRIAL
from jointtask.registry.registry import Registry, load_registry
from jointtask.runfile.read import structure
from jointtask.runfile.schema import OptimizerTable, RunFile, SamplerTable, Table, TaskTable

PluginFile = Callable[..., str]


def sampler(name: str = "mine", settings: str = "NoSettings", build: str = "print", proposal: str = "none") -> str:
    return f"SamplerComponent({name!r}, {settings}, {build}, 'text', exact=True, proposal={proposal!r})"


def samplers(*items: str) -> str:
    return f"@hookimpl\ndef jointtask_samplers():\n    return [{', '.join(items)}]\n"


def reasons(registry: Registry, plugin: str = "odd") -> list[str]:
    return [failure.reason for failure in registry.failures if failure.source.plugin == plugin]


def test_builtin_samplers_say_what_they_are(light_registry: Registry) -> None:
    known = {component.name: component for component in light_registry.components("sampler")}
    expected: dict[str, tuple[bool, Any]] = {
        "metropolis-hastings": (True, "all"),
        "gaussian": (True, ("gaussian",)),
        "exhaustive": (True, "none"),
        "gibbs": (True, "none"),
        "none": (False, "none"),
    }
    for name, (exact, proposal) in expected.items():
        component = known[name]
        assert isinstance(component, SamplerComponent)
        assert (component.exact, component.proposal) == (exact, proposal)
        assert light_registry.source("sampler", name).distribution == "jointtask"


def test_core_keys_are_those_of_the_tables() -> None:
    tables = {"task": TaskTable, "sampler": SamplerTable, "optimizer": OptimizerTable}
    tables |= dict.fromkeys(("bridge", "proposal", "dataset", "schedule", "observer"), Table)
    for name, kind in KINDS.items():
        table = tables.get(name)
        keys = table and tuple(field.name for field in attrs.fields(table) if field.name != "settings")
        assert kind.core == keys


def test_an_unknown_component_names_the_nearest_and_what_there_is(light_registry: Registry) -> None:
    with pytest.raises(ConfigError) as caught:
        light_registry.find("sampler", "exhaustiv")
    assert caught.value.message == "no sampler is called 'exhaustiv'; did you mean 'exhaustive'?"
    assert "exhaustive, gaussian" in caught.value.remedy
    assert "(jointtask " in caught.value.remedy


def test_an_unknown_component_names_the_plugins_that_failed(plugin_file: PluginFile) -> None:
    registry = load_registry([plugin_file("import no_such_module\n")])
    with pytest.raises(ConfigError) as caught:
        registry.find("bridge", "arch")
    assert "odd.py" in caught.value.cause
    assert "No module named 'no_such_module'" in caught.value.cause
    registry.find("sampler", "gibbs")


def test_a_name_claimed_twice_is_refused_to_both(plugin_file: PluginFile) -> None:
    registry = load_registry([plugin_file(samplers(sampler("gibbs")))])
    with pytest.raises(ConfigError, match=r"claimed by jointtask .* and odd\.py") as caught:
        registry.find("sampler", "gibbs")
    assert "JOINTTASK_DISABLE_PLUGINS=" in caught.value.remedy
    assert "gibbs" not in [component.name for component in registry.components("sampler")]
    assert any("claimed by" in reason for reason in reasons(registry))
    assert any("claimed by" in reason for reason in reasons(registry, "jointtask"))
    registry.find("sampler", "exhaustive")


def test_a_name_claimed_twice_by_one_plugin(plugin_file: PluginFile) -> None:
    twice = sampler()
    registry = load_registry([plugin_file(samplers(twice, twice))])
    with pytest.raises(ConfigError, match="claimed by"):
        registry.find("sampler", "mine")


ITEMS = {
    "Component('mine', NoSettings, print, 'text')": "expected a SamplerComponent",
    "'mine'": "jointtask_samplers gave 'mine'",
    sampler("My Sampler"): "'My Sampler': a name is lower-case",
    sampler(settings="dict"): "'dict' are no attrs class",
    sampler(settings="NoSettings()"): "are no attrs class",
    sampler(build="None"): "its build cannot be called",
    sampler(build="lambda settings: None"): "its build takes (settings); expected build(settings, context)",
    sampler(proposal="some"): "proposal must be 'all', 'none' or a tuple of names of terms, got 'some'",
}
SETTINGS = {
    "@attrs.define\nclass S: ...": "'S' are not frozen",
    "@attrs.define(slots=False)\nclass S: ...": "'S' are not frozen",
    "@attrs.frozen\nclass S:\n    estimate: int = 1": "its setting 'estimate' is a core key of the table",
    "@attrs.frozen\nclass S:\n    where: complex = 1": "its setting 'where': a run file cannot hold the type complex",
    "@attrs.frozen\nclass S:\n    where: int | str = 1": "a run file cannot hold the type int | str",
    "@attrs.frozen\nclass S:\n    where: 'Missing' = 1": "name 'Missing' is not defined",
    "@attrs.frozen\nclass S:\n    number = attrs.field(default=1)": "its setting 'number' has no type annotation",
}


@pytest.mark.parametrize(
    ("preamble", "item", "reason"),
    [
        *(("", item, reason) for item, reason in ITEMS.items()),
        *((f"{text}\n", sampler(settings="S"), reason) for text, reason in SETTINGS.items()),
    ],
)
def test_what_breaks_the_contract_is_refused_and_the_rest_is_used(
    plugin_file: PluginFile, preamble: str, item: str, reason: str
) -> None:
    good = sampler("good")
    registry = load_registry([plugin_file(preamble + samplers(good, item))])
    assert registry.find("sampler", "good").name == "good"
    (found,) = reasons(registry)
    assert reason in found


def test_a_term_that_no_plugin_gives_is_told_and_the_sampler_is_used(plugin_file: PluginFile) -> None:
    item = "SamplerComponent('mine', NoSettings, print, 'text', exact=True, proposal=('gaussian', 'gausian'))"
    registry = load_registry([plugin_file(samplers(item))])
    assert registry.find("sampler", "mine").name == "mine"
    (reason,) = reasons(registry)
    assert reason.startswith("the proposal term 'gausian' of the sampler 'mine': no plugin gives it; given: ")


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("task", "trial-find"),
        ("bridge", "trial-interval"),
        ("dataset", "trial-sequences"),
        ("metric", "trial-accuracy"),
        ("predictor", "trial-mean"),
    ],
)
def test_the_small_pair_is_loaded_when_it_is_named(kind: str, name: str, core_alone: None) -> None:
    registry, named = load_registry(), load_registry([TRIAL])
    assert name not in {component.name for component in registry.components(kind)}
    assert registry.find(kind, name).name == name
    assert registry.source(kind, name) == named.source(kind, name)
    assert {component.name for component in registry.components("task")} >= {"trial-find", "trial-mark"}
    assert registry.code([(kind, name)]) == named.code([(kind, name)])
    assert TRIAL in [row.source.plugin for row in registry.rows()]


def test_the_small_pair_leaves_names_to_those_who_have_them(plugin_file: PluginFile, core_alone: None) -> None:
    own = plugin_file(samplers("SamplerComponent('trial-find', NoSettings, print, 'text', exact=True, proposal='all')"))
    task = "@hookimpl\ndef jointtask_tasks():\n    return [Component('trial-find', NoSettings, print, 'mine')]\n"
    other = plugin_file(task, "other")
    registry = load_registry([own, other])
    assert registry.find("sampler", "trial-find").summary == "text"
    assert registry.find("bridge", "trial-interval").name == "trial-interval"
    assert registry.find("task", "trial-find").summary == "mine"
    second = load_registry([own, other, plugin_file(task, "third")])
    with pytest.raises(ConfigError, match="is claimed by"):
        second.find("task", "trial-find")


def test_a_small_pair_that_is_disabled_stays_so(monkeypatch: pytest.MonkeyPatch, core_alone: None) -> None:
    registry = load_registry()
    monkeypatch.setenv("JOINTTASK_DISABLE_PLUGINS", f"{os.environ['JOINTTASK_DISABLE_PLUGINS']},{TRIAL}")
    with pytest.raises(ConfigError, match="no bridge is called 'trial-interval'"):
        registry.find("bridge", "trial-interval")


def test_the_names_of_the_small_pair_begin_alike() -> None:
    trial = load_registry([TRIAL])
    names = {name.partition(" ")[2] for row in trial.rows() if row.source.plugin == TRIAL for name in row.provides}
    assert names
    assert all(name.startswith("trial-") for name in names)
    with pytest.raises(ConfigError) as caught:
        trial.find("bridge", "trial-intervall")
    assert caught.value.remedy.startswith("available: ")


def test_a_hook_that_raises_does_not_take_the_others_along(plugin_file: PluginFile) -> None:
    body = (
        "@hookimpl\ndef jointtask_samplers():\n    yield 1 / 0\n"
        "@hookimpl\ndef jointtask_bridges():\n    return [Component('arch', NoSettings, print, 'text')]\n"
    )
    registry = load_registry([plugin_file(body)])
    assert registry.find("bridge", "arch").name == "arch"
    assert reasons(registry) == ["jointtask_samplers raised ZeroDivisionError: division by zero (odd.py, line 6)"]


def test_a_hook_that_gives_nothing_to_go_through(plugin_file: PluginFile) -> None:
    registry = load_registry([plugin_file("@hookimpl\ndef jointtask_samplers():\n    return 3\n")])
    (reason,) = reasons(registry)
    assert "TypeError" in reason


def test_a_metric_needs_defaults(plugin_file: PluginFile) -> None:
    body = (
        "@attrs.frozen\nclass S:\n    threshold: float\n"
        "@hookimpl\ndef jointtask_metrics():\n    return [Component('mine', S, print, 'text')]\n"
    )
    (reason,) = reasons(load_registry([plugin_file(body)]))
    assert "its setting 'threshold' needs a default" in reason


def test_a_command_needs_a_target(plugin_file: PluginFile) -> None:
    body = "@hookimpl\ndef jointtask_commands():\n    return [Command('mine', 'text', 'module')]\n"
    (reason,) = reasons(load_registry([plugin_file(body)]))
    assert "must be 'module:function'" in reason


def test_rows_say_what_is_loaded_failed_and_disabled(plugin_file: PluginFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOINTTASK_DISABLE_PLUGINS", "off")
    good = plugin_file(samplers(sampler("good"), "3"), "good")
    registry = load_registry([good, plugin_file("1 / 0\n", "bad"), plugin_file("", "off")])
    rows = {row.source.plugin: row for row in registry.rows()}
    assert rows["good"].state == "loaded"
    assert rows["good"].provides == ("sampler good",)
    assert len(rows["good"].reasons) == 1
    assert rows["bad"].state == "failed"
    assert "ZeroDivisionError" in rows["bad"].reasons[0]
    assert (rows["off"].state, rows["off"].reasons) == ("disabled", ())
    assert "sampler metropolis-hastings" in rows["jointtask"].provides


def test_versions_are_those_of_the_distributions_that_a_run_uses(
    light_registry: Registry, light_tables: dict[str, Any]
) -> None:
    runfile = structure(light_tables, light_registry, "light.toml", RunFile)
    versions = light_registry.versions(runfile.components())
    assert list(versions) == ["jointtask", "light_plugin.py"]
    assert versions["light_plugin.py"].startswith("sha256:")


def test_notify_returns_what_went_wrong(plugin_file: PluginFile) -> None:
    registry = load_registry([plugin_file("@hookimpl\ndef jointtask_run_finished(record):\n    1 / 0\n")])
    (line,) = registry.notify("jointtask_run_finished", record=None)
    assert "ZeroDivisionError" in line
