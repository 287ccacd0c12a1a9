"""MOS's network: a light backbone, a pyramid, contexts, and one stitched head for all four tasks.

Source: arXiv:2110.10953, figure 2 and the authors' published models. Its parts: inverted residuals
(M. Sandler et al., "MobileNetV2", CVPR 2018), the pyramid (T.-Y. Lin et al., "Feature Pyramid
Networks", CVPR 2017, section 3), contexts (M. Najibi et al., "SSH", ICCV 2017, section 3.2) and
cross-stitch units (I. Misra et al., CVPR 2016, equation 1).
"""

from __future__ import annotations

from math import log
from typing import cast

import torch
from jaxtyping import Float, Float32
from torch import Tensor, nn

from lineament.learn.detection.anchors import PER_CELL, STRIDES, WIDTHS
from lineament.learn.landmarks.mobile import InvertedResidual

TASKS = tuple(WIDTHS)
OWN, OTHERS = 0.9, 0.1
"""First weights of a task's own features, and of each other task's, in a cross-stitch unit."""
BACKBONE = (16, 24, 40, 64, 76)
"""Channels at a half, a quarter, an eighth, a sixteenth and a thirty-second of the size."""
_RARE = 0.01
"""Share of anchors that are faces, for the network's first answers."""


def _unit(inner: int, outer: int, kernel: int, stride: int = 1, act: bool = True) -> nn.Sequential:
    convolution = nn.Conv2d(inner, outer, kernel, stride, kernel // 2, bias=False)
    rest = [nn.ReLU(inplace=True)] if act else []
    return nn.Sequential(convolution, nn.BatchNorm2d(outer), *rest)


class Backbone(nn.Module):
    """Maps at an eighth, a sixteenth and a thirty-second of the size.

    Args:
        widths: as `BACKBONE`.
        depth: blocks at each of the last three.
        expansion: of the blocks.
    """

    def __init__(
        self,
        widths: tuple[int, int, int, int, int] = BACKBONE,
        depth: int = 3,
        expansion: int = 3,
    ) -> None:
        super().__init__()
        half, quarter, *rest = widths
        self.stem = nn.Sequential(_unit(3, half, 3, 2), _unit(half, quarter, 3, 2))
        self.stages = nn.ModuleList(
            nn.Sequential(
                InvertedResidual(inner, outer, 2, expansion),
                *(InvertedResidual(outer, outer, 1, expansion) for _ in range(depth - 1)),
            )
            for inner, outer in zip((quarter, *rest), rest, strict=False)
        )

    def forward(self, x: Float[Tensor, "n 3 h w"]) -> list[Tensor]:
        """Finest first."""
        x = self.stem(x)
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return maps


class Pyramid(nn.Module):
    """Every map gets what the coarser ones know."""

    def __init__(self, widths: tuple[int, ...], width: int) -> None:
        super().__init__()
        self.across = nn.ModuleList(_unit(inner, width, 1) for inner in widths)
        self.merge = nn.ModuleList(_unit(width, width, 3) for _ in widths[:-1])

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        """Finest first, as they came."""
        maps = [across(x) for across, x in zip(self.across, maps, strict=True)]
        for level in reversed(range(len(maps) - 1)):
            above = nn.functional.interpolate(maps[level + 1], scale_factor=2.0, mode="nearest")
            maps[level] = self.merge[level](maps[level] + above)
        return maps


class Context(nn.Module):
    """SSH's module: what 3 x 3, 5 x 5 and 7 x 7 cells around see, the wide ones as chains of
    3 x 3."""

    def __init__(self, width: int) -> None:
        super().__init__()
        half, quarter = width // 2, width // 4
        self.near = _unit(width, half, 3, act=False)
        self.shared = _unit(width, quarter, 3)
        self.middle = _unit(quarter, quarter, 3, act=False)
        self.far = nn.Sequential(_unit(quarter, quarter, 3), _unit(quarter, quarter, 3, act=False))

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """As many channels as came in, none below 0."""
        shared = self.shared(x)
        return torch.relu(torch.cat([self.near(x), self.middle(shared), self.far(shared)], dim=1))


class CrossStitch(nn.Module):
    """Each task's features become a weighted sum of all tasks' features, channel by channel.

    Source: I. Misra et al., "Cross-stitch networks for multi-task learning", CVPR 2016,
    equation 1, with weights a channel.
    """

    def __init__(self, tasks: int, width: int) -> None:
        super().__init__()
        weights = torch.full((tasks, tasks), OTHERS).fill_diagonal_(OWN)
        self.weights = nn.Parameter(weights[:, :, None].repeat(1, 1, width))

    def forward(self, features: list[Tensor]) -> list[Tensor]:
        """As many as came in."""
        columns = [weight[:, :, None, None] for weight in self.weights]
        return [
            torch.stack([weight[i] * x for i, x in enumerate(features)]).sum(dim=0)
            for weight in columns
        ]


class Head(nn.Module):
    """All tasks of one level: a 1 x 1 layer each, the stitch, and each task's answers."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.own = nn.ModuleList(nn.Conv2d(width, width, 1) for _ in TASKS)
        self.stitch = CrossStitch(len(TASKS), width)
        self.pose = _unit(width, 2 * width, 3)
        inputs = [2 * width if task == "pose" else width for task in TASKS]
        answers = [
            nn.Conv2d(inner, PER_CELL * WIDTHS[task], 1)
            for task, inner in zip(TASKS, inputs, strict=True)
        ]
        for answer in answers:
            nn.init.normal_(answer.weight, std=0.01)
            nn.init.constant_(cast("Tensor", answer.bias), 0.0)
        nn.init.constant_(cast("Tensor", answers[0].bias), -log(1 / _RARE - 1))
        self.answers = nn.ModuleList(answers)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n a h w"]:
        """The tasks' answers one behind the other, as `anchors.split` takes them."""
        features = self.stitch([own(x) for own in self.own])
        answers = [
            answer(self.pose(feature) if task == "pose" else feature)
            for task, answer, feature in zip(TASKS, self.answers, features, strict=True)
        ]
        return torch.cat(answers, dim=1)


class MOS(nn.Module):
    """Detection, five points and pose in one pass.

    Args:
        width: channels of pyramid and heads.
    """

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.backbone = Backbone()
        self.pyramid = Pyramid(BACKBONE[2:], width)
        self.contexts = nn.ModuleList(Context(width) for _ in STRIDES)
        self.heads = nn.ModuleList(Head(width) for _ in STRIDES)

    def forward(self, x: Float32[Tensor, "n 3 h w"]) -> tuple[Tensor, ...]:
        """One map a stride: n x `anchors.CHANNELS` x h / stride x w / stride.

        Args:
            x: RGB from 0 to 255; sides in multiples of 32.
        """
        maps = self.pyramid(self.backbone(x / 127.5 - 1))
        return tuple(
            head(context(m))
            for head, context, m in zip(self.heads, self.contexts, maps, strict=True)
        )
