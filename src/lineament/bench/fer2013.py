"""FER-2013: seven expressions by linear probes.

The probe is fitted on the pictures of PublicTest and measured on those of PrivateTest, which was
the contest's own final test; where names do not say their part, on every other picture of the
folder. The faces are of 48 x 48 and are enlarged by the alignment.

Source: I. Goodfellow et al., "Challenges in representation learning", ICONIP 2013.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool

from lineament.bench.attributes import COMMONEST, Metric, compare
from lineament.bench.context import Context, Outcome, Protocol
from lineament.bench.plots import Bars
from lineament.bench.probes import classify, feature_sets, placed_crops
from lineament.measure.attributes import accuracy, confusion, macro_f1
from lineament.measure.sets.fer2013 import EXPRESSIONS, PARTS, read_fer2013
from lineament.measure.sets.nouns import LabeledPictures

CLASSES = len(EXPRESSIONS)
METRICS = (Metric("accuracy", accuracy), Metric("macro F1", lambda a, t: macro_f1(a, t, CLASSES)))


def run(context: Context) -> Outcome:
    """Probe every embedder asked for, and the pixels."""
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
        compared.results("fer2013", data, faces.digest(), context.seed, note),
        [Bars("FER-2013: recall of each expression", "recall", EXPRESSIONS, recalls)],
    )


def halves(faces: LabeledPictures) -> Bool[np.ndarray, " n"]:
    """Which pictures train."""
    if faces.split is None:
        return np.arange(len(faces.paths)) % 2 == 0
    return faces.split != PARTS.index("PrivateTest")


PROTOCOL = Protocol("fer2013", "seven expressions of FER-2013 by linear probes", run, ("fer2013",))
"""`lineament bench fer2013`."""
