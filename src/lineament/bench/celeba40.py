"""CelebA's 40 attributes by linear probes, on people whom the probe has not seen; and `lnet-anet`.

People are drawn in an order that the seed gives, until they bring 2,000 pictures; the first 60 %
of these people train, the others are measured. (The official partition is not used: it is not
always there, and it is by pictures in order of people, so that this one is as hard.)

The figures are the mean over the attributes of accuracy, CelebA's own figure, and of balanced
accuracy: most attributes are rare, and to deny them all is right nine times of ten. One probe gives
both: with targets of 1 and -1, an answer is yes above 0 for the accuracy, and for the balanced
accuracy above the training mean of the target, so that a rare attribute may be answered at all.

`lnet-anet` comes twice. Its features are probed as all others are, on the same pictures: that is
what they are worth. Its own heads were fitted on more pictures, none of them of people who are
measured here; they answer as they ship, and only at seed 0, whose people they have not seen. Both
stand beside a probe on DINOv2's general features.

Source of the accuracy: Z. Liu et al., "Deep learning face attributes in the wild", ICCV 2015.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float, Int

from lineament.bench.attributes import COMMONEST, ITSELF, Metric, compare
from lineament.bench.context import Context, Outcome, Protocol, Table
from lineament.bench.described import said_by, who_says
from lineament.bench.probes import INNER, described, feature_sets, placed_crops, regress
from lineament.core.named_scores import NamedScores
from lineament.measure.attributes import attribute_accuracies, balanced_accuracies
from lineament.measure.sets.celeba import read_celeba
from lineament.measure.sets.nouns import LabeledPictures

PICTURES = 2_000
TRAINED = 0.6
METHOD, GENERAL = INNER, "cnn-off-the-shelf"
"""The method, and whose features it must be ahead of."""
UNSEEN = 0
"""The seed whose measured people the heads of the method have not seen."""
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
    """Probe every embedder asked for, the method's features, and the pixels."""
    faces, training = draw(read_celeba(context.set_folder("celeba5k")), context.seed)
    flags = np.stack(list(faces.labels.values()), axis=1).astype(bool)
    truth = flags[~training]
    commonest = flags[training].mean(axis=0) > 0.5
    answers = {COMMONEST: np.broadcast_to(commonest, (len(truth), 2, truth.shape[1]))}
    for name, features in feature_sets(context).items():
        context.say(f"celeba40: {name}")
        rows = features(faces.paths)
        answers[name] = decide(rows[training], flags[training], rows[~training])
    if not context.methods or METHOD in context.methods:
        answers |= method_answers(context, faces, flags, training)
    assert faces.people is not None
    compared = compare(answers, truth, METRICS, faces.people[~training], context.seed)
    data = (
        f"CelebA, {len(faces.paths):,} pictures: probe fitted on {training.sum():,}, "
        f"measured on {len(truth):,} of other people"
    )
    note = placed_crops(faces.paths).say()
    own = {METHOD, METHOD + ITSELF}
    about = ("celeba40", data, faces.digest(), context.seed, note)
    results = compared.results(*about)
    if METHOD in answers:
        results = [result for result in results if result.method != METHOD]
        beside = compared.results(*about, {METHOD + ITSELF}, GENERAL)
        results += [result for result in beside if result.method in own]
    return Outcome(
        [compared.table(data), attribute_table(tuple(faces.labels), answers, truth)], results
    )


def method_answers(
    context: Context,
    faces: LabeledPictures,
    flags: Bool[np.ndarray, "n a"],
    training: Bool[np.ndarray, " n"],
) -> dict[str, np.ndarray]:
    """What a probe on general features answers, and the method itself."""
    context.say(f"celeba40: {GENERAL}")
    rows = described(faces.paths, GENERAL)
    answers = {GENERAL: decide(rows[training], flags[training], rows[~training])}
    if context.seed == UNSEEN and METHOD in who_says(context, "attributes"):
        measured = tuple(p for p, train in zip(faces.paths, training, strict=True) if not train)
        said: NamedScores = said_by(METHOD, measured).fields["attributes"]
        chances = np.stack([said.of(name) for name in faces.labels], axis=1)
        base = flags[training].mean(axis=0)
        answers[METHOD + ITSELF] = np.stack([chances > 0.5, chances > base], axis=1)
    return answers


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


PROTOCOL = Protocol(
    "celeba40", "40 attributes of CelebA, by lnet-anet and probes", run, ("celeba5k",)
)
"""`lineament bench celeba40`."""
