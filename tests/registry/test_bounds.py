"""Settings that say how much is made are bounded, in every component that is installed here."""

from __future__ import annotations

from jointtask.registry.kinds import KINDS
from jointtask.registry.registry import load_registry
from jointtask.registry.settings import settings_of

HARMLESS = ("seed", "box_seed", "limit", "max_pixels", "epochs")
"""Integers that are compared or hashed and size nothing."""


def test_no_setting_asks_for_more_than_a_machine_has() -> None:
    registry = load_registry(["jointtask.testing.trial"])
    unbounded = [
        f"{kind} {component.name} {setting.key}"
        for kind in KINDS
        for component in registry.components(kind)
        for setting in settings_of(component.settings)
        if setting.type == "integer" and setting.key not in HARMLESS and "at most" not in setting.bounds
        if setting.key != "input_size"  # held by a validator of its own
    ]
    assert unbounded == []
