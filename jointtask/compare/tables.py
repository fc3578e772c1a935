"""A comparison as tables of text: lines for a terminal, Markdown, and LaTeX with booktabs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from textwrap import shorten, wrap

from jointtask.compare.diagnostics import sampler_rows
from jointtask.compare.record import ArmRecord, Comparison
from jointtask.tools import text
from jointtask.tools.text import align, bounds, label, signed

__all__ = [
    "cost_rows",
    "latex",
    "lines",
    "markdown",
    "method",
    "remarks",
    "score_rows",
    "title",
    "verdict",
]

_ESCAPED = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"} | {
    character: f"\\{character}" for character in "&%$#_{}"
}
_ESCAPED |= {"↑": r"$\uparrow$", "↓": r"$\downarrow$", text.MISSING: "--", "\N{NO-BREAK SPACE}": "~"}


def lines(comparison: Comparison) -> list[str]:
    """Lay out the tables for a terminal, with what a reader should know below them."""
    printed = [title(comparison)]
    if rows := score_rows(comparison):
        printed += [*align(rows), ""]
    if sampled := sampler_rows(comparison):
        printed += [*align(sampled), ""]
    return [*printed, *align(cost_rows(comparison)), "", *wrap(method(comparison), 110), *remarks(comparison)]


def markdown(comparison: Comparison) -> str:
    """Return the tables as Markdown."""
    parts = [f"# {_cell(comparison.name)}: {title(comparison)}"]
    if rows := score_rows(comparison):
        parts += [_markdown(rows), method(comparison)]
    if sampled := sampler_rows(comparison):
        parts.append(_markdown(sampled))
    parts.append(_markdown(cost_rows(comparison)))
    if said := remarks(comparison):
        parts.append("\n".join(f"- {' '.join(line.split())}" for line in said))
    return "\n\n".join(parts) + "\n"


def latex(comparison: Comparison) -> str:
    """Return the tables as LaTeX, for a document that uses the package booktabs."""
    parts = ["% Written by jointtask compare; needs \\usepackage{booktabs}."]
    parts += [f"% {' '.join(line.split())}" for line in [title(comparison), method(comparison), *remarks(comparison)]]
    if rows := score_rows(comparison):
        parts.append(_latex(rows, "llrlrll"))
    if sampled := sampler_rows(comparison):
        parts.append(_latex(sampled, "l" + "r" * (len(sampled[0]) - 1)))
    parts.append(_latex(cost_rows(comparison), "lrrrr"))
    return "\n".join(parts) + "\n"


def title(comparison: Comparison) -> str:
    """Say what was scored, and how many runs an arm has."""
    runs = _count(comparison.seeds, "seed")
    if not comparison.data:
        return f"nothing was scored, {runs}"
    return f"{comparison.data}, {_count(comparison.examples, 'example')}, {runs}"


def method(comparison: Comparison) -> str:
    """Say what the intervals are, and what they do not know."""
    seeds = (
        "Each arm was run with one seed: intervals hold for these trained networks, and know nothing of other seeds."
        if comparison.seeds == 1
        else f"Means are over {comparison.seeds} seeds, with their 95 % interval by Student's t."
    )
    drawn = "examples" if comparison.seeds == 1 else "examples, and of seeds independently of them"
    few = "" if comparison.seeds == 1 or comparison.seeds >= 5 else " Few seeds make that interval too narrow."
    return (
        f"{seeds} Differences are to the arm {comparison.reference}, on the same examples; their 95 % interval is a "
        f"paired percentile bootstrap over {comparison.resamples:,} resamples of {drawn} (Efron and Tibshirani 1993)."
        f"{few} Where it includes zero, the difference is within noise."
    )


def score_rows(comparison: Comparison) -> list[list[str]]:
    """Return a header, and for each score a row for each arm and predictor; empty if nothing was scored."""
    names = list(dict.fromkeys(name for arm in comparison.arms for name in arm.statistics))
    if not names:
        return []
    rows = [["score", "arm", "mean", "95 % over seeds", "difference", "95 % paired", ""]]
    for name in names:
        definition = comparison.definitions.get(name, {})
        percent = bool(definition.get("percent"))
        beside = [row for row in comparison.predictors if name in row.statistics]
        for position, arm in enumerate([*comparison.arms, *beside]):
            head = ["" if position else label(name, definition), arm.name]
            statistic = arm.statistics.get(name)
            if statistic is None:
                rows.append([*head, text.MISSING, "", "", "", verdict(comparison, arm, name)])
                continue
            apart = statistic.difference
            rows.append(
                [
                    *head,
                    text.score(statistic.mean, percent),
                    bounds(statistic.interval, percent),
                    "" if apart is None else signed(apart, percent),
                    "" if apart is None else bounds(statistic.difference_interval, percent, sign=True),
                    verdict(comparison, arm, name),
                ]
            )
    return rows


def cost_rows(comparison: Comparison) -> list[list[str]]:
    """Return a header, and a row for each arm: what one run took."""
    rows = [["arm", "runs", "training time", "downstream evaluations", "examples trained on"]]
    for arm in comparison.arms:
        done = sum(not run.failure for run in arm.runs)
        runs = f"{done}" if done == len(arm.runs) else f"{done} of {len(arm.runs)}"
        cost = arm.cost
        if cost is None:
            rows.append([arm.name, runs, *[text.MISSING] * 3])
        else:
            taken = [text.duration(cost.seconds), f"{cost.evaluations:,.0f}", f"{cost.presented:,}"]
            rows.append([arm.name, runs, *taken])
    return rows


def remarks(comparison: Comparison) -> list[str]:
    """Say what a reader should know: failures, arms that came out the same, settings that were not read."""
    said = []
    for arm in comparison.arms:
        if failed := [run for run in arm.runs if run.failure]:
            said.append(f"failed: {arm.name}, {_seeds([run.seed for run in failed])}: {failed[0].failure}")
    for pair in comparison.identical:
        what = "weights and scores" if pair.scores else "weights, though not the same scores"
        where = "" if pair.scores else " in the training"
        said.append(
            f"bit-identical: {pair.arms[0]} and {pair.arms[1]} have the same {what}, for {_seeds(pair.seeds)}: "
            f"what they vary changed nothing{where}."
        )
    said += [f"not read by {arm.name}: {line}" for arm in comparison.arms for line in arm.unread]
    return [*said, *comparison.notes]


def verdict(comparison: Comparison, arm: ArmRecord, name: str) -> str:
    """Return the verdict on an arm's score beside that of the reference."""
    if arm.runs and all(run.failure for run in arm.runs):
        return f"failed: {shorten(arm.runs[0].failure.splitlines()[0], 60)}"
    if arm.name == comparison.reference:
        return "reference"
    statistic = arm.statistics.get(name)
    if statistic is None or statistic.difference is None or statistic.difference_interval is None:
        return ""
    if statistic.within_noise:
        return "within noise"
    better = comparison.definitions.get(name, {}).get("better")
    return ("better" if (statistic.difference > 0) == (better == "higher") else "worse") if better else "differs"


def _seeds(numbers: Sequence[int]) -> str:
    return f"seed{'s' * (len(numbers) > 1)} {', '.join(map(str, numbers))}"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' * (number != 1)}"


def _markdown(rows: Sequence[Sequence[str]]) -> str:
    header, *body = [f"| {' | '.join(map(_cell, row))} |" for row in rows]
    return "\n".join([header, "|" + "---|" * len(rows[0]), *body])


def _cell(words: str) -> str:
    return words.replace("\\", "\\\\").replace("|", "\\|")


def _latex(rows: Sequence[Sequence[str]], columns: str) -> str:
    header, *body = rows
    out = [f"\\begin{{tabular}}{{{columns}}}", "\\toprule", _latex_row(header), "\\midrule"]
    for position, row in enumerate(body):
        # A score's rows belong together: only the first of them names it.
        if position and row[0] and not body[position - 1][0]:
            out.append("\\addlinespace")
        out.append(_latex_row(row))
    return "\n".join([*out, "\\bottomrule", "\\end{tabular}"])


def _latex_row(row: Sequence[str]) -> str:
    cells = ["".join(_ESCAPED.get(character, character) for character in cell) for cell in row]
    # A hyphen before a number is a minus.
    return " & ".join(re.sub(r"(?<![^ ])-(?=[0-9])", "$-$", cell) for cell in cells) + r" \\"
