"""What the command line prints: aligned tables of scores, plugins and components."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from jointtask.api.record import ScoreRecord
from jointtask.registry.registry import Registry
from jointtask.registry.settings import settings_of
from jointtask.tools.text import align

__all__ = ["component_lines", "component_list", "plugin_lines", "plugin_list", "score_lines"]


def score_lines(scores: Sequence[ScoreRecord], definitions: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Lay out scores: for each data set one table, a row for each score and a column for each predictor."""
    lines: list[str] = []
    for data in dict.fromkeys(score.data for score in scores):
        group = [score for score in scores if score.data == data]
        names = dict.fromkeys(name for score in group for name in score.values)
        rows = [[f"{data}, {group[0].examples} examples", *(score.predictor for score in group), ""]]
        for name in names:
            definition = definitions.get(name, {})
            values = [_score(score.values.get(name), bool(definition.get("percent"))) for score in group]
            rows.append([name, *values, f"{definition['better']} is better" if "better" in definition else ""])
        lines += align(rows)
    return lines


def plugin_list(registry: Registry) -> list[dict[str, Any]]:
    """Return all plugins as plain data."""
    return [{**attrs.asdict(row.source), **_without_source(attrs.asdict(row))} for row in registry.rows()]


def plugin_lines(registry: Registry) -> list[str]:
    """List all plugins: what each provides, or why not."""
    lines = []
    for row in registry.rows():
        lines.append(f"{row.source.plugin}  ({row.source})  {row.state}")
        kinds: dict[str, list[str]] = {}
        for item in row.provides:
            kind, name = item.split(" ", 1)
            kinds.setdefault(kind, []).append(name)
        if kinds:
            lines += align([[kind, ", ".join(names)] for kind, names in kinds.items()], indent=2)
        lines += [f"  not used: {reason}" for reason in row.reasons]
    return lines


def component_list(registry: Registry, kinds: Sequence[str]) -> list[dict[str, Any]]:
    """Return all components of some kinds, with their settings, as plain data."""
    return [
        {
            "kind": kind,
            "name": component.name,
            "summary": component.summary,
            **attrs.asdict(registry.source(kind, component.name)),
            "settings": [attrs.asdict(setting) for setting in settings_of(component.settings)],
        }
        for kind in kinds
        for component in registry.components(kind)
    ]


def component_lines(registry: Registry, kinds: Sequence[str]) -> list[str]:
    """List all components of some kinds, with their settings."""
    lines = []
    for kind in kinds:
        for component in registry.components(kind):
            source = registry.source(kind, component.name)
            lines.append(f"{kind} {component.name}  ({source}): {component.summary}")
            rows = []
            for setting in settings_of(component.settings):
                default = "required" if setting.default is None else f"default {setting.default or 'none'}"
                type_ = ", ".join(filter(None, [setting.type, setting.bounds]))
                rows.append([setting.key, type_, default, setting.help])
            lines += align(rows, indent=4) if rows else []
    return lines


def _score(value: float | None, percent: bool) -> str:
    if value is None or math.isnan(value):
        return "-"
    return f"{100 * value:.2f} %" if percent else f"{value:.4f}"


def _without_source(row: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key != "source"}
