"""Sex and age thresholds from distances between cephalometric points, on UTKFace.

The classifier is a small neural network, as in the paper, in five folds by chance and from three
seeds; a figure is the mean of the three. Beside it stand the commonest answer and a linear probe on
embeddings of the same faces in the same folds. Thresholds of age are measured on faces of 5 to 22
years, the ages of the paper's data, and sex also on all those over 14.

UTKFace is not the paper's data: its faces are turned, they smile, and the labels are guesses.

Source: L. F. Porto et al., arXiv:1908.02353.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from jaxtyping import Bool, Float, Int

from lineament.bench.attributes import COMMONEST, Metric, compare
from lineament.bench.context import Context, Outcome, Protocol
from lineament.bench.described import said_by
from lineament.bench.probes import classify, embedded, out_of_fold
from lineament.core.cards import method
from lineament.measure.attributes import accuracy, macro_f1
from lineament.measure.evidence import Result
from lineament.measure.sets.nouns import LabeledPictures
from lineament.measure.sets.utkface import SEXES, read_utkface
from lineament.see.attributes.cephalometric import indexes

METHOD, LANDMARKER, EMBEDDER = "cephalometric", "face-landmarker", "dlib-resnet"
PROBE = f"linear probe on {EMBEDDER}"
FOLDS, SEEDS = 5, 3
FIRST, LAST = 5, 22
"""Ages of the paper's data."""
Judge = Callable[
    [Float[np.ndarray, "n d"], Int[np.ndarray, " n"], Float[np.ndarray, "m d"], int],
    Int[np.ndarray, " m"],
]
"""Features and labels to learn from, features to judge, a seed; gives labels."""


def run(context: Context) -> Outcome:
    """Every question, by everyone."""
    faces = read_utkface(context.set_folder("utkface"))
    context.say(f"cephalometric: {LANDMARKER}")
    features = {
        METHOD: indexes(said_by(LANDMARKER, faces.paths).fields["landmarks"]),
        PROBE: embedded(faces.paths, EMBEDDER),
    }
    outcome = Outcome([], [])
    for question, (rows, labels) in questions(faces).items():
        context.say(f"cephalometric: {question}")
        answers = {COMMONEST: judged(np.empty((rows.sum(), 0)), labels[rows], commonest, context)}
        for who, judge in {METHOD: network, PROBE: probe}.items():
            answers[who] = judged(features[who][rows], labels[rows], judge, context)
        outcome += report(context, faces, question, answers, labels[rows])
    return outcome


def questions(
    faces: LabeledPictures,
) -> Mapping[str, tuple[Bool[np.ndarray, " n"], Int[np.ndarray, " n"]]]:
    """Who is asked about, and the right answers, by question."""
    age, sex = faces.labels["age"], faces.labels["sex"]
    young = (age >= FIRST) & (age <= LAST)
    return {
        "sex over 14": (age > 14, sex),
        f"sex from {FIRST} to {LAST}": (young, sex),
        "older than 14": (young, (age > 14).astype(np.int64)),
        "older than 18": (young, (age > 18).astype(np.int64)),
    }


def judged(
    features: Float[np.ndarray, "n d"],
    labels: Int[np.ndarray, " n"],
    judge: Judge,
    context: Context,
) -> Int[np.ndarray, "n s"]:
    """The answer to each face by who has not seen it, a column a seed."""
    found = np.empty((len(labels), SEEDS), np.int64)
    for column in range(SEEDS):
        seed = context.seed + column
        for train, test in out_of_fold(len(labels), FOLDS, seed):
            found[test, column] = judge(features[train], labels[train], features[test], seed)
    return found


def commonest(
    train: Float[np.ndarray, "n d"],
    labels: Int[np.ndarray, " n"],
    test: Float[np.ndarray, "m d"],
    seed: int,
) -> Int[np.ndarray, " m"]:
    """The commonest label, for everybody."""
    return np.full(len(test), np.bincount(labels).argmax())


def network(
    train: Float[np.ndarray, "n d"],
    labels: Int[np.ndarray, " n"],
    test: Float[np.ndarray, "m d"],
    seed: int,
) -> Int[np.ndarray, " m"]:
    """A neural network with one hidden layer, stopped where a tenth held back gets no better."""
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    layer = MLPClassifier(
        (64,), alpha=1.0, early_stopping=True, n_iter_no_change=30, max_iter=500, random_state=seed
    )
    return make_pipeline(StandardScaler(), layer).fit(train, labels).predict(test)


def probe(
    train: Float[np.ndarray, "n d"],
    labels: Int[np.ndarray, " n"],
    test: Float[np.ndarray, "m d"],
    seed: int,
) -> Int[np.ndarray, " m"]:
    """Logistic regression."""
    return classify(train, labels, test).argmax(axis=1)


def report(
    context: Context,
    faces: LabeledPictures,
    question: str,
    answers: Mapping[str, Int[np.ndarray, "n s"]],
    truth: Int[np.ndarray, " n"],
) -> Outcome:
    """The figures of one question."""
    metrics = (
        Metric(
            f"macro F1, {question}",
            lambda a, t: float(np.mean([macro_f1(column, t, len(SEXES)) for column in a.T])),
        ),
        Metric(
            f"accuracy, {question}",
            lambda a, t: float(np.mean([accuracy(column, t) for column in a.T])),
        ),
    )
    compared = compare(answers, truth, metrics, np.arange(len(truth)), context.seed)
    data = f"UTKFace, {len(truth):,} faces, five folds by chance, {SEEDS} seeds"
    published = {name: value for _, name, value in method(METHOD).card.published}
    results = [
        Result(
            method=METHOD,
            protocol="cephalometric",
            data=data,
            data_hash=faces.digest(),
            metric=m.name,
            ours=compared.values[METHOD][m.name],
            interval=compared.intervals[METHOD][m.name],
            baseline=PROBE,
            baseline_value=compared.values[PROBE][m.name],
            paper=published.get(m.name),
            seed=context.seed,
            note=f"{COMMONEST}: {compared.values[COMMONEST][m.name]:.4f}; intervals over pictures; "
            "points by a network on turned and smiling faces, labels guessed from the picture; "
            "the paper: frontal Brazilian faces, marked by experts, of known age",
        )
        for m in metrics
    ]
    return Outcome([compared.table(f"{question}: {data}")], results)


PROTOCOL = Protocol(
    "cephalometric", "sex and age thresholds from distances on UTKFace", run, ("utkface",)
)
"""`lineament bench cephalometric`."""
