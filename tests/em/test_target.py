"""The posterior that two networks define, against a loop over single examples and states."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from toy import BumpData, Bumps, Interval, IntervalSettings, LabelPoints, Locate

from jointtask.api.proposal import History
from jointtask.em.pair import Pair
from jointtask.em.proposal_table import log_proposal
from jointtask.em.target import NetworkTarget

IDS = [f"0-{i:03d}" for i in range(6)]


class Counting(LabelPoints):
    """Remembers how many rows it was asked for, by call."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[int] = []

    def forward(self, inputs: Tensor) -> Tensor:
        self.rows.append(len(inputs))
        return super().forward(inputs)


def make(downstream_batch: int = 7, downstream_weight: float = 0.5) -> tuple[NetworkTarget, Pair, dict[str, Tensor]]:
    torch.manual_seed(0)
    bridge = Interval(IntervalSettings(levels=(-3.0, -1.5, 0.0, 1.5)))
    pair = Pair(
        upstream=Locate().eval(),
        downstream=Counting().eval(),
        bridge=bridge,
        device=torch.device("cpu"),
        upstream_weight=0.01,
        downstream_weight=downstream_weight,
        downstream_batch=downstream_batch,
    )
    batch = Bumps(BumpData()).batch(range(6))
    reference = bridge.reference(bridge.base(batch), bridge.grid.states.float())
    usable = bridge.usable(reference)
    usable[2, 3] = False
    proposal = log_proposal({}, batch, reference, usable, History(*[torch.zeros(6)] * 3))
    with torch.no_grad():
        upstream = pair.upstream_energy(pair.predict_upstream(batch), reference)
    return NetworkTarget(pair, IDS, batch, reference, usable, upstream, proposal), pair, batch


def slowly(pair: Pair, batch: dict[str, Tensor], example: int, state: int) -> float:
    """The energy of one example in one state, with nothing shared."""
    one = {name: tensor[example : example + 1] for name, tensor in batch.items()}
    reference = pair.bridge.reference(pair.bridge.base(one), pair.bridge.grid.states[state : state + 1].float())
    with torch.no_grad():
        condition = pair.bridge.condition(one, reference)
        downstream = pair.downstream.energy(pair.downstream(condition.input), condition.target)
        upstream = pair.upstream.energy(pair.upstream(one), reference[:, 0])
    return 0.01 * float(upstream) + 0.5 * float(downstream)


@pytest.mark.parametrize("size", [1, 3, 7, 1000])
def test_energies_equal_those_of_one_example_and_state_at_a_time(size: int) -> None:
    target, pair, batch = make(downstream_batch=size)
    index = torch.randint(0, 16, (6, 5), generator=torch.Generator().manual_seed(1))
    index[2, :] = torch.tensor([3, 0, 0, 3, 15])
    energy = target.energy(index)
    for example in range(6):
        for draw in range(5):
            state = int(index[example, draw])
            if (example, state) == (2, 3):
                assert energy[example, draw] == torch.inf
            else:
                assert float(energy[example, draw]) == pytest.approx(slowly(pair, batch, example, state), rel=1e-5)


def test_no_state_is_paid_for_twice_and_requests_come_in_full_batches() -> None:
    target, pair, _ = make(downstream_batch=4)
    index = torch.tensor([[0, 1, 1, 0]] * 6)
    target.energy(index)
    assert pair.downstream.rows == [4, 4, 4]
    target.energy(index)
    target.energy(index[:, :1])
    assert sum(pair.downstream.rows) == 12
    target.energy(torch.tensor([[0, 5]] * 6))
    assert sum(pair.downstream.rows) == 18
    assert target.evaluated.tolist() == [3] * 6


def test_enumeration_pays_for_what_is_unknown_alone() -> None:
    target, pair, _ = make(downstream_batch=100)
    target.energy(torch.zeros(6, 1, dtype=torch.int64))
    everything = target.enumerate(torch.tensor([1, 2]))
    assert everything.shape == (2, 16)
    assert pair.downstream.rows == [6, 15 + 14]
    assert torch.isinf(everything).nonzero().tolist() == [[1, 3]]


def test_an_unusable_state_has_no_proposal_and_the_start_is_no_adjustment() -> None:
    target, pair, _ = make()
    assert target.log_proposal[2, 3] == -torch.inf
    assert torch.allclose(target.log_proposal.exp().sum(dim=1), torch.ones(6, dtype=torch.float64))
    assert pair.bridge.grid.states[target.start].tolist() == [[0.0, 0.0]] * 6
