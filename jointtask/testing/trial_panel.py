"""A panel for the report of a trial run, for tests that need one: ``--plugin jointtask.testing.trial_panel``."""

from __future__ import annotations

import io
from collections.abc import Sequence

from matplotlib.figure import Figure

from jointtask.api import NoSettings, Panel, PanelComponent, PanelData, hookimpl


@hookimpl
def jointtask_panels() -> Sequence[PanelComponent]:
    """Give an empty picture of 100 x 50 pixels."""
    build = lambda settings, context: draw  # noqa: E731
    return [PanelComponent("trial-panel", NoSettings, build, "an empty picture", bridge="trial-interval")]


def draw(data: PanelData) -> list[Panel]:
    """Return the picture."""
    file = io.BytesIO()
    Figure(figsize=(2, 1)).savefig(file, format="png", dpi=50)
    return [Panel("Blank", "An empty picture.", file.getvalue())]
