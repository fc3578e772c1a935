"""The figure of `jointtask score`: precision against recall, and F-measure over thresholds."""

from __future__ import annotations

import io
import warnings
from typing import Any

import numpy as np

from jointtask.tools import COLOURS, STYLE, look
from jointtask_object_extraction.data.names import shown
from jointtask_object_extraction.score.record import ScoreTable

__all__ = ["FIGURES", "draw"]

FIGURES = {
    ".pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    ".png": {"Software": None},
    ".svg": {"Date": None, "Creator": None},
}
"""The endings of figures, and what would make the same figure other bytes."""

_SIZE = (7.2, 3.6)  # inches


def draw(table: ScoreTable, suffix: str) -> bytes:
    """Draw the mean curves of all folders that have some.

    Parameters
    ----------
    table : ScoreTable
        The scores, with curves.
    suffix : str
        A key of `FIGURES`.

    Returns
    -------
    bytes
        The content of the file; the same for the same scores.
    """
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(STYLE | {"svg.hashsalt": "jointtask score", "axes.grid.axis": "both"}):
        figure = Figure(figsize=_SIZE, layout="constrained")
        against_recall, over_thresholds = figure.subplots(1, 2)
        for position, folder in enumerate(table.folders):
            if folder.curves is None:
                continue
            colour, dashed = look(position)
            style: dict[str, Any] = {"color": COLOURS[colour], "linestyle": "--" if dashed else "-", "linewidth": 1.6}
            precision, recall, f = folder.curves
            name = shown(folder.name)
            name = f" {name}" if name.startswith("_") else name  # else matplotlib leaves it out of the legend
            # Where nothing is found precision is 0 by definition: no point of the curve.
            some = recall > 0
            against_recall.plot(recall[some], precision[some], label=name, **style)
            over_thresholds.plot(np.arange(256), f, label=f"{name}, maximum {f.max():.3f}", **style)
        against_recall.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1))
        over_thresholds.set(
            xlabel="threshold, of 255", ylabel="F-measure, beta squared 0.3", xlim=(0, 255), ylim=(0, 1)
        )
        for axes in (against_recall, over_thresholds):
            for text in axes.legend(frameon=False, fontsize=8, loc="lower left").get_texts():
                text.set_parse_math(False)  # a name may have dollar signs
        file = io.BytesIO()
        with warnings.catch_warnings():  # of letters in names that the font lacks
            warnings.simplefilter("ignore")
            figure.savefig(file, format=suffix[1:], dpi=200, metadata=FIGURES[suffix])
    return file.getvalue()
