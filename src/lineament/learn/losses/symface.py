"""SymFace: both halves of a face that looks straight ahead get the same embedding.

Source: P. Prakash et al., "SymFace: Additional Facial Symmetry Loss for Deep Face Recognition",
2024 (arXiv:2409.11816): the 3-point symmetric split, and the symmetry loss that is added to any
margin loss.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, UInt8
from torch import Tensor, nn
from torch.nn import functional

from lineament.core.cards import Card, method
from lineament.core.image import Image
from lineament.learn.data.augment import augmented, still
from lineament.learn.data.cache import kept
from lineament.learn.losses.baselines import SCALE
from lineament.learn.recipes import Comparison, Job, Recipe
from lineament.learn.recognition.crops import default_detector
from lineament.learn.recognition.material import People, gather
from lineament.learn.recognition.trial import Arm, View, classify, with_head
from lineament.learn.recognition.trial import run as compared
from lineament.learn.settings import SHORT, SHORT_ON_GPU

CARD = Card(
    slug="symface",
    title="SymFace: Additional Facial Symmetry Loss for Deep Face Recognition",
    paper="arXiv:2409.11816",
    verb="train",
    task="Learns embeddings that are alike for the left half of a frontal face and for the "
    "mirrored right half, beside any margin loss.",
    entry="symmetry",
    needs=("crops", "people", "keypoints"),
    gives=("a loss",),
    deviations=(
        "We had the paper's abstract and summaries of it, not its equations. The coefficient of "
        "frontality is ours: 1 less the nose's distance from the middle of the eyes, in halves of "
        "the distance between them, and at least 0.",
        "The limit from which a face counts as frontal is ours, 0.9.",
        "The pull is the squared distance of the two halves' embeddings at length 1, of equal "
        "weight with the margin loss.",
        "A half stays where it is and what it was cut from is grey; so the network keeps its "
        "input, and a half its proportions.",
        "Halves are shown as they are; only whole faces are augmented.",
        "Statistics of batch norms are learnt from whole faces only, which are what is embedded "
        "later.",
        "YuNet's points on the crops stand for RetinaFace's on the pictures.",
        "The margin loss is ArcFace alone, at a scale of 16; the paper adds AdaFace and more "
        "networks.",
        "A tiny network, 64 x 64 pixels, 9,672 faces of 1,891 people, 800 steps of 64 faces.",
    ),
    risk="Faces that are not symmetric, after a stroke or an injury for instance, are pulled "
    "towards what they are not; their owners may be told apart worse.",
)

RECIPE = Recipe(
    slug="symface",
    title="ArcFace and the pull between the halves of frontal faces",
    entry="run",
    baseline="the same margin without the pull; and with the pull on as many faces however turned",
    settings=SHORT,
    gpu=SHORT_ON_GPU,
    sets=("celeba64_train", "lfw", "orl"),
)

FRONTAL = 0.9
"""From this frontality a face is split."""
_ENLARGED, _FRAME = 3, 48
"""For the detector: the factor, and the black frame around the enlarged crop, pixels."""


def frontality(points: Float32[np.ndarray, "n 5 2"]) -> Float32[np.ndarray, " n"]:
    """The coefficient of symmetric orientation (rho), from three of the five points.

    1 where the nose lies midway between the eyes, across the picture; 0 where it lies under an eye
    or farther out, and where both eyes lie one above the other.

    Args:
        points: scheme "5" of upright faces, pixels.
    """
    right, left, nose = points[:, :3, 0].T
    apart = np.abs(left - right)
    away = np.abs(2 * nose - left - right)
    rho = 1 - np.divide(away, apart, out=np.full_like(away, 2), where=apart > 0)
    return np.maximum(rho, 0)


def halves(
    faces: Float[Tensor, "n 3 h w"],
) -> tuple[Float[Tensor, "n 3 h w"], Float[Tensor, "n 3 h w"]]:
    """The left half of each picture, and its right half mirrored; the other half is 0, mid grey."""
    left = torch.arange(faces.shape[-1]) < faces.shape[-1] // 2
    return faces * left, faces.flip(-1) * left


def symmetry(left: Float[Tensor, "n d"], right: Float[Tensor, "n d"]) -> Float[Tensor, ""]:
    """The symmetry loss: mean squared distance of embeddings, brought to length 1; 0 of none."""
    if not len(left):
        return left.sum()
    apart = functional.normalize(left) - functional.normalize(right)
    return apart.square().sum(dim=1).mean()


def measured(people: People) -> Float32[np.ndarray, " n"]:
    """The frontality of aligned faces, by what a detector finds on them; 0 where it finds none."""
    detector = default_detector()
    points = np.zeros((len(people), 5, 2), np.float32)
    for row in range(len(people)):
        found = detector([_enlarged(_face(people, row))])[0]
        if len(found):
            corners = found.boxes.reshape(-1, 2, 2)
            largest = int(np.argmax(np.prod(corners[:, 1] - corners[:, 0], axis=1)))
            points[row] = found.keypoints.points[largest]
    return frontality(points)


def _enlarged(face: UInt8[np.ndarray, "s s 3"]) -> Image:
    from PIL import Image as Pillow

    size = (_ENLARGED * face.shape[1], _ENLARGED * face.shape[0])
    large = np.asarray(Pillow.fromarray(face).resize(size, Pillow.Resampling.BICUBIC))
    return Image(np.pad(large, ((_FRAME, _FRAME), (_FRAME, _FRAME), (0, 0))))


def split(people: People, chosen: Bool[np.ndarray, " n"]) -> View:
    """A view of whole faces, augmented, and of their halves: n x 3 x 3 x h x w.

    The halves of faces that are not chosen are blank. A view is handed pixels alone, so the chosen
    ones are known by their bytes.
    """
    flags: Mapping[bytes, bool] = {
        _mark(_face(people, row)): bool(flag) for row, flag in enumerate(chosen)
    }

    def view(pixels: UInt8[np.ndarray, "n s s 3"], rng: np.random.Generator) -> Tensor:
        here = torch.tensor([flags[_mark(face)] for face in pixels])
        left, right = halves(still(pixels) * here[:, None, None, None])
        return torch.stack([augmented(pixels, rng), left, right], dim=1)

    return view


def _face(people: People, row: int) -> UInt8[np.ndarray, "s s 3"]:
    return people.pixels[np.asarray([row])][0]


def _mark(face: np.ndarray) -> bytes:
    return hashlib.blake2b(face.tobytes(), digest_size=16).digest()


def objective(model: nn.Module, seen: Tensor, people: Tensor, rng: np.random.Generator) -> Tensor:
    """The head's loss of whole faces, and the symmetry loss of those that have halves."""
    whole, left, right = seen.unbind(dim=1)
    loss = classify(model, whole, people, rng)
    # No byte becomes 0 in [-1, 1], so what is all 0 is blank.
    chosen = left.flatten(1).any(dim=1)
    if int(chosen.sum()) < 2:  # batch norms need two
        return loss
    with _statistics_kept(model):
        pair = model(torch.cat([left[chosen], right[chosen]]))
    return loss + symmetry(*pair.chunk(2))


@contextmanager
def _statistics_kept(model: nn.Module) -> Iterator[None]:
    """Batch norms go by the batch, and their running statistics do not move."""
    norms = [m for m in model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    before = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, momentum in zip(norms, before, strict=True):
            norm.momentum = momentum


def run(job: Job) -> Comparison:
    """ArcFace with the pull, without it, and with it on as many faces drawn at random."""
    material = gather(job)
    people = material.train
    key = (people.digest(), len(people))

    def find() -> dict[str, np.ndarray]:
        job.say("looking for the noses of the training faces")
        return {"frontality": measured(people)}

    rho = kept(job.out.parent / "made", "frontality", key, find)["frontality"]
    chosen = rho >= FRONTAL
    job.say(f"{chosen.mean():.0%} of the training faces are frontal")
    drawn = np.random.default_rng(0).permutation(chosen)
    arcface = method("arcface").load()
    make: Callable[[int], nn.Module] = with_head(lambda p, d: arcface(p, d, SCALE))
    arms = [
        Arm("ArcFace and symmetry", make, objective, split(people, chosen)),
        Arm("ArcFace", make, shared=True),
        Arm("ArcFace and symmetry of any faces", make, objective, split(people, drawn)),
    ]
    return compared(job, arms, material=material)
