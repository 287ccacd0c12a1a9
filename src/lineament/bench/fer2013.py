"""FER-2013: seven expressions by the methods themselves and by linear probes.

The probe is fitted on the pictures of PublicTest and measured on those of PrivateTest, which was
the contest's own final test; where names do not say their part, on every other picture of the
folder. The faces are of 48 x 48 and are enlarged by the alignment; where the detector finds none in
so small a picture, the points are where they usually are in this set. Methods that name expressions
answer as they are. Most of them have seen FER-2013's training part, or do not say.

Source: I. Goodfellow et al., "Challenges in representation learning", ICONIP 2013.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Int

from lineament.bench.attributes import COMMONEST, Metric, compare
from lineament.bench.context import Context, Outcome, Protocol
from lineament.bench.described import said_by, who_says
from lineament.bench.plots import Bars
from lineament.bench.probes import classify, feature_sets, placed_crops
from lineament.core.named_scores import NamedScores
from lineament.measure.attributes import accuracy, confusion, macro_f1
from lineament.measure.sets.fer2013 import EXPRESSIONS, PARTS, read_fer2013
from lineament.measure.sets.nouns import LabeledPictures

CLASSES = len(EXPRESSIONS)
METRICS = (Metric("accuracy", accuracy), Metric("macro F1", lambda a, t: macro_f1(a, t, CLASSES)))


def run(context: Context) -> Outcome:
    """Ask every method that names expressions; probe every embedder asked for, and the pixels."""
    faces = read_fer2013(context.set_folder("fer2013"))
    training = halves(faces)
    labels = faces.labels["expression"]
    truth = labels[~training]
    commonest = np.bincount(labels[training]).argmax()
    answers = {COMMONEST: np.full(len(truth), commonest)}
    for name, features in feature_sets(context).items():
        context.say(f"fer2013: {name}")
        rows = features(faces.paths)
        chances = classify(rows[training], labels[training], rows[~training])
        answers[name] = chances.argmax(axis=1)
    namers = who_says(context, "expression")
    for name in namers:
        context.say(f"fer2013: {name}")
        measured = tuple(p for p, train in zip(faces.paths, training, strict=True) if not train)
        answers[name] = numbered(said_by(name, measured).fields["expression"])
    compared = compare(answers, truth, METRICS, np.arange(len(truth)), context.seed)
    how = "PublicTest, measured on {} of PrivateTest" if faces.split is not None else "one half, {}"
    data = f"FER-2013, probe fitted on {training.sum()} of {how.format(len(truth))}"
    note = f"intervals over pictures; {placed_crops(faces.paths).say()}"
    recalls = {
        who: (np.diag(table) / table.sum(axis=1)).tolist()
        for who, found in answers.items()
        if who != COMMONEST
        for table in [confusion(found, truth, CLASSES)]
    }
    return Outcome(
        [compared.table(data)],
        compared.results("fer2013", data, faces.digest(), context.seed, note, namers),
        [Bars("FER-2013: recall of each expression", "recall", EXPRESSIONS, recalls)],
    )


def numbered(expression: NamedScores) -> Int[np.ndarray, " n"]:
    """The likeliest expression of each face as a number of `EXPRESSIONS`.

    Raises:
        ValueError: a name is not one of them.
    """
    return np.asarray([EXPRESSIONS.index(name) for name in expression.best()], np.int64)


def halves(faces: LabeledPictures) -> Bool[np.ndarray, " n"]:
    """Which pictures train."""
    if faces.split is None:
        return np.arange(len(faces.paths)) % 2 == 0
    return faces.split != PARTS.index("PrivateTest")


PROTOCOL = Protocol(
    "fer2013", "seven expressions of FER-2013, by methods and probes", run, ("fer2013",)
)
"""`lineament bench fer2013`."""
