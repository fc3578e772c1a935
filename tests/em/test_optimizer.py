from __future__ import annotations

import inspect
import math
import re
from typing import Any

import attrs
import pytest
import torch
from optimizing import REGISTRY, optimizer, table
from torch import Tensor, nn

from jointtask.api.errors import ConfigError, PluginError, RunError
from jointtask.em.optimizer import Plan, TaskOptimizer, make_optimizer


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


def _advance(task: nn.Module, made: TaskOptimizer, steps: int) -> None:
    for _ in range(steps):
        generator = torch.Generator().manual_seed(made.steps)
        x = torch.randn(4, 2, 5, 5, generator=generator)
        made.zero_grad()
        task.energy(task({"x": x}), torch.ones(4, 2)).mean().backward()
        made.step()


def _gradients(task: nn.Module, value: float = 1.0) -> None:
    for parameter in task.parameters():
        parameter.grad = torch.full_like(parameter, value)


TORCH = [component.name for component in REGISTRY.components("optimizer")]


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("name", TORCH)
def test_continuing_from_a_saved_state_is_bit_identical(name: str, layout: torch.memory_format) -> None:
    decay = {} if name == "rprop" else {"weight_decay": 0.01}
    keys = {"name": name, "rate": 0.05, "schedule": "cosine", "warmup_steps": 3, "clip": 0.5, **decay}
    whole = Toy().to(memory_format=layout)
    made = optimizer(whole, 5, 2, **keys)
    _advance(whole, made, 4)
    weights = {key: value.clone() for key, value in whole.state_dict().items()}
    state = {key: value.clone() for key, value in made.state_tensors().items()}
    _advance(whole, made, 6)

    resumed = Toy().to(memory_format=layout)
    resumed.load_state_dict(weights)
    again = optimizer(resumed, 5, 2, **keys)
    again.load_state_tensors(state)
    assert again.steps == 4
    _advance(resumed, again, 6)

    for key, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[key]), key
    assert made.state_tensors().keys() == again.state_tensors().keys()
    for key, value in made.state_tensors().items():
        assert torch.equal(value, again.state_tensors()[key]), key


@pytest.mark.parametrize("name", TORCH)
def test_the_settings_are_the_arguments_of_torch_with_its_defaults(name: str) -> None:
    """But for the momentum of sgd, which is 0.9."""
    component = REGISTRY.find("optimizer", name)
    cls = next(cls for cls in vars(torch.optim).values() if getattr(cls, "__name__", "").lower() == name)
    arguments = inspect.signature(cls).parameters
    for field in attrs.fields(component.settings):
        expected = 0.9 if (name, field.name) == ("sgd", "momentum") else arguments[field.name].default
        assert field.default == expected, field.name
    machinery = {"params", "lr", "weight_decay", "foreach", "maximize", "capturable", "differentiable", "fused"}
    missing = set(arguments) - machinery - {field.name for field in attrs.fields(component.settings)}
    assert missing == ({"eps"} if name == "adafactor" else set())


def test_every_optimizer_of_torch_is_there_but_three() -> None:
    classes = {
        name.lower()
        for name, cls in vars(torch.optim).items()
        if isinstance(cls, type) and issubclass(cls, torch.optim.Optimizer)
    }
    assert classes - set(TORCH) <= {"optimizer", "lbfgs", "sparseadam", "muon"}


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"name": "adamm"}, "did you mean 'adam'"),
        ({"name": "nadam", "momentum": 0.9}, "unknown key; did you mean 'momentum_decay'?"),
        ({"name": "adamw", "momentum": 0.5}, "unknown key; known here: name, betas, eps, amsgrad, rate"),
        ({"name": "sgd", "nestrov": True}, "did you mean 'nesterov'"),
        ({"name": "rmsprop", "alpha": "0.9"}, "expected a number, got the string '0.9'"),
        ({"name": "adam", "betas": [0.9]}, "expected 2 values, got 1"),
        ({"schedule": "cosinus"}, "did you mean 'cosine'"),
        ({"schedule": {"name": "step", "epoch": 3}}, "did you mean 'epochs'"),
        ({"schedule": "cosine", "step_epochs": 3}, "unknown key"),
    ],
)
def test_a_faulty_table_is_refused_with_what_there_is(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        table(**keys)


def test_a_value_that_torch_refuses_is_the_users_fault() -> None:
    with pytest.raises(ConfigError, match=r"the optimizer 'adam' of jointtask .* refuses its settings") as caught:
        optimizer(Toy(), name="adam", betas=[0.9, 1.5])
    assert "Invalid beta parameter" in caught.value.cause
    with pytest.raises(ConfigError, match=r"upstream\.optimizer: 'rprop' has no weight decay"):
        optimizer(Toy(), name="rprop", weight_decay=0.1)


@pytest.mark.parametrize(
    ("earlier", "today"),
    [
        ({"momentum": 0.9}, {}),
        ({"name": "adamw", "momentum": 0.9, "schedule": "constant", "step_epochs": 10, "step_factor": 0.1}, {}),
        (
            {"name": "sgd", "momentum": 0.7, "schedule": "cosine"},
            {"name": "sgd", "momentum": 0.7, "schedule": "cosine"},
        ),
        (
            {"name": "sgd", "schedule": "step", "step_epochs": 13, "step_factor": 0.5},
            {"name": "sgd", "schedule": {"name": "step", "epochs": 13, "factor": 0.5}},
        ),
        ({"schedule": "step", "step_factor": 0.5}, {"schedule": {"name": "step", "factor": 0.5}}),
    ],
)
def test_tables_of_earlier_versions_mean_what_they_meant(earlier: dict[str, Any], today: dict[str, Any]) -> None:
    assert table(**earlier) == table(**today)


class Counting(torch.optim.SGD):
    """Keeps a number for each parameter and changes one of its group, as some third-party optimizers do."""

    def __init__(self, groups: Any) -> None:
        super().__init__([{**group, "count": 0} for group in groups])

    def step(self, closure: Any = None) -> None:  # type: ignore[override]  # torch overloads it
        for group in self.param_groups:
            group["count"] += 1
            for parameter in group["params"]:
                kept = self.state[parameter]
                kept["calls"] = kept.get("calls", 0) + group["count"]
                parameter.data.add_(parameter.grad, alpha=-group["lr"] / kept["calls"])


class Hoarding(torch.optim.SGD):
    """Keeps a list, which a checkpoint cannot hold."""

    def step(self, closure: Any = None) -> None:  # type: ignore[override]  # torch overloads it
        for parameter in self.param_groups[0]["params"]:
            self.state[parameter]["all"] = []


def _third_party(task: nn.Module, cls: Any) -> TaskOptimizer:
    return make_optimizer("upstream", task, table(rate=0.1), Plan(cls, lambda *_: 1.0, 1, 1))


def test_numbers_that_an_optimizer_keeps_are_saved_too() -> None:
    whole, resumed = Toy(), Toy()
    made, again = _third_party(whole, Counting), _third_party(resumed, Counting)
    _advance(whole, made, 3)
    resumed.load_state_dict(whole.state_dict())
    again.load_state_tensors({key: value.clone() for key, value in made.state_tensors().items()})
    _advance(whole, made, 3)
    _advance(resumed, again, 3)
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), resumed.parameters(), strict=True))


def test_a_state_that_cannot_be_saved_is_said() -> None:
    task = Toy()
    made = _third_party(task, Hoarding)
    _advance(task, made, 1)
    with pytest.raises(RunError, match=r"upstream\.optimizer: 'adamw' keeps a list, 'all', in its state"):
        made.state_tensors()


def test_state_is_contiguous_and_named_by_parameter() -> None:
    task = Toy().to(memory_format=torch.channels_last)
    made = optimizer(task, 1, 1, name="sgd")
    assert made.state_tensors().keys() == {"steps"}
    _advance(task, made, 1)
    state = made.state_tensors()
    expected = {f"{name}:momentum_buffer" for name, _ in task.named_parameters()}
    assert state.keys() == expected | {"steps"}
    assert all(value.is_contiguous() for value in state.values())


def test_loading_before_the_first_step_starts_afresh() -> None:
    first, second = Toy(), Toy()
    keys = {"name": "sgd", "rate": 0.1}
    one, two = optimizer(first, 1, 1, **keys), optimizer(second, 1, 1, **keys)
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
    made = optimizer(Toy(), 1, 1, name="sgd")
    with pytest.raises(RunError, match="saved optimizer state"):
        made.load_state_tensors(state)
    assert made.steps == 0


def test_rates_by_group_and_factor_on_biases() -> None:
    task = Toy()
    before = {name: value.detach().clone() for name, value in task.named_parameters()}
    keys = {"name": "sgd", "rate": 0.5, "rates": {"first": 0.125}, "bias_rate": 2.0, "momentum": 0.0}
    made = optimizer(task, 1, 1, **keys)
    _gradients(task)
    made.step()
    moved = {name: before[name] - value.detach() for name, value in task.named_parameters()}
    expected = {"first.weight": 0.125, "first.bias": 0.25, "second.weight": 0.5, "second.bias": 1.0}
    for name, rate in expected.items():
        torch.testing.assert_close(moved[name], torch.full_like(moved[name], rate))


@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_biases_do_not_decay(name: str) -> None:
    task = Toy()
    before = {key: value.detach().clone() for key, value in task.named_parameters()}
    made = optimizer(task, 1, 1, name=name, rate=0.1, weight_decay=0.5)
    _gradients(task, 0.0)
    made.step()
    for key, value in task.named_parameters():
        factor = 1.0 if key.endswith("bias") else 1 - 0.1 * 0.5
        torch.testing.assert_close(value.detach(), before[key] * factor)


def test_rate_zero_freezes_a_group() -> None:
    task = Toy()
    before = [value.detach().clone() for value in task.first.parameters()]
    made = optimizer(task, 1, 1, name="adamw", rates={"first": 0.0}, weight_decay=0.5)
    assert not any(parameter.requires_grad for parameter in task.first.parameters())
    _advance(task, made, 2)
    assert all(torch.equal(a, b) for a, b in zip(task.first.parameters(), before, strict=True))
    assert not any(key.startswith("first") for key in made.state_tensors())


def test_everything_frozen_still_counts_steps() -> None:
    made = optimizer(Toy(), 1, 1, rate=0.0)
    made.step()
    assert made.steps == 1


def test_clip_bounds_the_norm_over_all_groups() -> None:
    task = Toy()
    before = [value.detach().clone() for value in task.parameters()]
    made = optimizer(task, 1, 1, name="sgd", rate=1.0, momentum=0.0, clip=0.25)
    _gradients(task, 3.0)
    made.step()
    moved = torch.cat([(a - b).flatten() for a, b in zip(before, task.parameters(), strict=True)])
    assert moved.norm().item() == pytest.approx(0.25, rel=1e-4)


def test_unknown_group_lists_the_groups() -> None:
    with pytest.raises(ConfigError, match="third") as caught:
        optimizer(Toy(), 1, 1, rates={"third": 0.1})
    assert "first, second" in str(caught.value)


def test_a_rate_for_a_group_that_the_network_freezes_is_refused() -> None:
    task = Toy()
    task.first.requires_grad_(False)
    optimizer(task, 1, 1, rates={"first": 0.0})
    with pytest.raises(ConfigError, match="'first'"):
        optimizer(task, 1, 1, rates={"first": 0.1})


def test_a_parameter_without_gradient_is_named_at_the_first_step() -> None:
    task = Toy()
    made = optimizer(task, 1, 1)
    task.second(torch.ones(1, 3)).sum().backward()
    with pytest.raises(RunError, match=r"2 of 4 .*first\.weight, first\.bias"):
        made.step()


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
        optimizer(Toy(), 1, 1)


@pytest.mark.parametrize(
    ("keys", "step", "factor"),
    [
        ({}, 1000, 1.0),
        ({"warmup_steps": 4}, 0, 0.2),
        ({"warmup_steps": 4}, 3, 0.8),
        ({"warmup_steps": 4}, 4, 1.0),
        ({"schedule": "cosine"}, 0, 1.0),
        ({"schedule": "cosine"}, 50, 0.5),
        ({"schedule": "cosine"}, 100, 0.0),
        ({"schedule": "cosine"}, 101, 0.0),
        ({"schedule": {"name": "step", "epochs": 2, "factor": 0.1}}, 39, 0.1),
        ({"schedule": {"name": "step", "epochs": 2, "factor": 0.1}}, 40, 0.01),
    ],
)
def test_schedule_is_a_function_of_the_step(keys: dict[str, Any], step: int, factor: float) -> None:
    made = optimizer(Toy(), 10, 10, rate=1.0, **keys)
    made.steps = step
    assert math.isclose(made.rate, factor, abs_tol=1e-12)
