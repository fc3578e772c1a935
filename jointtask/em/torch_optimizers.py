"""The optimizers of `torch.optim` as components, with their own arguments as settings."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import attrs

from jointtask.api import hookimpl
from jointtask.api.component import Component, Context
from jointtask.api.optimizer import OptimizerFactory
from jointtask.api.setting import setting

__all__ = ["jointtask_optimizers"]

_BETAS = ((0.9, 0.999), "decay rates of the two running averages")
_EPS = (1e-8, "added to a denominator, for numerical stability")
_DECOUPLED = (False, "whether weight decay leaves the gradient alone, as in AdamW")
_AMSGRAD = (False, "whether the largest running average so far divides the step (Reddi et al., ICLR 2018)")

# Name, class of torch.optim, summary, and its arguments with their defaults: without torch, which takes a second to
# import. LBFGS, SparseAdam and Muon are left out: they need a closure, sparse gradients or matrices alone.
_TORCH: Sequence[tuple[str, str, str, dict[str, tuple[Any, str]]]] = (
    (
        "sgd",
        "SGD",
        "stochastic gradient descent with momentum",
        {
            "momentum": (0.9, "factor on the running sum of gradients"),
            "dampening": (0.0, "one minus the factor on the newest gradient in that sum"),
            "nesterov": (False, "whether the momentum is Nesterov's"),
        },
    ),
    (
        "adamw",
        "AdamW",
        "Adam with decoupled weight decay (Loshchilov and Hutter, ICLR 2019)",
        {"betas": _BETAS, "eps": _EPS, "amsgrad": _AMSGRAD},
    ),
    (
        "adam",
        "Adam",
        "Adam (Kingma and Ba, ICLR 2015)",
        {"betas": _BETAS, "eps": _EPS, "amsgrad": _AMSGRAD, "decoupled_weight_decay": _DECOUPLED},
    ),
    ("adamax", "Adamax", "Adam with the infinity norm", {"betas": _BETAS, "eps": _EPS}),
    (
        "nadam",
        "NAdam",
        "Adam with Nesterov momentum (Dozat, ICLR 2016)",
        {
            "betas": _BETAS,
            "eps": _EPS,
            "momentum_decay": (4e-3, "decay of the momentum"),
            "decoupled_weight_decay": _DECOUPLED,
        },
    ),
    (
        "radam",
        "RAdam",
        "rectified Adam (Liu et al., ICLR 2020)",
        {"betas": _BETAS, "eps": _EPS, "decoupled_weight_decay": _DECOUPLED},
    ),
    (
        "rmsprop",
        "RMSprop",
        "gradients divided by a running average of their size (Tieleman and Hinton, 2012)",
        {
            "alpha": (0.99, "decay rate of the running average"),
            "eps": _EPS,
            "momentum": (0.0, "factor on the running sum of steps"),
            "centered": (False, "whether the running average is a variance"),
        },
    ),
    (
        "adagrad",
        "Adagrad",
        "gradients divided by the root of their summed squares (Duchi et al., JMLR 2011)",
        {
            "lr_decay": (0.0, "decay of the learning rate"),
            "initial_accumulator_value": (0.0, "initial sum of squares"),
            "eps": (1e-10, _EPS[1]),
        },
    ),
    (
        "adadelta",
        "Adadelta",
        "steps scaled by running averages of steps and gradients (Zeiler, 2012)",
        {"rho": (0.9, "decay rate of the running averages"), "eps": (1e-6, _EPS[1])},
    ),
    (
        "adafactor",
        "Adafactor",
        "Adam with a factored second moment (Shazeer and Stern, ICML 2018)",
        {
            "beta2_decay": (-0.8, "exponent of the decay of the running average"),
            "d": (1.0, "threshold of clipping by the root mean square of an update"),
        },
    ),
    (
        "asgd",
        "ASGD",
        "averaged stochastic gradient descent (Polyak and Juditsky, 1992)",
        {
            "lambd": (1e-4, "decay term"),
            "alpha": (0.75, "exponent of the decay of the learning rate"),
            "t0": (1e6, "step at which averaging starts"),
        },
    ),
    (
        "rprop",
        "Rprop",
        "resilient backpropagation, by the signs of the gradients",
        {
            "etas": ((0.5, 1.2), "factors on the step where the sign changes, and where it stays"),
            "step_sizes": ((1e-6, 50.0), "least and largest step"),
        },
    ),
)


def _settings(arguments: dict[str, tuple[Any, str]], cls: str) -> type:
    def annotation(value: Any) -> Any:
        return tuple[float, float] if isinstance(value, tuple) else type(value)

    bounds: dict[str, dict[str, Any]] = {"momentum": {"ge": 0, "lt": 1}, "eps": {"ge": 0}}
    fields = {}
    for name, (value, meaning) in arguments.items():
        fields[name] = setting(value, meaning, **bounds.get(name, {}))
        fields[name].type = annotation(value)
    return attrs.make_class(f"{cls}Settings", fields, frozen=True)


def _make(cls: str, settings: Any, context: Context) -> OptimizerFactory:
    import torch

    return partial(getattr(torch.optim, cls), **attrs.asdict(settings))


@hookimpl
def jointtask_optimizers() -> Sequence[Component]:
    """Give the optimizers of `torch.optim`."""
    return [
        Component(name, _settings(arguments, cls), partial(_make, cls), summary)
        for name, cls, summary, arguments in _TORCH
    ]
