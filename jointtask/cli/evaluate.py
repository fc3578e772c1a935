"""The command `evaluate`."""

from __future__ import annotations

from typing import Annotated

import typer

from jointtask.cli.options import JsonOption, PluginOption, SetOption, open_registry, print_json
from jointtask.cli.streams import echo

__all__ = ["evaluate"]


def evaluate(
    run: Annotated[str, typer.Argument(metavar="RUN", help="Run directory, or name of a predictor.")],
    set_: SetOption = None,
    plugin: PluginOption = None,
    json: JsonOption = False,
) -> None:
    """Score a run or a predictor on a data set.

    The data set is the run's own test data, or what --set data.test.KEY=VALUE names.
    """
    from jointtask.api.metric import definitions
    from jointtask.cli.tables import score_lines
    from jointtask.running.evaluate import evaluate_run
    from jointtask.tools.plain import to_plain
    from jointtask.tools.progress import open_progress

    registry = open_registry(plugin, warn=True)
    record, metrics = evaluate_run(run, registry, overrides=set_ or (), progress=open_progress())
    if json:
        print_json({**to_plain(record), "definitions": definitions(metrics)})
    else:
        for line in score_lines([record], definitions(metrics)):
            echo(line)
