"""Batch normalisation: frozen statistics stand still, and a batch of one example does not end a run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from optimizing import optimizer
from torch import Tensor, nn
from toy import BumpData, Bumps, Interval, IntervalSettings, LabelPoints, Locate

from jointtask.em.batches import ExampleBatch
from jointtask.em.batchnorm import hold_frozen_statistics, single_values_allowed
from jointtask.em.mstep import MStep, train_batch
from jointtask.em.pair import Pair

DATA = Bumps(BumpData())


def take(rows: range) -> ExampleBatch:
    return ExampleBatch(torch.tensor(rows), [DATA.ids[row] for row in rows], DATA.batch(rows))


class Normed(Locate):
    """With a normalised encoder that can be frozen."""

    def __init__(self) -> None:
        super().__init__(dropout=0.0)
        self.norm = nn.BatchNorm1d(32)
        self.bare = nn.Sequential(nn.Linear(64, 32), nn.BatchNorm1d(32, affine=False))

    def forward(self, batch: Any) -> Tensor:
        hidden = torch.tanh(self.norm(self.hidden(batch["values"])) + self.bare(batch["values"]))
        return 32 + 10 * self.out(hidden)

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        encoder = [*self.hidden.parameters(), *self.norm.parameters(), *self.bare.parameters()]
        return {"encoder": encoder, "out": list(self.out.parameters())}


def trained(batches: list[range], **keys: Any) -> tuple[Pair, dict[str, Tensor]]:
    """Train a step on each batch; return the pair, and its buffers from before."""
    torch.manual_seed(0)
    pair = Pair(Normed(), LabelPoints(), Interval(IntervalSettings()), torch.device("cpu"), upstream_weight=0.01)
    before = {name: value.clone() for name, value in pair.upstream.named_buffers()}
    optimizers = {"upstream": optimizer(pair.upstream, rate=0.01, **keys), "downstream": optimizer(pair.downstream)}
    pair.train(False)
    pair.train(True)
    for rows in batches:
        batch = take(rows)
        train_batch(pair, MStep(optimizers), 0, batch, pair.bridge.base(batch.tensors)[:, None])
    return pair, before


def test_the_statistics_of_a_frozen_group_stand_still() -> None:
    frozen, before = trained([range(6), range(6, 12)], rates={"encoder": 0.0})
    assert all(torch.equal(value, before[name]) for name, value in frozen.upstream.named_buffers())
    learning, before = trained([range(6), range(6, 12)])
    assert not any(torch.equal(value, before[name]) for name, value in learning.upstream.named_buffers())


@pytest.mark.parametrize("batches", [[range(6), range(6, 7)], [range(1)], [range(1), range(1, 2), range(6)]])
def test_a_batch_of_one_example_does_not_end_a_run(batches: list[range]) -> None:
    pair, before = trained(batches)
    buffers = dict(pair.upstream.named_buffers())
    counted = sum(len(rows) > 1 for rows in batches)
    assert int(buffers["norm.num_batches_tracked"]) == counted, "one value has no variance to be tracked"
    assert torch.equal(buffers["norm.running_mean"], before["norm.running_mean"]) == (counted == 0)
    assert pair.upstream.norm.training


LAYERS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "BatchNorm1d": (lambda: nn.BatchNorm1d(3), (1, 3)),
    "BatchNorm1d of a line": (lambda: nn.BatchNorm1d(3), (1, 3, 1)),
    "BatchNorm2d of one pixel": (lambda: nn.BatchNorm2d(3), (1, 3, 1, 1)),
    "BatchNorm3d": (lambda: nn.BatchNorm3d(3), (1, 3, 1, 1, 1)),
    "InstanceNorm2d": (lambda: nn.InstanceNorm2d(3, track_running_stats=True), (1, 3, 1, 1)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_a_single_value_uses_the_running_statistics(name: str) -> None:
    make, shape = LAYERS[name]
    layer = make()
    with pytest.raises(ValueError, match="Expected more than 1"):
        layer(torch.ones(shape))
    with single_values_allowed([nn.Sequential(layer)]):
        value = layer(torch.full(shape, 2.0))
    torch.testing.assert_close(value, torch.full(shape, 2.0), rtol=1e-4, atol=0)  # mean 0 and variance 1
    assert layer.training
    with pytest.raises(ValueError, match="Expected more than 1"):
        layer(torch.ones(shape))


def test_an_image_alone_is_normalised_by_its_own_pixels() -> None:
    layer, image = nn.BatchNorm2d(3), torch.randn(1, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    expected = nn.BatchNorm2d(3)(image)
    with single_values_allowed([layer]):
        assert torch.equal(layer(image), expected)
    assert int(layer.num_batches_tracked or 0) == 1


def test_only_layers_of_frozen_groups_are_held() -> None:
    module = nn.ModuleDict(
        {
            "frozen": nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2), nn.BatchNorm1d(2, affine=False)),
            "learning": nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2, affine=False)),
        }
    )
    module["frozen"].requires_grad_(False)
    hold_frozen_statistics(module.train())
    held = [name for name, layer in module.named_modules() if isinstance(layer, nn.BatchNorm1d) and not layer.training]
    assert held == ["frozen.1", "frozen.2"]
