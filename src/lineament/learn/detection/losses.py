"""What a multi-task detector pays for each task, and how the payments are weighed.

Source: arXiv:2110.10953, section 3 (four losses, weights learned by uncertainty); A. Kendall, Y.
Gal, R. Cipolla, "Multi-task learning using uncertainty to weigh losses for scene geometry and
semantics", CVPR 2018, equations 7 and 10; N. Ruiz et al., "Fine-grained head pose estimation
without keypoints", CVPR workshops 2018, section 3.2 (pose); W. Liu et al., "SSD", ECCV 2016,
section 2.2 (hard negatives).
"""

from __future__ import annotations

from collections.abc import Mapping
from math import degrees

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn
from torch.nn import functional

from lineament.learn.detection.anchors import BINS, bin_middles

NEGATIVES = 7
"""Hardest anchors of nobody that count, to one of a face."""
ALPHA = 0.001
"""Weight of the squared error of an angle, degrees, beside the cross-entropy of its bin."""
KINDS = {"class": 1.0, "box": 0.5, "points": 0.5, "pose": 1.0}
"""Factor of a task's loss over its variance: a classification's likelihood is scaled by 1 / s^2, a
regression's square by 1 / 2 s^2."""
PACE = 10.0
"""The logarithms of the variances learn so many times faster than the network's weights."""


class Uncertainty(nn.Module):
    """The sum of the tasks' losses, each over its own learned variance: sum of ``L / s^2 + log s``
    for classifications, ``L / 2 s^2 + log s`` for regressions.

    Args:
        tasks: their names; others are left out of the sum.
        learned: else all variances stay 1 and the sum is plain: ``L`` of each.
    """

    def __init__(self, tasks: tuple[str, ...], learned: bool = True) -> None:
        super().__init__()
        self.tasks, self.learned = tasks, learned
        self.paced = nn.Parameter(torch.zeros(len(tasks)), requires_grad=learned)

    @property
    def log_variances(self) -> Float[Tensor, " t"]:
        """log s^2 of each task."""
        return PACE * self.paced

    def forward(self, losses: Mapping[str, Float[Tensor, ""]]) -> Float[Tensor, ""]:
        """The weighed sum of the losses of `tasks`."""
        each = torch.stack([losses[task] for task in self.tasks])
        if not self.learned:
            return each.sum()
        factors = each.new_tensor([KINDS[task] for task in self.tasks])
        logs = self.log_variances
        return (factors * torch.exp(-logs) * each + logs / 2).sum()


def class_loss(
    scores: Float[Tensor, "*a"], faces: Bool[Tensor, "*a"], counts: Bool[Tensor, "*a"]
) -> Float[Tensor, ""]:
    """Cross-entropy of face or not, of all anchors of faces and the hardest others, over the
    number of anchors of faces.

    Args:
        scores: logits.
        faces: which anchors stand for a face.
        counts: which anchors count at all.
    """
    each = functional.binary_cross_entropy_with_logits(scores, faces.float(), reduction="none")
    others = each[counts & ~faces]
    found = int(faces.sum())
    hardest = torch.topk(others, min(len(others), NEGATIVES * max(1, found))).values
    return (each[faces].sum() + hardest.sum()) / max(1, found)


def code_losses(codes: Float[Tensor, "k c"], truth: Float[Tensor, "k c"]) -> Float[Tensor, " k"]:
    """Smooth L1 of each row, summed over its codes."""
    return functional.smooth_l1_loss(codes, truth, reduction="none").sum(dim=1)


def pose_loss(
    scores: Float[Tensor, "k 3 b"], bins: Int64[Tensor, "k 3"], angles: Float[Tensor, "k 3"]
) -> Float[Tensor, ""]:
    """Cross-entropy of each angle's bin, and `ALPHA` times the squared error, in degrees, of the
    mean angle under the softmax; the mean over angles and faces, 0 without faces.

    Args:
        scores: of the bins.
        bins: the true ones.
        angles: the true angles, radians.
    """
    if not len(scores):
        return scores.sum()
    entropy = functional.cross_entropy(scores.reshape(-1, BINS), bins.reshape(-1))
    means = torch.softmax(scores, dim=2) @ torch.from_numpy(bin_middles())
    return entropy + ALPHA * degrees(1) ** 2 * functional.mse_loss(means, angles)
