"""CAST: a network cleans the folders that the next one learns from, and that one cleans them again.

A teacher embeds all faces of a collection that nobody looked through; `data.cleaning` takes
strangers out of folders and makes folders of one person one. A student learns from what stays, and
is the next round's teacher. Every round cleans the collection as it was gathered, so that what one
teacher took for a stranger the next may take back.

Here the collection is one with known faults: strangers' faces put into folders, and people's
folders cut in two. So each round's cleaning is measured, as well as what is learnt from it.

Source: Z. Zhu et al., "WebFace260M: A Benchmark Unveiling the Power of Million-Scale Deep Face
Recognition", CVPR 2021 (arXiv:2103.04098).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float32, Int64, UInt8
from PIL import Image
from torch import nn

from lineament.core.cards import method
from lineament.core.crops import ARCFACE_112, Crops
from lineament.learn import processes
from lineament.learn.data.cache import kept
from lineament.learn.data.cleaning import GONE, clean, limits_of
from lineament.learn.losses.baselines import SCALE
from lineament.learn.recipes import Comparison, Job, Recipe
from lineament.learn.recognition.faulty import (
    Collection,
    found_and_missed,
    gathered_blindly,
    joins,
)
from lineament.learn.recognition.figures import Run, compare, score
from lineament.learn.recognition.material import Material, People, gather
from lineament.learn.recognition.trial import Arm, embed, fit, shipped, with_head
from lineament.learn.settings import SHORT_ON_GPU, Settings
from lineament.measure.evidence import Result
from lineament.measure.interval import bootstrap

RECIPE = Recipe(
    slug="webface260m",
    title="cleaning by self-training (CAST) of folders with strangers in them",
    entry="run",
    baseline="the folders as they are, one round of cleaning, cleaning by another network, and the "
    "folders without their faults",
    settings=Settings(
        steps=600,
        batch=64,
        rate=0.003,
        warm_up=40,
        weight_decay=0.05,
        clip=5.0,
        measure_every=300,
    ),
    gpu=SHORT_ON_GPU,
    sets=("celeba64_train", "lfw", "orl"),
    of=("webface260m",),
)

OUTSIDE = "lineament-s"
"""A teacher that learnt elsewhere, whose cleaning stands beside."""
NAMES = ("as gathered", "cleaned once", "CAST")
"""What networks learn from, round by round."""
BY_OUTSIDE = f"cleaned by {OUTSIDE}"
FLAWLESS = "without faults"
"""What others learn from: the collection as another network cleans it, and as it would be if a
cleaning missed nothing and took too much of nothing."""
_Labels = Int64[np.ndarray, " n"]
_Cleaning = tuple[Collection, _Labels]
"""A collection, and whose each of its faces was taken for."""
SAME, DOUBTFUL = 0.01, 0.05
"""What `limits_of` is told; chosen on a collection of another seed than those measured."""


def cleaned(
    vectors: Float32[np.ndarray, "n d"], folders: Int64[np.ndarray, " n"]
) -> Int64[np.ndarray, " n"]:
    """Whose face each is in the eyes of a teacher; `GONE` for those that it takes out."""
    limits = limits_of(vectors, folders, same=SAME, doubtful=DOUBTFUL)
    # A small network cannot tell a copy from a likeness, and the collections hold none.
    return clean(vectors, folders, replace(limits, copied=2.0))


def seen_outside(pixels: UInt8[np.ndarray, "n s s 3"]) -> Float32[np.ndarray, "n d"]:
    """Embeddings by `OUTSIDE`, of faces enlarged to what it sees."""
    side = (ARCFACE_112.size, ARCFACE_112.size)
    large = np.stack(
        [
            np.asarray(Image.fromarray(face).resize(side, Image.Resampling.BICUBIC))
            for face in pixels
        ]
    )
    nowhere = np.zeros((len(large), 2, 3), np.float32)
    embedder = method(OUTSIDE, "embed").load()(threads=1)
    return embedder(Crops(large, nowhere, ARCFACE_112.name)).vectors


def staying(people: People, labels: Int64[np.ndarray, " n"], mark: str) -> People:
    """The faces that were not taken out, labelled anew without gaps."""
    rows = np.flatnonzero(labels != GONE)
    _, numbers = np.unique(labels[rows], return_inverse=True)
    return People(people.pixels[rows], numbers.astype(np.int64), f"{people.hash} {mark}")


def run(job: Job) -> Comparison:
    """Clean and learn by turns; measure each cleaning and what was learnt from it."""
    material = gather(job)
    outside = _outside(job, material.train)
    collections = [gathered_blindly(material.train, seed) for seed in job.seeds]
    runs: list[Run] = []
    cleanings: dict[str, list[_Cleaning]] = {name: [] for name in (*NAMES[1:], BY_OUTSIDE)}
    files = []
    for seed, faulty in zip(job.seeds, collections, strict=True):
        labels, models = _by_turns(job, material, faulty.people, seed, {
            BY_OUTSIDE: cleaned(outside, faulty.people.labels),
            FLAWLESS: faulty.flawless(),
        })  # fmt: skip
        for name, model in models.items():
            scores = score(lambda x, m=model: embed(m, x), material.tests)
            runs.append(Run(name, seed, scores))
        for name, cleaning in cleanings.items():
            cleaning.append((faulty, labels[name]))
        if not processes.rank():
            files.append(job.out / f"cast-{seed}.onnx")
            shipped(models[NAMES[-1]], material, job.recipe.slug, files[-1])
    first, once, last = NAMES
    against = [(last, first), (last, once), (BY_OUTSIDE, first), (FLAWLESS, first)]
    found = compare(job, replace(material, train=collections[0].people), runs, against)
    title = ". ".join([found.title, *(_told(*each) for each in cleanings.items())])
    more = [result for each in cleanings.items() for result in _results(job, *each)]
    return replace(found, title=title, results=[*found.results, *more], files=files)


def _by_turns(
    job: Job, material: Material, faces: People, seed: int, others: dict[str, _Labels]
) -> tuple[dict[str, _Labels], dict[str, nn.Module]]:
    """The rounds on one collection: whose each face was taken for, and what was learnt from that;
    also what is learnt where `others` say whose each face is."""
    labels = {NAMES[0]: faces.labels, **others}
    models: dict[str, nn.Module] = {}
    for name in (*NAMES, *others):
        if name not in labels:
            teacher = models[NAMES[NAMES.index(name) - 1]]
            vectors = embed(teacher, faces.pixels[np.arange(len(faces))])
            labels[name] = cleaned(vectors, faces.labels)
        models[name] = _learn(job, material, staying(faces, labels[name], name), name, seed)
    return labels, models


def _outside(job: Job, people: People) -> Float32[np.ndarray, "n d"]:
    job.say(f"embedding {len(people)} faces by {OUTSIDE}")

    def make() -> dict[str, np.ndarray]:
        return {"vectors": seen_outside(people.pixels[np.arange(len(people))])}

    return kept(job.out.parent / "made", OUTSIDE, (people.digest(),), make)["vectors"]


def _learn(job: Job, material: Material, people: People, name: str, seed: int) -> nn.Module:
    job.say(f"{name}, seed {seed}: {len(people)} faces of {people.count} people")
    arcface = method("arcface", "train").load()
    arm = Arm(name, with_head(lambda count, dimension: arcface(count, dimension, SCALE)))
    folder = job.out / f"{name.replace(' ', '-').lower()}-{seed}"
    settings = replace(job.settings, seed=seed)
    return fit(arm, replace(material, train=people), settings, folder, say=job.say)


def _told(name: str, cleanings: Sequence[_Cleaning]) -> str:
    """A cleaning in words: means over seeds."""
    shares = [found_and_missed(labels == GONE, faulty.foreign) for faulty, labels in cleanings]
    precision, recall = 100 * np.mean(shares, axis=0)
    joined, rightly, halves = np.mean([joins(*each) for each in cleanings], axis=0)
    return (
        f"{name}: {precision:.1f} % of the faces taken out were strangers', "
        f"{recall:.1f} % of the strangers' were taken out; {joined:.0f} pairs of folders joined, "
        f"{rightly:.0f} rightly, of {halves:.0f} halves"
    )


def _results(job: Job, name: str, cleanings: Sequence[_Cleaning]) -> list[Result]:
    """A cleaning as evidence."""
    faces = cleanings[0][0].people
    foreign = float(np.mean([faulty.foreign.mean() for faulty, _ in cleanings]))
    out = float(np.mean([(labels == GONE).mean() for _, labels in cleanings]))
    rightly = ", ".join("{1} of {0} of {2}".format(*joins(*each)) for each in cleanings)
    results = []
    for place, (share, chance) in enumerate((("precision", foreign), ("recall", out))):
        values, lows, highs = zip(*(_measured(*each, place) for each in cleanings), strict=True)
        single = ", ".join(f"{100 * value:.1f}" for value in values)
        results.append(
            Result(
                method=job.recipe.slug,
                protocol=f"train {job.recipe.slug}",
                data=f"{len(faces)} faces, {100 * foreign:.0f} % of them in folders of others",
                data_hash=faces.digest(),
                metric=f"{share} of faces taken out, {name}",
                ours=float(np.mean(values)),
                interval=(float(np.mean(lows)), float(np.mean(highs))),
                baseline="as many faces at random",
                baseline_value=chance,
                seed=job.seeds[0],
                note=f"Mean of seeds {', '.join(map(str, job.seeds))} ({single} %), each with its "
                "own collection; folders drawn, the seeds' intervals averaged. Pairs of folders "
                f"joined rightly, of all joined, of halves there are: {rightly}.",
            )
        )
    return results


def _measured(
    faulty: Collection, labels: Int64[np.ndarray, " n"], place: int
) -> tuple[float, float, float]:
    """Precision (place 0) or recall (1), and its interval."""
    out, foreign = labels == GONE, faulty.foreign
    interval = bootstrap(
        lambda rows: found_and_missed(out[rows], foreign[rows])[place],
        faulty.people.labels,
        rounds=200,
    )
    return found_and_missed(out, foreign)[place], interval.low, interval.high
