from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from jointtask.api.errors import ConfigError, PluginError, RunError
from jointtask.em.optimizer import TaskOptimizer, make_optimizer, schedule_factor
from jointtask.runfile.schema import Optimizer


class Toy(nn.Module):
    """Two layers, a group each."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Conv2d(2, 3, 3)
        self.second = nn.Linear(3, 2)

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        return self.second(self.first(batch["x"]).tanh().mean(dim=(2, 3)))

    def energy(self, prediction: Tensor, target: Tensor) -> Tensor:
        return (prediction - target).square().sum(dim=1)

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        return {"first": list(self.first.parameters()), "second": list(self.second.parameters())}


def _advance(task: nn.Module, optimizer: TaskOptimizer, steps: int) -> None:
    for _ in range(steps):
        generator = torch.Generator().manual_seed(optimizer.steps)
        x = torch.randn(4, 2, 5, 5, generator=generator)
        optimizer.zero_grad()
        task.energy(task({"x": x}), torch.ones(4, 2)).mean().backward()
        optimizer.step()


def _gradients(task: nn.Module, value: float = 1.0) -> None:
    for parameter in task.parameters():
        parameter.grad = torch.full_like(parameter, value)


@pytest.mark.parametrize("name", ["sgd", "adamw"])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_continuing_from_a_saved_state_is_bit_identical(name: str, layout: torch.memory_format) -> None:
    table = Optimizer(name=name, rate=0.05, weight_decay=0.01, schedule="cosine", warmup_steps=3, clip=0.5)
    whole = Toy().to(memory_format=layout)
    optimizer = make_optimizer(whole, table, 5, 2)
    _advance(whole, optimizer, 4)
    weights = {key: value.clone() for key, value in whole.state_dict().items()}
    state = {key: value.clone() for key, value in optimizer.state_tensors().items()}
    _advance(whole, optimizer, 6)

    resumed = Toy().to(memory_format=layout)
    resumed.load_state_dict(weights)
    again = make_optimizer(resumed, table, 5, 2)
    again.load_state_tensors(state)
    assert again.steps == 4
    _advance(resumed, again, 6)

    for key, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[key]), key
    assert optimizer.state_tensors().keys() == again.state_tensors().keys()
    for key, value in optimizer.state_tensors().items():
        assert torch.equal(value, again.state_tensors()[key]), key


def test_state_is_contiguous_and_named_by_parameter() -> None:
    task = Toy().to(memory_format=torch.channels_last)
    optimizer = make_optimizer(task, Optimizer(name="sgd"), 1, 1)
    assert optimizer.state_tensors().keys() == {"steps"}
    _advance(task, optimizer, 1)
    state = optimizer.state_tensors()
    expected = {f"{name}:momentum_buffer" for name, _ in task.named_parameters()}
    assert state.keys() == expected | {"steps"}
    assert all(value.is_contiguous() for value in state.values())


def test_loading_before_the_first_step_starts_afresh() -> None:
    first, second = Toy(), Toy()
    table = Optimizer(name="sgd", rate=0.1)
    one, two = make_optimizer(first, table, 1, 1), make_optimizer(second, table, 1, 1)
    two.load_state_tensors(one.state_tensors())
    _advance(first, one, 2)
    _advance(second, two, 2)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))


@pytest.mark.parametrize(
    "state",
    [
        {},
        {"steps": torch.tensor(1), "third.weight:momentum_buffer": torch.zeros(2)},
        {"steps": torch.tensor(1), "second.weight:momentum_buffer": torch.zeros(7)},
    ],
)
def test_a_foreign_state_is_refused(state: dict[str, Tensor]) -> None:
    optimizer = make_optimizer(Toy(), Optimizer(name="sgd"), 1, 1)
    with pytest.raises(RunError, match="saved optimizer state"):
        optimizer.load_state_tensors(state)
    assert optimizer.steps == 0


def test_rates_by_group_and_factor_on_biases() -> None:
    task = Toy()
    before = {name: value.detach().clone() for name, value in task.named_parameters()}
    table = Optimizer(name="sgd", rate=0.5, rates={"first": 0.125}, bias_rate=2.0, momentum=0.0)
    optimizer = make_optimizer(task, table, 1, 1)
    _gradients(task)
    optimizer.step()
    moved = {name: before[name] - value.detach() for name, value in task.named_parameters()}
    expected = {"first.weight": 0.125, "first.bias": 0.25, "second.weight": 0.5, "second.bias": 1.0}
    for name, rate in expected.items():
        torch.testing.assert_close(moved[name], torch.full_like(moved[name], rate))


@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_biases_do_not_decay(name: str) -> None:
    task = Toy()
    before = {key: value.detach().clone() for key, value in task.named_parameters()}
    optimizer = make_optimizer(task, Optimizer(name=name, rate=0.1, weight_decay=0.5), 1, 1)
    _gradients(task, 0.0)
    optimizer.step()
    for key, value in task.named_parameters():
        factor = 1.0 if key.endswith("bias") else 1 - 0.1 * 0.5
        torch.testing.assert_close(value.detach(), before[key] * factor)


def test_rate_zero_freezes_a_group() -> None:
    task = Toy()
    before = [value.detach().clone() for value in task.first.parameters()]
    optimizer = make_optimizer(task, Optimizer(name="adamw", rates={"first": 0.0}, weight_decay=0.5), 1, 1)
    assert not any(parameter.requires_grad for parameter in task.first.parameters())
    _advance(task, optimizer, 2)
    assert all(torch.equal(a, b) for a, b in zip(task.first.parameters(), before, strict=True))
    assert not any(key.startswith("first") for key in optimizer.state_tensors())


def test_everything_frozen_still_counts_steps() -> None:
    optimizer = make_optimizer(Toy(), Optimizer(rate=0.0), 1, 1)
    optimizer.step()
    assert optimizer.steps == 1


def test_clip_bounds_the_norm_over_all_groups() -> None:
    task = Toy()
    before = [value.detach().clone() for value in task.parameters()]
    optimizer = make_optimizer(task, Optimizer(name="sgd", rate=1.0, momentum=0.0, clip=0.25), 1, 1)
    _gradients(task, 3.0)
    optimizer.step()
    moved = torch.cat([(a - b).flatten() for a, b in zip(before, task.parameters(), strict=True)])
    assert moved.norm().item() == pytest.approx(0.25, rel=1e-4)


def test_unknown_group_lists_the_groups() -> None:
    with pytest.raises(ConfigError, match="third") as caught:
        make_optimizer(Toy(), Optimizer(rates={"third": 0.1}), 1, 1)
    assert "first, second" in str(caught.value)


def test_a_rate_for_a_group_that_the_network_freezes_is_refused() -> None:
    task = Toy()
    task.first.requires_grad_(False)
    make_optimizer(task, Optimizer(rates={"first": 0.0}), 1, 1)
    with pytest.raises(ConfigError, match="'first'"):
        make_optimizer(task, Optimizer(rates={"first": 0.1}), 1, 1)


def test_a_parameter_without_gradient_is_named_at_the_first_step() -> None:
    task = Toy()
    optimizer = make_optimizer(task, Optimizer(), 1, 1)
    task.second(torch.ones(1, 3)).sum().backward()
    with pytest.raises(RunError, match=r"2 of 4 .*first\.weight, first\.bias"):
        optimizer.step()


@pytest.mark.parametrize(
    "groups",
    [
        lambda task: {"first": list(task.first.parameters())},
        lambda task: {"first": list(task.parameters()), "second": list(task.second.parameters())},
    ],
)
def test_groups_must_hold_every_parameter_once(groups: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Toy, "parameter_groups", groups)
    with pytest.raises(PluginError, match="exactly once"):
        make_optimizer(Toy(), Optimizer(), 1, 1)


@pytest.mark.parametrize(
    ("table", "step", "factor"),
    [
        (Optimizer(), 1000, 1.0),
        (Optimizer(warmup_steps=4), 0, 0.2),
        (Optimizer(warmup_steps=4), 3, 0.8),
        (Optimizer(warmup_steps=4), 4, 1.0),
        (Optimizer(schedule="cosine"), 0, 1.0),
        (Optimizer(schedule="cosine"), 50, 0.5),
        (Optimizer(schedule="cosine"), 100, 0.0),
        (Optimizer(schedule="cosine"), 101, 0.0),
        (Optimizer(schedule="step", step_epochs=2, step_factor=0.1), 39, 0.1),
        (Optimizer(schedule="step", step_epochs=2, step_factor=0.1), 40, 0.01),
    ],
)
def test_schedule_is_a_function_of_the_step(table: Optimizer, step: int, factor: float) -> None:
    assert math.isclose(schedule_factor(table, step, 10, 10), factor, abs_tol=1e-12)
