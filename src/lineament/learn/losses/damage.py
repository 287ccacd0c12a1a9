"""How much a face damages the structure of the latent space: SDE of TopoFR.

A face that the classifier is unsure of lies near a border between people. The entropies of a
batch's predictions are taken as a mixture: a Gaussian about 0, of faces that are told surely, and a
uniform distribution, of those that are not. The score joins the second one's share with how little
the right person is believed in.

Source: J. Dan et al., "TopoFR: A Closer Look at Topology Alignment on Face Recognition", NeurIPS
2024 (arXiv:2410.10587), by the authors' code; S. Lathuiliere et
al., "DeepGUM: Learning Deep Robust Regression with a Gaussian-Uniform Mixture Model", ECCV 2018,
for the steps of expectation maximisation.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

SHARE, DENSITY, MOST = 0.1, 0.2, 0.5
"""Where the mixture starts: share of the Gaussian and height of the uniform one; and the largest
share that the Gaussian may take."""
ROUNDS, ENOUGH = 1000, 1e-10
"""Of expectation maximisation: at most so many, or until the likelihood moves less."""
LEAST = 1e-3
"""Added to the Gaussian's variance, and the lowest of the uniform one."""


def entropies(logits: Float[Tensor, "n p"]) -> Float[Tensor, " n"]:
    """Of the predictions, in nats: from 0 to log p."""
    logs = logits.log_softmax(1)
    return -(logs.exp() * logs).sum(1)


def sureness(entropies: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """How likely each entropy is of the Gaussian about 0, in [0, 1].

    Entropies count with both signs, so that their mean is 0, and are brought to deviation 1.
    """
    values = np.asarray(entropies, np.float64)
    spread = np.sqrt(np.mean(values**2))
    squares = (values / spread) ** 2 if spread > 0 else np.zeros_like(values)
    share, variance, density, before = SHARE, 1.0, DENSITY, 0.0
    of_gaussian = np.zeros_like(values)
    for _ in range(ROUNDS):
        width = variance + LEAST
        gaussian = np.exp(-squares / (2 * width)) / np.sqrt(2 * np.pi * width)
        mixed = share * gaussian + (1 - share) * density
        of_gaussian = share * gaussian / mixed
        likelihood = float(np.log(mixed).mean())
        if abs(likelihood - before) < ENOUGH:
            break
        before = likelihood
        variance = _mean(squares, of_gaussian)
        share = min(float(of_gaussian.mean()), MOST)
        # A uniform distribution on [-w, w] has the variance w^2 / 3 and the height 1 / 2 w.
        density = 1 / (2 * np.sqrt(3 * max(_mean(squares, 1 - of_gaussian), LEAST)))
    return of_gaussian


def damage(logits: Float[Tensor, "n p"], labels: Int64[Tensor, " n"]) -> Float[Tensor, " n"]:
    """The structure damage score of each face: (2 - sureness) (1 - probability of its person).

    In [0, 2]. No gradient goes through it.
    """
    with torch.no_grad():
        logits = logits.float()
        sure = sureness(entropies(logits).cpu().numpy())
        right = logits.softmax(1).gather(1, labels[:, None])[:, 0]
        return (2 - torch.from_numpy(sure).to(right)) * (1 - right)


def _mean(values: Float[np.ndarray, " n"], weights: Float[np.ndarray, " n"]) -> float:
    return float(np.average(values, weights=weights + 1e-12))
