"""A plugin cannot end the program, wherever it tries to."""

from __future__ import annotations

from collections.abc import Callable

import pytest

Call = Callable[..., tuple[int, str, str]]

METRIC = """
{leave}
@hookimpl
def jointtask_metrics():
    return [Component("odd", NoSettings, leave, "odd")]
"""
SAMPLER = """
{leave}
@hookimpl
def jointtask_samplers():
    build = lambda settings, context: leave
    return [SamplerComponent("odd", NoSettings, build, "odd", exact=False, proposal="none")]
"""
ENDS = {
    "SystemExit with 0": "import sys; sys.exit(0)",
    "SystemExit": "raise SystemExit",
    "SystemExit with a text": "raise SystemExit('leaving')",
    "GeneratorExit": "raise GeneratorExit",
    "a class of its own": "raise type('Leave', (BaseException,), {})('leaving')",
}
PLACES = {
    "an import": ("{end}", "sampler.name=exhaustive", 2),
    "a hook": ("@hookimpl\ndef jointtask_samplers():\n    {end}", "sampler.name=odd", 2),
    "a build": (METRIC, "evaluate.metrics=['odd']", 2),
    "a sample": (SAMPLER, "sampler.name=odd", 1),
    "an observer": ("@hookimpl\ndef jointtask_round_finished(record):\n    {end}", "sampler.name=exhaustive", 0),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("end", ENDS)
def test_a_plugin_cannot_end_the_program(call: Call, place: str, end: str) -> None:
    body, setting, expected = PLACES[place]
    leave = f"def leave(*arguments):\n    {ENDS[end]}\n"
    body = body.replace("{leave}", leave).replace("{end}", ENDS[end])
    code, _, said = call(body, setting)
    assert code == expected
    assert "odd.py sha256:" in said
    assert "Traceback" not in said
