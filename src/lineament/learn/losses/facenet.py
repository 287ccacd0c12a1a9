"""FaceNet: embeddings learnt from triplets, compared by distance, kept as 128 bytes.

Source: F. Schroff, D. Kalenichenko, J. Philbin, "FaceNet: A Unified Embedding for Face Recognition
and Clustering", CVPR 2015 (arXiv:1503.03832). The loss is in `triplets`; embeddings of a new
network that can be compared with an old one's, the paper's appendix, are in `harmonic`.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Float32, UInt8
from torch import nn

from lineament.core.cards import Card
from lineament.core.embeddings import Embeddings, encode
from lineament.learn import processes
from lineament.learn.data.balanced import Balanced
from lineament.learn.losses.baselines import cosines
from lineament.learn.losses.triplets import TripletLoss, at_random
from lineament.learn.recipes import Comparison, Job, Recipe
from lineament.learn.recognition.figures import Run, compare, score
from lineament.learn.recognition.material import gather
from lineament.learn.recognition.trial import Arm, embed, fit, folder_of, shipped, with_head
from lineament.learn.settings import SHORT, SHORT_ON_GPU, Settings

CARD = Card(
    slug="facenet",
    title="FaceNet: A Unified Embedding for Face Recognition and Clustering",
    paper="arXiv:1503.03832",
    verb="train",
    task="Learns embeddings in which a person's faces are nearer to each other than to anyone's.",
    entry="FaceNet",
    needs=("crops", "people"),
    gives=("a loss",),
    code="",
    deviations=(
        "The mean over triplets is made small, not their sum.",
        "Where no negative is farther from the anchor than the positive, the farthest one is "
        "taken; the paper says nothing of it.",
        "16 people with 4 faces each in a batch of 64; the paper takes about 40 faces of a person "
        "in batches of 1,800, with further negatives drawn at random.",
        "AdamW, not AdaGrad.",
        "The 128 bytes are one scale for all numbers (core.embeddings); the paper does not say how "
        "it quantises.",
        "A tiny network, 64 x 64 pixels, 9,672 faces of 1,891 people, 800 steps; the paper has "
        "100 to 200 million faces of about 8 million people.",
    ),
    risk="Whoever the training pictures show too rarely is told apart worse.",
    published=(("lfw", "accuracy", 0.9963),),
)

RECIPE = Recipe(
    slug="facenet",
    title="triplets with semi-hard negatives, and their embeddings as 128 bytes",
    entry="run",
    baseline="the same with negatives at random, and a softmax over cosines",
    settings=SHORT,
    gpu=SHORT_ON_GPU,
    sets=("celeba64_train", "lfw", "orl"),
)

FACES = 4
"""Of each person in a batch."""


class FaceNet(TripletLoss):
    """The triplet loss at the paper's settings: margin 0.2, semi-hard negatives."""


def arm() -> Arm:
    """Training under this loss."""
    return Arm("FaceNet", with_head(lambda p, d: FaceNet()), plan=balanced, shared=True)


def unmined() -> Arm:
    """The same with negatives that are drawn."""
    make = with_head(lambda p, d: TripletLoss(mine=at_random))
    return Arm("random triplets", make, plan=balanced)


def balanced(labels: np.ndarray, settings: Settings) -> Balanced:
    """Batches in which every face has others of its person."""
    return Balanced(labels, settings.batch, FACES, settings.seed)


def as_bytes(vectors: Float32[np.ndarray, "n d"]) -> Float32[np.ndarray, "n d"]:
    """What is left of embeddings that were kept as a byte a number."""
    return Embeddings.from_codes(encode(vectors), "codes").vectors


def run(job: Job) -> Comparison:
    """Mined triplets beside drawn ones and beside a softmax; bytes beside floats."""
    material = gather(job)
    ours, drawn, softmax = arms = [arm(), unmined(), cosines()]
    coded = f"{ours.name}, 128 bytes"
    runs, files = [], []
    for seed in job.seeds:
        settings = replace(job.settings, seed=seed)
        for each in arms:
            job.say(f"{each.name}, seed {seed}")
            folder = folder_of(each, job, settings, material)
            model = fit(each, material, settings, folder, say=job.say)
            vectors = Remembered(model)
            runs.append(Run(each.name, seed, score(vectors, material.tests)))
            if each is ours:
                bytes_of = score(lambda faces, v=vectors: as_bytes(v(faces)), material.tests)
                runs.append(Run(coded, seed, bytes_of))
            if each is ours and not processes.rank():
                files.append(job.out / f"facenet-{seed}.onnx")
                shipped(model, material, job.recipe.slug, files[-1])
    against = [(ours.name, drawn.name), (ours.name, softmax.name), (coded, ours.name)]
    return replace(compare(job, material, runs, against), files=files)


class Remembered:
    """Embeddings of arrays of faces, made once for each array."""

    def __init__(self, model: nn.Module) -> None:
        self._model = model
        self._known: dict[int, Float32[np.ndarray, "n d"]] = {}

    def __call__(self, faces: UInt8[np.ndarray, "n s s 3"]) -> Float32[np.ndarray, "n d"]:
        if id(faces) not in self._known:
            self._known[id(faces)] = embed(self._model, faces)
        return self._known[id(faces)]
