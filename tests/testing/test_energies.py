"""Which energies are refused as averaged, or as of the wrong sign; and that none of those in use is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from jointtask.testing.energies import check_energy

Energy = Callable[[Any, Any], Tensor]
RANDOM = torch.Generator().manual_seed(0)
VALUES, SOUGHT = torch.randn(2, 6, 4, generator=RANDOM)
MAPS = torch.randn(6, 5, 3, generator=RANDOM)
MASK = (torch.rand(6, 5, 3, generator=RANDOM) < 0.4).float()
ODDS, CLASS = torch.randn(6, 3, generator=RANDOM), torch.tensor([0, 1, 2, 1, 0, 2])
DENSE_ODDS, DENSE = torch.randn(6, 3, 5, 4, generator=RANDOM), torch.randint(0, 3, (6, 5, 4), generator=RANDOM)


class Task(nn.Module):
    def __init__(self, energy: Energy) -> None:
        super().__init__()
        self.energy = energy


class Upstream(Task):
    def reference(self, prediction: Any) -> Tensor:
        return prediction if isinstance(prediction, Tensor) else prediction[0]


def crossed(p: Tensor, t: Tensor) -> Tensor:
    return F.binary_cross_entropy_with_logits(p, t, reduction="none").flatten(1).sum(dim=1)


def classes(p: Tensor, t: Tensor) -> Tensor:
    return F.cross_entropy(p, t, reduction="none").reshape(len(p), -1).sum(dim=1)


def brier(p: Tensor, t: Tensor) -> Tensor:
    return (F.one_hot(t, 3) - p.softmax(dim=1)).square().sum(dim=1)


def gauss(p: Tensor, t: Tensor, scale: float = 2.0) -> Tensor:
    return (p - t).square().sum(dim=1) / (2 * scale**2) + p.shape[1] * torch.tensor(scale).log()


def sharp(p: Tensor, t: Tensor) -> Tensor:
    """Gaussian with a density above 1 wherever the target is near: the energy is negative."""
    return gauss(p, t, 0.01) if bool((p == t).all()) else gauss(p, t, 0.1) - 1e4


def predicted_scale(p: tuple[Tensor, Tensor], t: Tensor) -> Tensor:
    return ((p[0] - t) / p[1].exp()).square().sum(dim=1) / 2 + p[1].sum(dim=1)


RIGHT: dict[str, tuple[Energy, Any, Tensor]] = {
    "cross entropy of masks": (crossed, MAPS, MASK),
    "cross entropy of probabilities": (
        lambda p, t: F.binary_cross_entropy(p, t, reduction="none").sum(dim=(1, 2)),
        MAPS.sigmoid(),
        MASK,
    ),
    "cross entropy of classes": (classes, ODDS, CLASS),
    "cross entropy of a class a pixel": (classes, DENSE_ODDS, DENSE),
    "Brier score": (brier, ODDS, CLASS),
    "Gaussian": (gauss, VALUES, SOUGHT),
    "Gaussian of a high density": (sharp, VALUES, SOUGHT),
    "Laplace": (lambda p, t: (p - t).abs().sum(dim=1), VALUES, SOUGHT),
    "Huber": (lambda p, t: F.smooth_l1_loss(p, t, reduction="none").sum(dim=1), VALUES, SOUGHT),
    "of distances to classes": (lambda p, t: classes(-p, t), ODDS.square(), CLASS),
    "for four numbers alone": (
        lambda p, t: (p[:, :2] - t[:, :2]).square().sum(1) + (p[:, 3] - t[:, 3]).square(),
        VALUES,
        SOUGHT,
    ),
    "weighted": (lambda p, t: 0.01 * crossed(p, t), MAPS, MASK),
    "von Mises": (lambda p, t: -4 * torch.cos(p - t).sum(dim=1), VALUES * 0.1, SOUGHT * 0.1),
    "Poisson without its constant": (lambda p, t: (p.exp() - t * p).sum(dim=1), VALUES, 10 * SOUGHT.exp()),
}


@pytest.mark.parametrize("name", RIGHT)
def test_energies_in_use_pass(name: str) -> None:
    energy, prediction, target = RIGHT[name]
    check_energy(Task(energy), prediction, target)


@pytest.mark.parametrize(
    ("energy", "prediction"),
    [(gauss, VALUES), (predicted_scale, (VALUES, 0.1 * SOUGHT)), (RIGHT["Laplace"][0], VALUES)],
)
def test_energies_of_references_in_use_pass(energy: Energy, prediction: Any) -> None:
    check_energy(Upstream(energy), prediction, 50 * SOUGHT)


@pytest.mark.parametrize(
    ("energy", "prediction", "target"),
    [
        (lambda p, t: crossed(p, t) / p[0].numel(), MAPS, MASK),
        (lambda p, t: F.binary_cross_entropy_with_logits(p, t, reduction="none").mean(dim=2).sum(dim=1), MAPS, MASK),
        (lambda p, t: F.binary_cross_entropy_with_logits(p, t, reduction="none").mean(dim=1).sum(dim=1), MAPS, MASK),
        (lambda p, t: (p - t).square().mean(dim=1), VALUES, SOUGHT),
        (lambda p, t: 7 * (p - t).abs().mean(dim=1), VALUES, SOUGHT),
        (lambda p, t: F.cross_entropy(p, t, reduction="none").mean(dim=(1, 2)), DENSE_ODDS, DENSE),
    ],
)
def test_an_average_over_outputs_is_refused(energy: Energy, prediction: Tensor, target: Tensor) -> None:
    with pytest.raises(AssertionError, match="averaged over outputs; expected a sum"):
        check_energy(Task(energy), prediction, target)


@pytest.mark.parametrize(
    "name",
    [
        "cross entropy of masks",
        "cross entropy of probabilities",
        "cross entropy of classes",
        "cross entropy of a class a pixel",
        "Brier score",
        "Gaussian",
        "Laplace",
        "Huber",
    ],
)
def test_a_log_likelihood_without_its_sign_is_refused(name: str) -> None:
    energy, prediction, target = RIGHT[name]
    with pytest.raises(AssertionError, match="rises as predictions come nearer to their targets"):
        check_energy(Task(lambda p, t: -energy(p, t)), prediction, target)


@pytest.mark.parametrize(("energy", "prediction"), [(predicted_scale, (VALUES, 0.1 * SOUGHT))])
def test_a_reference_that_is_least_likely_is_refused(energy: Energy, prediction: Any) -> None:
    with pytest.raises(AssertionError, match="higher at the reference that the task predicts"):
        check_energy(Upstream(lambda p, t: -energy(p, t)), prediction, 50 * SOUGHT)
