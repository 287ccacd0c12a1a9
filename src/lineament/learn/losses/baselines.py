"""What losses and other ideas of recognition are held against, trained once for all of them."""

from __future__ import annotations

from lineament.learn.losses.classifier import CosineClassifier, LinearClassifier
from lineament.learn.recognition.trial import Arm, with_head

SCALE = 16.0
"""Of cosines in recipes. The papers take 64, at which a run of some hundred steps hardly gets off
the ground. CosFace's lower bound (arXiv:1801.09414, section 3), for 1,891 people of whom each is to
get nine tenths of the softmax, is 9.7."""


def cosines() -> Arm:
    """Softmax over cosines, without a margin."""
    return Arm(
        "softmax of cosines", with_head(lambda p, d: CosineClassifier(p, d, SCALE)), shared=True
    )


def plain() -> Arm:
    """Softmax over a linear layer."""
    return Arm("plain softmax", with_head(LinearClassifier), shared=True)
