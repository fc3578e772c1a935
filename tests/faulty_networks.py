"""Task networks and bridges that break their contract, by what is wrong: plugin, setting and message."""

from __future__ import annotations

from faulty import subclass

CASES = {
    "a task that writes into its batch": (
        subclass(
            "Find",
            """
    def forward(self, batch):
        batch["values"].clamp_(max=1)
        return super().forward(batch)
""",
        ),
        "upstream.name=odd",
        r"the upstream task 'odd' of odd.py sha256:\w+: what the task was given was changed in place; expected",
    ),
    "a task that reads the annotation": (
        subclass(
            "Find",
            """
    def forward(self, batch):
        return super().forward(batch) + batch["label"].sum()
""",
        ),
        "upstream.name=odd",
        r"the upstream task 'odd' of .*: its forward pass reads 'label', which is an annotation; expected it to",
    ),
    "an energy that is a mean over the batch": (
        subclass(
            "Mark",
            """
    def energy(self, prediction, target):
        return super().energy(prediction, target).mean().expand(len(prediction))
""",
        ),
        "downstream.name=odd",
        r"the downstream task 'odd' of .*: an example's energy depends on the others",
    ),
    "an energy that is averaged over outputs": (
        subclass(
            "Mark",
            """
    def energy(self, prediction, target):
        return super().energy(prediction, target) / prediction.shape[1]
""",
        ),
        "downstream.name=odd",
        r"the downstream task 'odd' of .*: the energy of two examples side by side is the mean",
    ),
    "a log likelihood in place of an energy": (
        subclass(
            "Mark",
            """
    def energy(self, prediction, target):
        return -super().energy(prediction, target)
""",
        ),
        "downstream.name=odd",
        r"the downstream task 'odd' of .*: the energy is negative, and rises as predictions come nearer",
    ),
    "an energy that is lost as the task learns": (
        subclass(
            "Mark",
            """
    def energy(self, prediction, target):
        energy = super().energy(prediction, target)
        return torch.where(energy < 0.95 * 16 * torch.tensor(2.0).log(), torch.nan, energy)
""",
        ),
        "downstream.name=odd",
        r"(after \d+ training steps, the downstream loss|the downstream task 'odd' of .*) .*is not finite for",
    ),
    "a task that fails in training mode": (
        subclass(
            "Mark",
            """
    def forward(self, inputs):
        if self.training:
            raise IndexError("my own bug")
        return super().forward(inputs)
""",
        ),
        "downstream.name=odd",
        r"the downstream task 'odd' of .*: in training mode, the task raised IndexError: my own bug",
    ),
    "unusable base references": (
        subclass(
            "Interval",
            """
    def base(self, batch):
        return super().base(batch).flip(1)
""",
        ),
        "bridge.name=odd",
        r"the bridge 'odd' of .*: a base reference is not usable",
    ),
    "base references that are not finite": (
        subclass(
            "Interval",
            """
    def base(self, batch):
        return super().base(batch) * torch.nan
""",
        ),
        "bridge.name=odd",
        r"the bridge 'odd' of .*: the base reference of the examples \[0, 1, 2, 3\] is not finite",
    ),
    "an augmentation that is a pair": (
        subclass(
            "Interval",
            """
    def augment(self, batch, reference, random):
        return batch, reference
""",
        ),
        "bridge.name=odd",
        r"the bridge 'odd' of .*: augment gives a tuple; expected an Augmented",
    ),
    "log odds in place of probabilities": (
        subclass(
            "Interval",
            """
    def restore(self, prediction, reference):
        return 9 * super().restore(prediction, reference) - 4
""",
        ),
        "bridge.name=odd",
        r"the bridge 'odd' of .*: restore leaves \[0, 1\]",
    ),
    "a task that reads what the batch has not": (
        subclass(
            "Find",
            """
    def forward(self, batch):
        return super().forward({"values": batch["value"]})
""",
        ),
        "upstream.name=odd",
        r"the upstream task 'odd' of .*: its forward pass reads 'value' of the batch; expected one of values, label",
    ),
    "a bridge that poses problems from the annotation": (
        subclass(
            "Interval",
            """
    def condition(self, batch, reference):
        return super().condition({**batch, "values": batch["values"] + 0 * batch["label"]}, reference)
""",
        ),
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
        subclass(
            "Interval",
            """
    def augment(self, batch, reference, random):
        batch["values"].zero_()
        return super().augment(batch, reference, random)
""",
        ),
        "bridge.name=odd",
        r"the bridge 'odd' of .*: the batch given to augment was changed in place",
    ),
}
