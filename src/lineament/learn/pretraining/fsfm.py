"""FSFM: hide a facial region wholly and the same share of every other, guess them, and know the
whole face from what is left.

An encoder sees a quarter of the patches. One decoder guesses the pixels of the rest; another one
completes the features, which a projector and a predictor turn into what a slow copy makes of the
whole face.

Source: G. Wang et al., "FSFM: A Generalizable Face Security Foundation Model via Self-Supervised
Facial Representation Learning", CVPR 2025 (arXiv:2412.12032); constants as in the
authors' code.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor, nn
from torch.nn import functional

from lineament.core.cards import Card
from lineament.learn.data.augment import still
from lineament.learn.engine import seeded, train
from lineament.learn.pretraining import trial
from lineament.learn.pretraining.crfr_p import Masks, masks
from lineament.learn.pretraining.masked import (
    HIDDEN,
    Decoder,
    MaskedViT,
    over,
    patch_errors,
    random_masks,
)
from lineament.learn.pretraining.material import Material, gather
from lineament.learn.pretraining.meshes import meshes, region_labels
from lineament.learn.pretraining.momentum import Follower
from lineament.learn.pretraining.spoofs import replays
from lineament.learn.recipes import Comparison, Job, Recipe
from lineament.learn.settings import PRETRAINING_ON_GPU, Settings

CARD = Card(
    slug="fsfm",
    title="FSFM: A Generalizable Face Security Foundation Model via Self-Supervised Facial "
    "Representation Learning",
    paper="arXiv:2412.12032",
    verb="train",
    task="Learns features of faces without labels, by guessing hidden regions and whole faces.",
    entry="FSFM",
    needs=("crops", "landmarks"),
    gives=("features",),
    code="github.com/wolo-wolo/FSFM-CVPR25",
    deviations=(
        "A vision transformer of 4 blocks and 96 numbers a word on 64 x 64 pixels in patches of 8, "
        "not ViT-B on 224 x 224 in patches of 16; decoders of 2 blocks; heads of 256 and 64.",
        "9,672 faces of CelebA and 150 steps of 64, not 400 epochs of VGGFace2 in batches of 4096; "
        "the momentum begins at 0.99, not 0.996, since the run is so short.",
        "Regions come from MediaPipe's 478 points, not from a face parser, so hair and background "
        "are one region, and hair is never the region that is hidden wholly.",
        "Each face draws its own region, where the authors' code draws one a batch; the two "
        "decoders have a word each for what is hidden, where theirs share one.",
        "Faces are mirrored by chance; the authors change nothing.",
        "Judged frozen, by straight lines, on replayed faces and four tasks of what a face shows; "
        "the paper trains the network on, for deepfakes, spoofs and generated faces.",
    ),
    risk="The features hold who a person is as well. A detector of spoofs that is learnt from them "
    "has seen no attack that is new, and can refuse real people of kinds that it has seldom seen.",
)

RECIPE = Recipe(
    slug="fsfm",
    title="masked faces by region, and whole faces known from what is left",
    entry="run",
    baseline="the same with random masks, and without the slow copy",
    settings=Settings(
        steps=150,
        batch=64,
        rate=0.0015,
        warm_up=15,
        weight_decay=0.05,
        clip=5.0,
        measure_every=0,
    ),
    gpu=PRETRAINING_ON_GPU,
    sets=("celeba64_train", "lfw", "fer2013", "celeba5k", "utkface", "ucla68", "antispoof"),
)

REGION = 0.007
"""Weight of the error over the region that is hidden wholly, beside that over all hidden."""
SAME = 0.1
"""Weight of the likeness to the slow copy."""
MOMENTUM = 0.99
"""Of the slow copy, at first."""


class Mlp(nn.Sequential):
    """Projector and predictor: two layers with a norm between them.

    Args:
        inner: numbers in.
        outer: numbers out.
        hidden: between.
    """

    def __init__(self, inner: int, outer: int, hidden: int) -> None:
        super().__init__(
            nn.Linear(inner, hidden),
            nn.LayerNorm(hidden),
            nn.ReLU(inplace=True),
            nn.Linear(hidden, outer),
        )


class Branch(nn.Module):
    """Encoder, decoder of features and projector: what the slow copy has as well.

    Args:
        encoder: of patches.
        width: of a projection.
        hidden: between the projector's layers.
    """

    def __init__(self, encoder: MaskedViT, width: int, hidden: int) -> None:
        super().__init__()
        self.encoder = encoder
        inner, side = encoder.width, encoder.size // encoder.patch
        self.complete = Decoder(side, inner, inner, inner)
        self.project = Mlp(inner, width, hidden)

    def forward(self, words: Tensor, mask: Tensor | None) -> Float[Tensor, "n d"]:
        """The projection of the mean completed word, of words that the encoder made."""
        return self.project(self.complete(words, mask).mean(dim=1))


class Whole(nn.Module):
    """A branch as one network from faces to projections: what the slow copy runs."""

    def __init__(self, branch: Branch) -> None:
        super().__init__()
        self.branch = branch

    def forward(self, faces: Float[Tensor, "n 3 s s"]) -> Float[Tensor, "n d"]:
        """Of all patches."""
        return self.branch(self.branch.encoder.words(faces), None)


class FSFM(nn.Module):
    """Both branches, and what only the online one has.

    Args:
        steps: of the run.
        size: of faces, pixels.
        patch: of a patch.
        width: of a projection.
        hidden: between the layers of projector and predictor.
    """

    def __init__(
        self, steps: int, size: int = 64, patch: int = 8, width: int = 64, hidden: int = 256
    ) -> None:
        super().__init__()
        encoder = MaskedViT(size, patch)
        self.online = Whole(Branch(encoder, width, hidden))
        self.slow = Follower(self.online, MOMENTUM, steps)
        self.predict = Mlp(width, width, hidden)
        self.draw = Decoder(size // patch, encoder.width, 3 * patch**2)
        self.patch = patch

    @property
    def encoder(self) -> MaskedViT:
        """What the features come from."""
        return self.online.branch.encoder

    def forward(self, faces: Float[Tensor, "n 3 s s"]) -> Float[Tensor, "n d"]:
        """Features of faces in [-1, 1]: the mean word of a patch, all patches seen."""
        return self.encoder(faces)

    def loss(
        self,
        faces: Float[Tensor, "n 3 s s"],
        hidden: Bool[Tensor, "n p"],
        covered: Bool[Tensor, "n p"],
        discriminate: bool = True,
    ) -> Float[Tensor, ""]:
        """Of faces under a mask.

        Args:
            faces: in [-1, 1].
            hidden: patches that are hidden.
            covered: those of the region that is hidden wholly; none leaves their error out.
            discriminate: whether the slow copy is asked.
        """
        words = self.encoder.words(faces, hidden)
        errors = patch_errors(self.draw(words, hidden)[:, 1:], faces, self.patch)
        total = over(errors, hidden) + REGION * over(errors, covered)
        if not discriminate:
            return total
        self.slow.follow(self.online)
        return total + SAME * unlike(
            self.predict(self.online.branch(words, hidden)), self.slow(faces)
        )


def unlike(ours: Float[Tensor, "n d"], theirs: Float[Tensor, "n d"]) -> Float[Tensor, ""]:
    """Half of the mean cosine, with the sign turned.

    Source: X. Chen, K. He, "Exploring Simple Siamese Representation Learning", CVPR 2021
    (arXiv:2011.10566), equation 2, one of its two directions.
    """
    return -functional.cosine_similarity(ours, theirs, dim=1).mean() / 2


@dataclass(frozen=True, eq=False)
class MaskedArm(trial.Arm):
    """An arm whose masks need to know where a face's regions are.

    Attributes:
        labels: numbers of `crfr_p.LABELS` of each face that is learnt from; None hides patches at
            random, as many.
        discriminate: whether the slow copy is asked.
    """

    labels: UInt8[np.ndarray, "n s s"] | None = None
    discriminate: bool = True

    def train(self, material: Material, settings: Settings, job: Job) -> nn.Module:
        """The model, trained, in evaluation mode."""
        people = material.people.train

        def of_rows(model: nn.Module, rows: np.ndarray, rng: np.random.Generator) -> Tensor:
            assert isinstance(model, FSFM)
            mirrored = rng.random(len(rows)) < 0.5
            faces = still(_turned(people.pixels[rows], mirrored))
            drawn = self._masks(rows, mirrored, faces, model.patch, rng)
            seen = (faces, torch.from_numpy(drawn.hidden), torch.from_numpy(drawn.covered))
            faces, hidden, covered = (each.to(settings.device) for each in seen)
            return model.loss(faces, hidden, covered, self.discriminate)

        with seeded(settings.seed):
            model = self.make()
        folder = job.out / f"{trial.file_name(self.name)}-{settings.seed}"
        digest = people.digest()
        return train(model, of_rows, len(people), settings, folder, data=digest, say=job.say)

    def _masks(
        self,
        rows: np.ndarray,
        mirrored: np.ndarray,
        faces: Tensor,
        patch: int,
        rng: np.random.Generator,
    ) -> Masks:
        if self.labels is not None:
            return masks(_turned(self.labels[rows], mirrored), patch, rng)
        hidden = random_masks(len(rows), (faces.shape[2] // patch) ** 2, rng, HIDDEN)
        return Masks(hidden, np.zeros_like(hidden))


def arms(job: Job, labels: UInt8[np.ndarray, "n s s"]) -> list[trial.Arm]:
    """FSFM; without its masks, without its slow copy; and the first weights.

    Args:
        job: the job.
        labels: numbers of `crfr_p.LABELS` of the faces that are learnt from.
    """

    def make() -> FSFM:
        return FSFM(job.settings.steps, labels.shape[1])

    return [
        MaskedArm("FSFM", make, labels=labels),
        MaskedArm("random masks", make),
        MaskedArm("without the slow copy", make, labels=labels, discriminate=False),
        trial.untrained(make),
    ]


def run(job: Job) -> Comparison:
    """All arms, judged by replayed faces and by what a face shows."""
    material = gather(job)
    assert job.data is not None
    made, faces = job.out.parent / "made", material.faces
    spoofs = replays(job.data / "antispoof", made, job.say)
    found = meshes(faces, made, material.people.train.digest(), job.say)
    labels = region_labels(found.points, faces.shape[1])
    probed = (task for task in material.tasks if task.name != "recognition")
    material = replace(material, tasks=(spoofs, *probed))
    return trial.run(job, arms(job, labels), material=material)


def _turned(
    squares: UInt8[np.ndarray, "n s s *c"], mirrored: Bool[np.ndarray, " n"]
) -> UInt8[np.ndarray, "n s s *c"]:
    """Some of the squares mirrored."""
    squares = squares.copy()
    squares[mirrored] = squares[mirrored, :, ::-1]
    return squares
