"""CelebA's 40 attributes by linear probes, on people whom the probe has not seen.

People are drawn in an order that the seed gives, until they bring 2,000 pictures; the first 60 %
of these people train, the others are measured. (The official partition is not used: it is not
always there, and it is by pictures in order of people, so that this one is as hard.)

The figures are the mean over the attributes of accuracy, CelebA's own figure, and of balanced
accuracy: most attributes are rare, and to deny them all is right nine times of ten. One probe gives
both: with targets of 1 and -1, an answer is yes above 0 for the accuracy, and for the balanced
accuracy above the training mean of the target, so that a rare attribute may be answered at all.

Source of the accuracy: Z. Liu et al., "Deep learning face attributes in the wild", ICCV 2015.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float, Int

from lineament.bench.attributes import COMMONEST, Metric, compare
from lineament.bench.context import Context, Outcome, Protocol, Table
from lineament.bench.probes import feature_sets, placed_crops, regress
from lineament.measure.attributes import attribute_accuracies, balanced_accuracies
from lineament.measure.sets.celeba import read_celeba
from lineament.measure.sets.nouns import LabeledPictures

PICTURES = 2_000
TRAINED = 0.6
LIKELY, BALANCED = 0, 1
"""Answers at the two thresholds."""
METRICS = (
    Metric(
        "mean accuracy of 40 attributes",
        lambda a, t: float(attribute_accuracies(a[:, LIKELY], t).mean()),
    ),
    Metric(
        "mean balanced accuracy", lambda a, t: float(balanced_accuracies(a[:, BALANCED], t).mean())
    ),
)


def run(context: Context) -> Outcome:
    """Probe every embedder asked for, and the pixels."""
    faces, training = draw(read_celeba(context.set_folder("celeba5k")), context.seed)
    flags = np.stack(list(faces.labels.values()), axis=1).astype(bool)
    truth = flags[~training]
    commonest = flags[training].mean(axis=0) > 0.5
    answers = {COMMONEST: np.broadcast_to(commonest, (len(truth), 2, truth.shape[1]))}
    for name, features in feature_sets(context).items():
        context.say(f"celeba40: {name}")
        rows = features(faces.paths)
        answers[name] = decide(rows[training], flags[training], rows[~training])
    assert faces.people is not None
    compared = compare(answers, truth, METRICS, faces.people[~training], context.seed)
    data = (
        f"CelebA, {len(faces.paths):,} pictures: probe fitted on {training.sum():,}, "
        f"measured on {len(truth):,} of other people"
    )
    note = placed_crops(faces.paths).say()
    return Outcome(
        [compared.table(data), attribute_table(tuple(faces.labels), answers, truth)],
        compared.results("celeba40", data, faces.digest(), context.seed, note),
    )


def decide(
    train: Float[np.ndarray, "n d"], flags: Bool[np.ndarray, "n a"], test: Float[np.ndarray, "m d"]
) -> Bool[np.ndarray, "m 2 a"]:
    """Yes or no to each attribute, at both thresholds."""
    signs = np.where(flags, 1.0, -1.0)
    scores = regress(train, signs, test)
    return np.stack([scores > 0, scores > signs.mean(axis=0)], axis=1)


def draw(faces: LabeledPictures, seed: int) -> tuple[LabeledPictures, Bool[np.ndarray, " n"]]:
    """Pictures of people drawn by the seed, and which of them train; no person is on both sides."""
    people = faces.people
    assert people is not None
    rng = np.random.default_rng(seed)
    order = rng.permutation(np.unique(people))
    place = np.empty(int(people.max()) + 1, np.int64)
    place[order] = np.arange(len(order))
    rows = np.argsort(place[people], kind="stable")[:PICTURES]
    last = place[people[rows]].max()
    training = place[people[rows]] < TRAINED * (last + 1)
    return take(faces, rows), training


def take(faces: LabeledPictures, rows: Int[np.ndarray, " m"]) -> LabeledPictures:
    """Some of the pictures."""
    return replace(
        faces,
        paths=tuple(faces.paths[row] for row in rows),
        labels={name: label[rows] for name, label in faces.labels.items()},
        people=None if faces.people is None else faces.people[rows],
        split=None if faces.split is None else faces.split[rows],
    )


def attribute_table(
    names: tuple[str, ...], answers: dict[str, np.ndarray], truth: Bool[np.ndarray, "n a"]
) -> Table:
    """Balanced accuracy of each attribute, in per cent, the commonest first."""
    probed = [who for who in answers if who != COMMONEST]
    columns = np.stack(
        [balanced_accuracies(answers[who][:, BALANCED], truth) for who in probed], axis=1
    )
    order = np.argsort(-truth.mean(axis=0), kind="stable")
    return Table(
        "Balanced accuracy of each attribute (50 is blind guessing)",
        ("attribute", "faces %#", *(f"{who} %#" for who in probed)),
        [
            (
                names[k].replace("_", " "),
                f"{100 * truth[:, k].mean():.1f}",
                *(f"{100 * value:.1f}" for value in columns[k]),
            )
            for k in order
        ],
    )


PROTOCOL = Protocol("celeba40", "40 attributes of CelebA by linear probes", run, ("celeba5k",))
"""`lineament bench celeba40`."""
