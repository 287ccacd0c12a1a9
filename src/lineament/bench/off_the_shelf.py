"""General features with a linear classifier, beside what was trained on faces, and beside pixels.

All three see the same aligned crops and the same classifiers: nearest neighbour and a linear SVM
for who it is (ORL), a linear SVM for attributes (CelebA, people of the test not in training), and
the cosine for whether two pictures show one person (LFW's first fold of 600 pairs). The SVM has one
C for everything, on features brought to deviation 1: nothing is tuned.

Source of the recipe: A. Razavian et al., arXiv:1403.6382.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int64

from lineament.bench.classical import draw
from lineament.bench.context import Context, Outcome, Protocol, Table
from lineament.bench.faces import main_faces
from lineament.bench.lfw import Figure, percent
from lineament.bench.orl import orl_faces
from lineament.core.cards import method
from lineament.core.crops import Crops
from lineament.core.errors import BadInput
from lineament.measure.evidence import Result
from lineament.measure.interval import bootstrap, bootstrap_pairs
from lineament.measure.sets.celeba import read_celeba
from lineament.measure.sets.lfw import read_lfw
from lineament.measure.verification import equal_error_rate

GENERAL, FACES, PIXELS = "cnn-off-the-shelf", "sface", "pixels"
KINDS = (GENERAL, FACES, PIXELS)
COARSE = 16
"""Side of the grid of plain pixels: the means of 7 x 7 pixels of a crop."""
DRAWS = 10
PICTURES = 1000
ATTRIBUTES = (
    "Male",
    "Young",
    "Smiling",
    "Eyeglasses",
    "Wearing_Lipstick",
    "Mouth_Slightly_Open",
    "No_Beard",
    "Bangs",
)
SVM_C = 0.01

Features = Float[np.ndarray, "n d"]
Measured = dict[tuple[str, str, str], Figure]
"""(data, metric, kind) -> figure."""


def describe(crops: Crops, kind: str) -> Features:
    """Features of aligned faces: of the general network, a face network, or the pixels."""
    if kind == GENERAL:
        return method(GENERAL).load()()(crops)
    if kind == FACES:
        return method(FACES, "embed").load()()(crops).vectors
    return _pixels(crops)


@cache
def features(paths: tuple[Path, ...], kind: str = GENERAL) -> tuple[np.ndarray, np.ndarray]:
    """Whether each picture's main face was found, and the features of those, for linear probes."""
    faces = main_faces(paths)
    return faces.found, describe(faces.crops, kind)


def _pixels(crops: Crops) -> Features:
    cell = crops.pixels.shape[1] // COARSE
    grey = crops.pixels.astype(np.float64).mean(axis=3)
    return grey.reshape(-1, COARSE, cell, COARSE, cell).mean(axis=(2, 4)).reshape(len(grey), -1)


def svm(
    train: Features, labels: Int64[np.ndarray, " n"], test: Float[np.ndarray, "m d"]
) -> np.ndarray:
    """Decision values of a linear SVM: one column a class, or one value where there are two.

    Raises:
        BadInput: the labels are all alike.
    """
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import LinearSVC

    if len(np.unique(labels)) < 2:
        raise BadInput("a classifier needs two classes")
    model = make_pipeline(StandardScaler(), LinearSVC(C=SVM_C, random_state=0))
    return model.fit(train, labels).decision_function(test)


def run(context: Context) -> Outcome:
    """The three tasks."""
    figures: Measured = {}
    digests: dict[str, str] = {}
    for task in (identify, attributes, verify):
        context.say(f"off-the-shelf: {task.__name__}")
        data, digest, found = task(context)
        digests[data] = digest
        figures |= {(data, metric, kind): figure for (metric, kind), figure in found.items()}
    keys = list(dict.fromkeys((data, metric) for data, metric, _ in figures))
    table = Table(
        "Features under the same classifiers, %",
        ("data", "metric", *(f"{kind}#" for kind in KINDS)),
        [(d, m, *(percent(figures[d, m, kind]) for kind in KINDS)) for d, m in keys],
    )
    return Outcome([table], _results(figures, digests, context.seed))


def identify(context: Context) -> tuple[str, str, dict[tuple[str, str], Figure]]:
    """Who of 40 it is, from five pictures of each."""
    orl = orl_faces(context.set_folder("orl"))
    rng = np.random.default_rng(context.seed)
    people = orl.people[orl.found]
    draws = [draw(people, rng) for _ in range(DRAWS)]
    whose = people[np.concatenate([d.probes for d in draws])]
    figures = {}
    for kind in KINDS:
        vectors = describe(orl.crops, kind)
        nearest, linear = [], []
        for d in draws:
            known, asked, names = vectors[d.enrolled], vectors[d.probes], people[d.enrolled]
            squares = (known**2).sum(1) - 2 * asked @ known.T
            nearest.append(names[squares.argmin(1)] == people[d.probes])
            values = svm(known, names, asked)
            linear.append(np.unique(names)[values.argmax(1)] == people[d.probes])
        for metric, hits in (
            ("rank-1 accuracy, nearest", nearest),
            ("rank-1 accuracy, SVM", linear),
        ):
            figures[metric, kind] = _share(np.concatenate(hits), whose, context.seed)
    data = f"ORL, {len(people)} faces, five of each person enrolled, {DRAWS} draws"
    return data, orl.digest, figures


def attributes(context: Context) -> tuple[str, str, dict[tuple[str, str], Figure]]:
    """Attributes of people who are not in training."""
    celeba = read_celeba(context.set_folder("celeba5k"))
    assert celeba.people is not None
    rows = np.arange(len(celeba.paths))[:: max(1, len(celeba.paths) // PICTURES)][:PICTURES]
    paths = tuple(celeba.paths[row] for row in rows)
    rows = rows[main_faces(paths).found]
    people = celeba.people[rows]
    training = np.isin(
        people,
        np.random.default_rng(context.seed).permutation(np.unique(people))[
            : len(np.unique(people)) // 2
        ],
    )
    figures: dict[tuple[str, str], Figure] = {}
    for kind in KINDS:
        _, vectors = features(paths, kind)
        for name in ATTRIBUTES:
            labels = celeba.labels[name][rows]
            values = svm(vectors[training], labels[training], vectors[~training])
            figures[f"AUC, {name}", kind] = _bootstrapped(
                _auc(values, labels[~training] == 1), people[~training], context.seed
            )
    data = (
        f"CelebA, {training.sum()} faces for training, {(~training).sum()} of other people to test"
    )
    return data, celeba.digest(), figures


def verify(context: Context) -> tuple[str, str, dict[tuple[str, str], Figure]]:
    """One person or two, by cosine."""
    lfw = read_lfw(context.set_folder("lfw"))
    fold = lfw.fold == 0
    used, places = np.unique(lfw.pairs[fold], return_inverse=True)
    paths = tuple(lfw.paths[row] for row in used)
    found = main_faces(paths).found
    place = np.cumsum(found) - 1
    pairs = places.reshape(-1, 2)
    whole = found[pairs].all(axis=1)
    rows, same = place[pairs[whole]], lfw.same[fold][whole]
    people = lfw.people[lfw.pairs[fold]][whole]
    figures = {}
    for kind in KINDS:
        _, vectors = features(paths, kind)
        unit = vectors - (vectors.mean(axis=0) if kind == PIXELS else 0)
        unit = unit / np.linalg.norm(unit, axis=1, keepdims=True)
        cosines = (unit[rows[:, 0]] * unit[rows[:, 1]]).sum(axis=1)
        figures["equal error rate, cosine", kind] = _pairs(cosines, same, people, context.seed)
    return f"LFW, {whole.sum()} pairs of the first fold", lfw.digest(), figures


def _auc(
    values: Float[np.ndarray, " n"], positive: Bool[np.ndarray, " n"]
) -> Callable[[Int64[np.ndarray, " m"]], float]:
    from sklearn.metrics import roc_auc_score

    def statistic(rows: Int64[np.ndarray, " m"]) -> float:
        if len(np.unique(positive[rows])) < 2:
            raise BadInput("an AUC needs both classes")
        return float(roc_auc_score(positive[rows], values[rows]))

    return statistic


def _share(hits: Bool[np.ndarray, " n"], people: Int64[np.ndarray, " n"], seed: int) -> Figure:
    return _bootstrapped(lambda rows: float(hits[rows].mean()), people, seed)


def _bootstrapped(
    statistic: Callable[[Int64[np.ndarray, " m"]], float],
    people: Int64[np.ndarray, " n"],
    seed: int,
) -> Figure:
    interval = bootstrap(statistic, people, seed=seed, rounds=500)
    return Figure(statistic(np.arange(len(people))), interval.pair)


def _pairs(
    scores: Float[np.ndarray, " p"],
    same: Bool[np.ndarray, " p"],
    people: Int64[np.ndarray, "p 2"],
    seed: int,
) -> Figure:
    def statistic(rows: Int64[np.ndarray, " m"]) -> float:
        return equal_error_rate(scores[rows], same[rows])

    interval = bootstrap_pairs(statistic, people, seed=seed, rounds=500)
    return Figure(statistic(np.arange(len(scores))), interval.pair)


def _results(figures: Measured, digests: dict[str, str], seed: int) -> list[Result]:
    return [
        Result(
            method=GENERAL,
            protocol="off-the-shelf",
            data=data,
            data_hash=digests[data],
            metric=f"{metric}, beside {beside}",
            ours=figure.value,
            interval=figure.interval,
            baseline=beside,
            baseline_value=figures[data, metric, beside].value,
            higher_is_better="error" not in metric,
            seed=seed,
        )
        for (data, metric, kind), figure in figures.items()
        if kind == GENERAL
        for beside in (FACES, PIXELS)
    ]


PROTOCOL = Protocol(
    "off-the-shelf",
    "general features with a linear classifier, beside face features",
    run,
    ("orl", "celeba5k", "lfw"),
)
"""`lineament bench off-the-shelf`."""
