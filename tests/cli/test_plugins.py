"""The commands `plugins` and `components`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

Call = Callable[..., tuple[int, str, str]]
PluginFile = Callable[..., str]


def test_plugins_lists_everything_beside_one_that_crashes(
    call: Call, light_plugin: Path, plugin_file: PluginFile
) -> None:
    arguments = ["plugins", "--plugin", str(light_plugin), "--plugin", plugin_file("raise SystemExit('out')\n")]
    code, out, _ = call(*arguments)
    assert code == 0
    lines = out.splitlines()
    assert any(line.startswith("jointtask ") and line.endswith("loaded") for line in lines)
    assert any(line.startswith("light_plugin ") and line.endswith("loaded") for line in lines)
    odd = next(index for index, line in enumerate(lines) if line.startswith("odd "))
    assert lines[odd].endswith("failed")
    assert lines[odd + 1] == "  not used: SystemExit: out (odd.py, line 4)"
    code, out, _ = call(*arguments, "--json")
    rows = {row["plugin"]: row for row in json.loads(out)}
    assert rows["odd"]["state"] == "failed"
    assert rows["light_plugin"]["provides"][:2] == ["task first-task", "task second-task"]
    assert set(rows["jointtask"]) == {"plugin", "distribution", "version", "module", "state", "provides", "reasons"}


def test_components(call: Call, light_plugin: Path) -> None:
    code, out, _ = call("components", "task", "--plugin", str(light_plugin))
    assert code == 0
    assert "task first-task  (light_plugin.py sha256:" in out
    assert "array of integers, non-empty  default [8, 16]" in out
    assert "sampler" not in out
    code, out, _ = call("components", "--plugin", str(light_plugin), "--json")
    found = {(item["kind"], item["name"]): item for item in json.loads(out)}
    assert found["sampler", "gibbs"]["settings"][0]["default"] == "2"
    assert found["dataset", "folder"]["settings"][0] == {
        "key": "path",
        "type": "string",
        "default": None,
        "bounds": "",
        "help": "where it is",
    }
    code, _, err = call("components", "smaplers")
    assert code == 2
    assert "there is no kind 'smaplers' of component; did you mean 'sampler'?" in err
    assert "name one of task, bridge, sampler" in err
