"""The loss of parsers: cross-entropy and Dice in equal parts, also where the truth is coarser.

Source: K. Narayan et al., "SegFace: Face Segmentation of Long-Tail Classes", AAAI 2025
(arXiv:2412.08647), section 3; Dice from F. Milletari et al., "V-Net", 3DV 2016, equation 3, over
all pixels of a batch, class by class.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from lineament.learn.parsing.classes import OUTSIDE

SMOOTH = 1e-5
"""Added above and below, so that a class that is nowhere costs nothing where it is not answered."""


def parsing_loss(
    scores: Float[Tensor, "n k h w"], truth: Int64[Tensor, "n h w"]
) -> Float[Tensor, ""]:
    """Half the cross-entropy, half the Dice loss, over the pixels that are not `OUTSIDE`.

    Dice is 1 - 2 sum(p t) / (sum(p^2) + sum(t^2)), the mean over classes, where p are softmax
    shares and t is 1 at the true class.
    """
    counted = (truth != OUTSIDE).to(scores.dtype)
    classes = torch.where(truth == OUTSIDE, 0, truth)
    logs = torch.log_softmax(scores, dim=1)
    # Sums over pixels of a class need its own share alone: no map of ones for each class.
    own = logs.gather(1, classes[:, None])[:, 0]
    entropy = -(own * counted).sum() / counted.sum()
    both = _by_class(own.exp() * counted, classes, scores.shape[1])
    squares = ((2 * logs).exp() * counted[:, None]).sum(dim=(0, 2, 3))
    each = squares + _by_class(counted, classes, scores.shape[1])
    dice = 1 - ((2 * both + SMOOTH) / (each + SMOOTH)).mean()
    return 0.5 * entropy + 0.5 * dice


def _by_class(
    values: Float[Tensor, "n h w"], classes: Int64[Tensor, "n h w"], count: int
) -> Float[Tensor, " k"]:
    """Sums of values over the pixels of each class."""
    return values.new_zeros(count).index_add(0, classes.flatten(), values.flatten())


def grouped(
    scores: Float[Tensor, "n k h w"], groups: Int64[Tensor, " k"], count: int
) -> Float[Tensor, "n g h w"]:
    """Scores of coarser classes: the logarithm of the sum of the parts' exponentials, so that the
    softmax share of a class is the sum of its parts' shares.

    Args:
        scores: of the parts.
        groups: the coarser class of each part; each of them has one.
        count: of coarser classes.
    """
    parts = [torch.logsumexp(scores[:, groups == group], dim=1) for group in range(count)]
    return torch.stack(parts, dim=1)
