"""TopoFR: a latent space with the topology of the pictures, and hard faces first.

PTSA (perturbation-guided topological structure alignment) perturbs some faces (`perturbation`) and
draws the persistence diagram of their embeddings (`persistence`) to that of the faces as they were.
SDE (structure damage estimation, `damage`) weights each face's loss by the harm that it does.

Source: J. Dan et al., "TopoFR: A Closer Look at Topology Alignment on Face Recognition", NeurIPS
2024 (arXiv:2410.10587), by its abstract and the authors' code.
"""

from __future__ import annotations

from math import prod

import numpy as np
import torch
from jaxtyping import Float, Float32, Int64, UInt8
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize

from lineament.core.cards import Card, method
from lineament.learn.data.augment import augmented
from lineament.learn.losses.baselines import SCALE
from lineament.learn.losses.classifier import CosineClassifier
from lineament.learn.losses.damage import damage
from lineament.learn.losses.persistence import death_times
from lineament.learn.losses.perturbation import perturbed
from lineament.learn.recipes import Comparison, Job, Recipe
from lineament.learn.recognition.trial import Arm, Learner, with_head
from lineament.learn.recognition.trial import run as compared
from lineament.learn.settings import SHORT, SHORT_ON_GPU

CARD = Card(
    slug="topofr",
    title="TopoFR: A Closer Look at Topology Alignment on Face Recognition",
    paper="arXiv:2410.10587",
    verb="train",
    task="Learns embeddings whose persistence diagram is that of the pictures, hard faces first.",
    entry="TopoFR",
    needs=("crops", "people"),
    gives=("a loss",),
    code="github.com/modelscope/facechain",
    deviations=(
        "In the recipe the scale is 16, not 64: a run this short hardly starts at 64.",
        "The input space holds the faces as they are before the perturbation; in "
        "the authors' code the perturbation overwrites them.",
        "The probability of the right person enters the score as it is; in the "
        "authors' code it is cut to a whole number, and so to 0.",
        "Entropies enter the mixture with both signs each; the authors' code turns every second "
        "one, so that a score depends on a face's place in the batch.",
        "The uniform distribution has the width that its variance gives; the authors' code divides "
        "by the Gaussian's share of the faces there.",
        "Persistence in dimension 0 only, as in the authors' code.",
        "Embeddings are brought to length 1 before their distances are taken, as for their "
        "comparison; the authors' code takes them as they are, and leaves their scale to the norm "
        "of the last layer.",
        "No gradient goes through the score.",
        "Hue is turned in HSV of bytes; the blur has no kernel of fixed size.",
        "A tiny network, 64 x 64 pixels, 9,672 faces of 1,891 people, 800 steps of 64 faces.",
    ),
    risk="Faces that are wrongly named look hard, and get more weight.",
    published=(("ijb-c, R100 learnt from MS1MV2", "TAR@1e-4", 0.9695),),
)

RECIPE = Recipe(
    slug="topofr",
    title="the topology of the pictures kept, and hard faces first, under ArcFace",
    entry="run",
    baseline="either part alone, and ArcFace alone",
    settings=SHORT,
    gpu=SHORT_ON_GPU,
    sets=("celeba64_train", "lfw", "orl"),
)

ALIGNMENT = 0.1
"""Weight of the alignment: alpha."""


class TopoFR(nn.Module):
    """A margin loss weighted by structure damage, and the alignment of both spaces.

    Args:
        margin: the loss over people.
        alignment: weight of PTSA's loss; 0 leaves it out.
        weighted: whether SDE weights the faces.
    """

    def __init__(
        self, margin: CosineClassifier, alignment: float = ALIGNMENT, weighted: bool = True
    ) -> None:
        super().__init__()
        self.margin, self.alignment, self.weighted = margin, alignment, weighted

    def forward(
        self,
        embeddings: Float[Tensor, "n d"],
        labels: Int64[Tensor, " n"],
        faces: Float[Tensor, "n 3 h w"],
    ) -> Float[Tensor, ""]:
        """Embeddings of the perturbed faces; the faces as they were. Predictions are those with
        the margin, as in the authors' code."""
        logits = self.margin.logits(embeddings, labels)
        losses = cross_entropy(logits, labels, reduction="none")
        if self.weighted:
            losses = damage(logits, labels) * losses
        loss = losses.mean()
        if self.alignment:
            loss = loss + self.alignment * misalignment(faces, embeddings)
        return loss


def misalignment(
    faces: Float[Tensor, "n 3 h w"], embeddings: Float[Tensor, "n d"]
) -> Float[Tensor, ""]:
    """How far the persistence diagrams of faces and embeddings are from each other.

    Death times of both, in order: the sum of their squared differences over n. Distances are
    shares of the longest there can be: of faces within [-1, 1], and of directions.
    """
    longest = 2 * prod(faces.shape[1:]) ** 0.5
    of_faces = death_times(faces.flatten(1)) / longest
    of_embeddings = death_times(normalize(embeddings.float())) / 2
    return ((of_faces - of_embeddings) ** 2).sum() / len(faces)


def objective(
    model: nn.Module, seen: Tensor, people: Tensor, rng: np.random.Generator
) -> Float[Tensor, ""]:
    """The loss of faces that come as they are and perturbed."""
    assert isinstance(model, Learner)
    faces, shown = seen.unbind(1)
    return model.head(model(shown), people, faces)


def disturbed(
    pixels: UInt8[np.ndarray, "n s s 3"], rng: np.random.Generator
) -> Float32[Tensor, "n 2 3 s s"]:
    """Faces with the usual changes, and the same perturbed."""
    faces = augmented(pixels, rng)
    return torch.stack([faces, perturbed(faces, rng)], 1)


def undisturbed(
    pixels: UInt8[np.ndarray, "n s s 3"], rng: np.random.Generator
) -> Float32[Tensor, "n 2 3 s s"]:
    """The same twice."""
    return augmented(pixels, rng)[:, None].expand(-1, 2, -1, -1, -1)


def arm(name: str, ptsa: bool, sde: bool) -> Arm:
    """ArcFace with these parts."""
    arcface = method("arcface").load()
    alignment = ALIGNMENT if ptsa else 0.0
    make = with_head(lambda p, d: TopoFR(arcface(p, d, SCALE), alignment, sde))
    return Arm(name, make, objective, disturbed if ptsa else undisturbed)


def run(job: Job) -> Comparison:
    """Both parts, each alone, and ArcFace alone."""
    arcface = method("arcface").load()
    alone = Arm("ArcFace", with_head(lambda p, d: arcface(p, d, SCALE)), shared=True)
    arms = [
        arm("TopoFR", ptsa=True, sde=True),
        arm("without SDE", ptsa=True, sde=False),
        arm("without PTSA", ptsa=False, sde=True),
        alone,
    ]
    against = [
        *(("TopoFR", other.name) for other in arms[1:]),
        ("without SDE", alone.name),
        ("without PTSA", alone.name),
    ]
    return compared(job, arms, against=against)
