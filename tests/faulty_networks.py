"""Task networks and bridges that break their contract, by what is wrong: plugin, setting and message."""

from __future__ import annotations

CASES = {
    "a task that writes into its batch": (
        """
class Odd(trial.Find):
    def forward(self, batch):
        batch["values"].clamp_(max=1)
        return super().forward(batch)

@hookimpl
def jointtask_tasks():
    return component("odd", lambda settings, context: Odd())
""",
        "upstream.name=odd",
        r"the upstream task 'odd' of odd.py sha256:\w+: what the task was given was changed in place; expected",
    ),
    "a task that reads the annotation": (
        """
class Odd(trial.Find):
    def forward(self, batch):
        return super().forward(batch) + batch["label"].sum()

@hookimpl
def jointtask_tasks():
    return component("odd", lambda settings, context: Odd())
""",
        "upstream.name=odd",
        r"the upstream task 'odd' of .*: its forward pass reads 'label', which is an annotation; expected it to",
    ),
    "an energy that is a mean over the batch": (
        """
class Odd(trial.Mark):
    def energy(self, prediction, target):
        return super().energy(prediction, target).mean().expand(len(prediction))

@hookimpl
def jointtask_tasks():
    return component("odd", lambda settings, context: Odd())
""",
        "downstream.name=odd",
        r"the downstream task 'odd' of .*: an example's energy depends on the others",
    ),
    "an energy that is averaged over outputs": (
        """
class Odd(trial.Mark):
    def energy(self, prediction, target):
        return super().energy(prediction, target) / prediction.shape[1]

@hookimpl
def jointtask_tasks():
    return component("odd", lambda settings, context: Odd())
""",
        "downstream.name=odd",
        r"the downstream task 'odd' of .*: the energy of two examples side by side is the mean",
    ),
    "a log likelihood in place of an energy": (
        """
class Odd(trial.Mark):
    def energy(self, prediction, target):
        return -super().energy(prediction, target)

@hookimpl
def jointtask_tasks():
    return component("odd", lambda settings, context: Odd())
""",
        "downstream.name=odd",
        r"the downstream task 'odd' of .*: the energy is negative, and rises as predictions come nearer",
    ),
    "an energy that is lost as the task learns": (
        """
class Odd(trial.Mark):
    def energy(self, prediction, target):
        energy = super().energy(prediction, target)
        return torch.where(energy < 0.95 * 16 * torch.tensor(2.0).log(), torch.nan, energy)

@hookimpl
def jointtask_tasks():
    torch.manual_seed(0)
    return component("odd", lambda settings, context: Odd())
""",
        "downstream.name=odd",
        r"(after \d+ training steps, the downstream loss|the downstream task 'odd' of .*) .*is not finite for",
    ),
    "a task that fails in training mode": (
        """
class Odd(trial.Mark):
    def forward(self, inputs):
        if self.training:
            raise IndexError("my own bug")
        return super().forward(inputs)

@hookimpl
def jointtask_tasks():
    return component("odd", lambda settings, context: Odd())
""",
        "downstream.name=odd",
        r"the downstream task 'odd' of .*: in training mode, the task raised IndexError: my own bug",
    ),
    "unusable base references": (
        """
class Odd(trial.Interval):
    def base(self, batch):
        return super().base(batch).flip(1)

@hookimpl
def jointtask_bridges():
    return component("odd", lambda settings, context: Odd(trial.IntervalSettings()))
""",
        "bridge.name=odd",
        r"the bridge 'odd' of .*: a base reference is not usable",
    ),
    "base references that are not finite": (
        """
class Odd(trial.Interval):
    def base(self, batch):
        return super().base(batch) * torch.nan

@hookimpl
def jointtask_bridges():
    return component("odd", lambda settings, context: Odd(trial.IntervalSettings()))
""",
        "bridge.name=odd",
        r"the bridge 'odd' of .*: the base reference of the examples \[0, 1, 2, 3\] is not finite",
    ),
    "an augmentation that is a pair": (
        """
class Odd(trial.Interval):
    def augment(self, batch, reference, random):
        return batch, reference

@hookimpl
def jointtask_bridges():
    return component("odd", lambda settings, context: Odd(trial.IntervalSettings()))
""",
        "bridge.name=odd",
        r"the bridge 'odd' of .*: augment gives a tuple; expected an Augmented",
    ),
    "log odds in place of probabilities": (
        """
class Odd(trial.Interval):
    def restore(self, prediction, reference):
        return 9 * super().restore(prediction, reference) - 4

@hookimpl
def jointtask_bridges():
    return component("odd", lambda settings, context: Odd(trial.IntervalSettings()))
""",
        "bridge.name=odd",
        r"the bridge 'odd' of .*: restore leaves \[0, 1\]",
    ),
    "a task that reads what the batch has not": (
        """
class Odd(trial.Find):
    def forward(self, batch):
        return super().forward({"values": batch["value"]})

@hookimpl
def jointtask_tasks():
    return component("odd", lambda settings, context: Odd())
""",
        "upstream.name=odd",
        r"the upstream task 'odd' of .*: its forward pass reads 'value' of the batch; expected one of values, label",
    ),
    "a bridge that poses problems from the annotation": (
        """
class Odd(trial.Interval):
    def condition(self, batch, reference):
        return super().condition({**batch, "values": batch["values"] + 0 * batch["label"]}, reference)

@hookimpl
def jointtask_bridges():
    return component("odd", lambda settings, context: Odd(trial.IntervalSettings()))
""",
        "bridge.name=odd",
        r"the bridge 'odd' of .*: condition reads 'label', which is an annotation; expected it to do without",
    ),
    "a grid without the zero adjustment": (
        """
@hookimpl
def jointtask_bridges():
    return component("odd", lambda settings, context: trial.Interval(trial.IntervalSettings(levels=[1, 2])))
""",
        "bridge.name=odd",
        r"the bridge 'odd' of odd.py sha256:\w+: the levels of coordinate 0 have no 0",
    ),
    "an augmentation that writes into its batch": (
        """
class Odd(trial.Interval):
    def augment(self, batch, reference, random):
        batch["values"].zero_()
        return super().augment(batch, reference, random)

@hookimpl
def jointtask_bridges():
    return component("odd", lambda settings, context: Odd(trial.IntervalSettings()))
""",
        "bridge.name=odd",
        r"the bridge 'odd' of .*: the batch given to augment was changed in place",
    ),
}
