"""Other parts that break their contract, by what is wrong: plugin, setting and message."""

from __future__ import annotations

from faulty import sampler, subclass

CASES = {
    "a sampler that changes the target": (
        sampler("""
    target.log_proposal.fill_(-1)
    index = target.start[:, None]
"""),
        "sampler.name=odd",
        r"the sampler 'odd' of .* sha256:\w+ changed log_proposal in place",
    ),
    "a sampler that draws unusable states": (
        sampler("""
    index = (random.uniform(200) * len(target.grid)).long()
"""),
        "sampler.name=odd",
        r"the sampler 'odd' of .* sha256:\w+ drew \d+ of \d+ states of energy \+inf",
    ),
    "a summary that is no number": (
        """
@hookimpl
def jointtask_metrics():
    summary = Summary("all of them", "higher", lambda scores: scores)
    return component("odd", lambda settings, context: Metric(trial.accuracy, {"x": summary}))
""",
        "evaluate.metrics=['odd']",
        r"the metric 'odd' of .* gave for the summary 'x' a ndarray of shape \(\d+,\); expected a number",
    ),
    "data that lacks a key in its middle": (
        subclass(
            "Sequences",
            """
    def batch(self, index):
        batch = super().batch(index)
        return batch if 20 not in index else {"values": batch["values"]}
""",
        ),
        "data.train.name=odd",
        r"the data set 'odd' of .*: the batch of .*0-0020.* has no label, as that of the first examples has",
    ),
    "data of another size at its end": (
        subclass(
            "Sequences",
            """
    def batch(self, index):
        batch = super().batch(index)
        return {name: tensor[:, :9] if len(self) - 1 in index else tensor for name, tensor in batch.items()}
""",
        ),
        "data.train.name=odd",
        r"the data set 'odd' of .*: 'values' in the batch of .* is \(9,\), .*; expected \(64,\)",
    ),
    "data without a length": (
        subclass(
            "Sequences",
            """
    def __len__(self):
        raise TypeError("it streams")
""",
        ),
        "data.train.name=odd",
        r"the data set 'odd' of .* has a length that raises TypeError: it streams; expected the number of examples",
    ),
    "a metric that raises": (
        """
@hookimpl
def jointtask_metrics():
    summary = Summary("none", "higher", lambda scores: 0.0)
    return component("odd", lambda settings, context: Metric(lambda prediction, example: example.nope, {"x": summary}))
""",
        "evaluate.metrics=['odd']",
        r"the metric 'odd' of .*: score or a summary raised an error; expected a number",
    ),
    "two metrics with one summary": (
        """
@hookimpl
def jointtask_metrics():
    summary = Summary("none", "higher", lambda scores: 0.0)
    return component("odd", lambda settings, context: Metric(trial.accuracy, {"accuracy": summary}))
""",
        "evaluate.metrics=['trial-accuracy', 'odd']",
        r"the metric 'trial-accuracy' of jointtask.* and the metric 'odd' of odd.py.* both report 'accuracy'",
    ),
    "a term that never proposes the start": (
        """
class Odd:
    version, prepares = "1", False

    def prepare(self, example):
        return None

    def log_weight(self, batch, reference, history):
        start = torch.arange(reference.shape[1]) == reference.shape[1] // 2
        return torch.zeros(reference.shape[:2]).masked_fill(start, -torch.inf)

@hookimpl
def jointtask_proposal_terms():
    return component("odd", lambda settings, context: Odd())
""",
        "proposal=[{name = 'odd'}]",
        r"the proposal term 'odd' of .*: log_weight is -inf at no adjustment",
    ),
}
