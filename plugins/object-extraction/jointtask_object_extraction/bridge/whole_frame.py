"""Segmentation without localization: the control that a pair of tasks has to beat."""

from __future__ import annotations

import torch
from attrs import frozen
from torch import Tensor, nn

from jointtask.api import Batch, Context, LatentGrid, NoSettings
from jointtask_object_extraction.bridge.augment import Augmentation
from jointtask_object_extraction.bridge.box import BoxBridge
from jointtask_object_extraction.bridge.likelihood import BoxTask
from jointtask_object_extraction.photograph import FRAME
from jointtask_object_extraction.settings import WholeFrame

__all__ = ["WholeFrameBridge", "WholeFrameTask", "whole_frame_bridge", "whole_frame_task"]

_FRAME = (0.0, 0.0, float(FRAME), float(FRAME))


def whole_frame_bridge(settings: WholeFrame, context: Context) -> WholeFrameBridge:
    """Build the bridge for the input and output size that the downstream task declares."""
    return WholeFrameBridge(
        grid=LatentGrid.product([[0.0]] * 4),
        input_size=context.downstream.input_size,
        output_size=context.downstream.output_size,
        augmentation=Augmentation(flip=settings.flip, colour=settings.colour),
    )


def whole_frame_task(settings: NoSettings, context: Context) -> WholeFrameTask:
    """Make the upstream task that predicts the frame."""
    return WholeFrameTask()


@frozen(eq=False)
class WholeFrameBridge(BoxBridge):
    """Boxes of which there is one, the frame: every mask implies it, and its grid has no other state.

    The two likelihoods of boxes are the same here: nothing lies outside the reference.
    """

    def _around(self, mask: Tensor) -> Tensor:
        return _frames(len(mask), mask.device)


class WholeFrameTask(BoxTask):
    """An `UpstreamTask` without parameters: its box is the frame, whatever the image."""

    def forward(self, batch: Batch) -> Tensor:
        """Predict the frame: (B, 4), float32, in frame units."""
        image = batch["image"]
        return _frames(len(image), image.device)

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """Return no group."""
        return {}


def _frames(count: int, device: torch.device) -> Tensor:
    return torch.tensor(_FRAME, device=device).repeat(count, 1)
