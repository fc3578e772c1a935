"""The control without localization: a bridge of one state, and an upstream task without parameters."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from jointtask_object_extraction.bridge.whole_frame import WholeFrameBridge, WholeFrameTask
from jointtask_object_extraction.photograph import FRAME, Photograph

from jointtask.api.component import Context
from jointtask.em.pair import Pair
from jointtask.registry.registry import load_registry
from jointtask.runfile.load import load
from jointtask.running.assemble import assemble_pair
from jointtask.running.run import run
from jointtask.testing import check_bridge, check_task

FILE = Path(__file__).parents[4] / "examples" / "object_extraction.toml"
WHOLE = [
    'upstream={name="whole-frame"}',
    'bridge={name="whole-frame", flip=true}',
    "sampler.name=none",
    "proposal=[]",
    "data.train.examples=6",
    "data.validation.examples=2",
    "data.test.examples=2",
    "evaluate.predictors=[]",
]


@pytest.fixture
def pair(jointtask_context: Context) -> Pair:
    registry = load_registry()
    return assemble_pair(load(FILE, WHOLE, registry), registry, jointtask_context)[0]


def test_both_parts_conform(pair: Pair) -> None:
    batch = {
        "image": torch.randint(0, 256, (3, 3, FRAME, FRAME), dtype=torch.uint8),
        "mask": torch.zeros(3, FRAME, FRAME, dtype=torch.uint8),
    }
    batch["mask"][:, 40:150, 60:120] = 1
    check_bridge(pair.bridge, batch, pair.downstream, perfect=lambda target: target.mask * 40 - 20, truth="mask")
    check_task(pair.upstream, batch, pair.bridge.base(batch))


def test_every_mask_implies_the_frame_and_nothing_can_be_adjusted(pair: Pair) -> None:
    frame = torch.tensor([[0.0, 0.0, FRAME, FRAME]])
    mask = torch.zeros(2, FRAME, FRAME, dtype=torch.uint8)
    mask[1, 100:120, 50:90] = 1
    bridge = pair.bridge
    assert isinstance(bridge, WholeFrameBridge)
    assert torch.equal(bridge.base({"mask": mask}), frame.repeat(2, 1))
    assert torch.equal(bridge.relocate(mask.float(), frame.repeat(2, 1)), frame.repeat(2, 1))
    assert len(bridge.grid) == 1


def test_the_prediction_is_certain_and_costs_nothing(pair: Pair) -> None:
    task = pair.upstream
    assert isinstance(task, WholeFrameTask)
    box = task({"image": torch.zeros(2, 3, FRAME, FRAME)})
    assert torch.equal(task.energy(box, box), torch.zeros(2))
    assert pair.learning.keys() == {"downstream"}


def test_the_box_of_an_extraction_is_that_of_its_mask(pair: Pair) -> None:
    probability = torch.zeros(FRAME, FRAME)
    probability[56:112, 112:168] = 1
    example = Photograph("a", np.zeros((FRAME, FRAME, 3), np.uint8), None)
    extraction = pair.bridge.finish(probability, torch.tensor([0.0, 0.0, FRAME, FRAME]), example)
    assert extraction.box.tolist() == [112, 56, 168, 112]


def test_it_trains_predicts_and_reports_like_any_pair(tmp_path: Path) -> None:
    from jointtask.tools.progress import SilentProgress

    registry = load_registry()
    settings = [*WHOLE, f"run.output={tmp_path}", "em.warmup_epochs=1", "em.rounds=1", "em.oracle_examples=0"]
    record = run(load(FILE, settings, registry), registry, fresh=False, progress=SilentProgress())
    assert record.parameters["upstream"] == 0
    assert record.rounds[0].training.keys() == {"downstream"}
    assert 0 <= record.scores[0].values["J"] <= 1
    assert (tmp_path / "object-extraction" / "report.html").exists()


def test_a_deeper_head_has_more_to_learn_and_nothing_else_changes(jointtask_context: Context) -> None:
    from jointtask_object_extraction.networks.modern import pyramid_segmentation
    from jointtask_object_extraction.settings import Segmentation

    def names(depth: int) -> set[str]:
        network = pyramid_segmentation(Segmentation(network="mobilenet", depth=depth), jointtask_context)
        return set(network.state_dict())

    assert names(1) < names(3)
    assert {name.split(".")[0] for name in names(3) - names(1)} == {"around"}
