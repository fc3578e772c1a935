"""What an observer is, and the record of a training step that it sees."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from attrs import frozen

from jointtask.api.record import RoundRecord, RunRecord

if TYPE_CHECKING:
    from jointtask.api.panel import Panel

__all__ = ["Observer", "StepRecord", "numbers_of"]


@frozen
class StepRecord:
    """One step of the M-step. Mappings are by role: "upstream", "downstream".

    Attributes
    ----------
    step : int
        Number of steps of the run so far, this one included.
    round, epoch : int
        Numbers of the round, 0 for the warm-up, and of the run's epoch, from 0.
    losses : mapping of str to float
        Mean loss over the batch, weights applied; not of a network whose parameters are all frozen.
    gradient_norms : mapping of str to float
        Norm of the loss's gradient, before clipping; where several processes train, over the leader's examples.
    rates : mapping of str to float
        Largest learning rate of the network's parameter groups.
    """

    step: int
    round: int
    epoch: int
    losses: Mapping[str, float]
    gradient_norms: Mapping[str, float]
    rates: Mapping[str, float]


class Observer:
    """Watches a run; a subclass overrides what it wants to see.

    It cannot change the run: an exception is reported, and the run goes on without the observer. Of a run with several
    processes, the leader alone has observers. `jointtask check` builds observers too: open files in `run_started`.
    """

    def run_started(self, record: RunRecord, step: int) -> None:
        """See the start of a run, or its continuation after `step` steps: later ones may have been seen before."""

    def step_finished(self, record: StepRecord) -> None:
        """See a step of the M-step."""

    def round_finished(self, record: RoundRecord) -> None:
        """See a round, with the diagnostics of its E-step and the validation scores."""

    def panels_drawn(self, panels: Sequence[Panel]) -> None:
        """See example panels: of a round (`run.panels_each_round`), and of the report before the run is finished."""

    def run_finished(self, record: RunRecord) -> None:
        """See the end of a run, with its scores."""

    def run_failed(self, record: RunRecord, error: BaseException) -> None:
        """See a run end by an error or an interruption."""


def numbers_of(record: StepRecord | RoundRecord | RunRecord) -> dict[str, float]:
    """Return the numbers of a record by name, as a tracker wants them.

    Parameters
    ----------
    record : StepRecord, RoundRecord or RunRecord
        Record of a step, which has ``loss/upstream``, ``rate/upstream``, ``gradient norm/upstream`` and so on; of a
        round, with ``objective/total``, ``E-step/acceptance``, ``validation/<score>`` and so on; or of a run, with
        ``<data>/<predictor>/<score>``.
    """
    if isinstance(record, StepRecord):
        parts = {"loss": record.losses, "rate": record.rates, "gradient norm": record.gradient_norms}
        return {f"{name}/{role}": value for name, part in parts.items() for role, value in part.items()}
    if isinstance(record, RoundRecord):
        return dict(_round_numbers(record))
    values = [(f"{line.data}/{line.predictor}", line.values) for line in record.scores]
    return {f"{title}/{name}": value for title, scores in values for name, value in scores.items()}


def _round_numbers(record: RoundRecord) -> Iterator[tuple[str, float]]:
    for title, energy in (("objective at no adjustment", record.start), ("objective", record.estimate)):
        if energy is not None:
            yield f"{title}/total", energy.total
            yield f"{title}/upstream", energy.upstream
            yield f"{title}/downstream", energy.downstream
    for name, value in record.training.items():
        yield f"training/{name}", value
    if record.sampler is not None:
        for name in ("acceptance", "visited", "evaluated", "gain", "moved", "effective"):
            if (value := getattr(record.sampler, name)) is not None:
                yield f"E-step/{name}", value
        if record.sampler.oracle is not None:
            yield "E-step/regret", record.sampler.oracle.regret
            yield "E-step/mass", record.sampler.oracle.mass
    for name, value in record.validation.items():
        yield f"validation/{name}", value
