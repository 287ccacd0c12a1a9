"""Losses of single tasks, each over rows that have a label of it. Sources are named at each."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional

from lineament.learn.generalists.material import FACE, UNKNOWN
from lineament.measure.sets.fasseg import CLASSES

PART = tuple(i for i, name in enumerate(CLASSES) if name in ("skin", "eyes", "nose", "mouth"))
"""What a pixel of `FACE` may be."""
_EDGE = 1e-6
"""The arc cosine has no slope at 1."""


def point_loss(answer: Float[Tensor, "n k 2"], truth: Float[Tensor, "n k 2"]) -> Float[Tensor, ""]:
    """Mean absolute error of coordinates."""
    return (answer - truth).abs().mean()


def rotation(angles: Float[Tensor, "n 3"]) -> Float[Tensor, "n 3 3"]:
    """R = Rz(roll) Ry(yaw) Rx(pitch), as `core.rotations.rotations`."""
    (cp, cy, cr), (sp, sy, sr) = angles.cos().unbind(1), angles.sin().unbind(1)
    rows = [
        [cr * cy, cr * sy * sp - sr * cp, cr * sy * cp + sr * sp],
        [sr * cy, sr * sy * sp + cr * cp, sr * sy * cp - cr * sp],
        [-sy, cy * sp, cy * cp],
    ]
    return torch.stack([torch.stack(row, dim=1) for row in rows], dim=1)


def geodesic_loss(answer: Float[Tensor, "n 3"], truth: Float[Tensor, "n 3"]) -> Float[Tensor, ""]:
    """Mean angle of the rotation between two poses, radians.

    Source: T. Hempel et al., "6D Rotation Representation For Unconstrained Head Pose Estimation",
    ICIP 2022, equation 7.
    """
    trace = (rotation(answer) * rotation(truth)).sum(dim=(1, 2))
    return torch.acos(((trace - 1) / 2).clamp(_EDGE - 1, 1 - _EDGE)).mean()


def pixel_loss(
    scores: Float[Tensor, "n k h w"], masks: Int64[Tensor, "n h w"]
) -> Float[Tensor, ""]:
    """Cross-entropy of the labelled pixels.

    A pixel of `FACE` may be any part of a face: its probability is the sum of theirs.
    """
    rows = masks != UNKNOWN
    chances = functional.log_softmax(scores.permute(0, 2, 3, 1)[rows], dim=1)
    labels = masks[rows]
    of_face = torch.logsumexp(chances[:, list(PART)], dim=1)
    exact = chances.gather(1, labels.clamp(max=FACE - 1)[:, None])[:, 0]
    return -torch.where(labels == FACE, of_face, exact).mean()


def dice_loss(scores: Float[Tensor, "n k h w"], masks: Int64[Tensor, "n h w"]) -> Float[Tensor, ""]:
    """1 less the mean over classes of 2 |A B| / (|A| + |B|), over pixels whose class is known; 0
    where none is.

    Source: F. Milletari et al., "V-Net", 3DV 2016, with plain sums in place of squares.
    """
    rows = masks < FACE
    if not rows.any():
        return scores.sum() * 0
    chances = scores.permute(0, 2, 3, 1)[rows].softmax(dim=1)
    truth = functional.one_hot(masks[rows], scores.shape[1]).to(chances.dtype)
    shared, both = (chances * truth).sum(dim=0), (chances + truth).sum(dim=0)
    present = truth.any(dim=0)
    return 1 - (2 * shared / both)[present].mean()


def attribute_loss(answer: Float[Tensor, "n k"], truth: Float[Tensor, "n k"]) -> Float[Tensor, ""]:
    """Binary cross-entropy of logits."""
    return functional.binary_cross_entropy_with_logits(answer, truth)


def class_loss(answer: Float[Tensor, "n k"], truth: Float[Tensor, " n"]) -> Float[Tensor, ""]:
    """Cross-entropy of logits, for numbers of classes."""
    return functional.cross_entropy(answer, truth.long())


def years(chances: Float[Tensor, "n k"], ages: Float[Tensor, " k"]) -> Float[Tensor, " n"]:
    """The expected age."""
    return chances @ ages


def group_age_loss(
    chances: Float[Tensor, "n k"], truth: Float[Tensor, " n"], ages: Float[Tensor, " k"]
) -> Float[Tensor, ""]:
    """The mean of the cross-entropy of the nearest group and the error of the expected age, in
    decades.

    Source: arXiv:2403.12960, section on training.
    """
    nearest = (truth[:, None] - ages).abs().argmin(dim=1, keepdim=True)
    entropy = -chances.gather(1, nearest).clamp_min(_EDGE).log().mean()
    return (entropy + (years(chances, ages) - truth).abs().mean() / 10) / 2


def distribution_age_loss(
    chances: Float[Tensor, "n k"],
    truth: Float[Tensor, " n"],
    ages: Float[Tensor, " k"],
    spread: float = 2.0,
) -> Float[Tensor, ""]:
    """Divergence from a Gaussian around the age, and the error of the expected age, in decades.

    Source: B.-B. Gao et al., "Age Estimation Using Expectation of Label Distribution Learning",
    IJCAI 2018 (DLDL-v2), equations 5 to 7.
    """
    target = torch.softmax(-((ages - truth[:, None]) ** 2) / (2 * spread**2), dim=1)
    divergence = functional.kl_div(chances.clamp_min(_EDGE).log(), target, reduction="batchmean")
    return divergence + (years(chances, ages) - truth).abs().mean() / 10
