"""People who arrive step by step: a closed-form head beside one that is fine-tuned, and others.

The generalised setting, as in the paper: half of the people come in one step only (disjoint), of
the other half nine tenths of the faces come in one step and the rest in any (blurry); which, and so
how much a step holds, is drawn. Of each person of LFW with six pictures or more, two are for
testing and the others arrive in ten steps. After each step, every head names the test faces of the
people met so far. Faces are embedded once, as they are and damaged.

No head keeps a face, but for the two that are shown everything at once, at the end. Figures are
means over people and orders of arrival; intervals draw both.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from jaxtyping import Float32, Float64, Int64

from lineament.bench.context import Context, Outcome, Protocol, Table
from lineament.bench.identities import (
    CHOOSE,
    SEEDS,
    Identities,
    by_person,
    damaged,
    embed,
    identities,
    mean_and_interval,
    points,
)
from lineament.bench.plots import Axis, Curve
from lineament.core.cards import method
from lineament.measure.evidence import Result

STEPS = 10
DISJOINT, BLURRY = 0.5, 0.1
TEST = 2
OURS = "G-ACIL"
CONDITIONS = {"clean": None, "resolution 14 px": ("resolution", 14)}


class MeanHead:
    """The nearest class mean: keeps a sum a person."""

    def __init__(self, people: int, dimension: int) -> None:
        self.sums = np.zeros((people, dimension))

    def learn(self, vectors: Float32[np.ndarray, "n d"], labels: Int64[np.ndarray, " n"]) -> None:
        """Add faces to their people's sums."""
        np.add.at(self.sums, labels, vectors)

    def __call__(self, vectors: Float32[np.ndarray, "n d"]) -> Int64[np.ndarray, " n"]:
        """The person with the most similar mean."""
        lengths = np.linalg.norm(self.sums, axis=1, keepdims=True)
        means = self.sums / np.maximum(lengths, 1e-12)
        scores = np.where(lengths.T > 0, vectors @ means.T, -np.inf)
        return scores.argmax(axis=1)


class GradientHead:
    """Softmax regression by gradient descent on what comes, without rehearsal.

    The gentle rate and rounds are those that forgot least on other people; the other setting fits
    each step's faces to the end. Shown everybody at once, both do alike.
    """

    SCALE = 16.0

    def __init__(self, people: int, dimension: int, *, rate: float = 0.5, rounds: int = 30) -> None:
        self.rate, self.rounds = rate, rounds
        self.weight = np.zeros((dimension, people))
        self.met = np.zeros(people, bool)

    def learn(self, vectors: Float32[np.ndarray, "n d"], labels: Int64[np.ndarray, " n"]) -> None:
        """Descend on these faces, from where the head stands."""
        self.met[labels] = True
        truth = np.eye(len(self.met))[labels]
        for _ in range(self.rounds):
            logits = np.where(self.met, self.SCALE * (vectors @ self.weight), -np.inf)
            odds = np.exp(logits - logits.max(axis=1, keepdims=True))
            odds /= odds.sum(axis=1, keepdims=True)
            self.weight -= self.rate * vectors.T @ (odds - truth) / len(vectors) * self.SCALE

    def __call__(self, vectors: Float32[np.ndarray, "n d"]) -> Int64[np.ndarray, " n"]:
        """The most likely of the people met."""
        return np.where(self.met, vectors @ self.weight, -np.inf).argmax(axis=1)


def analytic(gain: bool = True, **settings) -> Callable[[int, int], object]:
    """How to make the method's head, with or without the gain of exposed classes."""
    head = method("g-acil", "adapt").load()

    class WithoutGain(head):
        def gain(self, pull: np.ndarray, targets: np.ndarray) -> np.ndarray:
            return np.zeros((len(pull), targets.shape[1]))

    return lambda people, dimension: (head if gain else WithoutGain)(dimension, **settings)


@dataclass(frozen=True)
class Head:
    """A way to learn people.

    Attributes:
        name: in the table.
        make: of the number of people and of the dimension.
        joint: whether it is shown everything at once, at the end.
    """

    name: str
    make: Callable[[int, int], object]
    joint: bool = False


def heads() -> tuple[Head, ...]:
    """The method first."""
    return (
        Head(OURS, analytic()),
        Head("G-ACIL without the gain", analytic(gain=False)),
        Head("G-ACIL without the random layer", analytic(hidden=0, gamma=10.0)),
        Head("fine-tuned SGD head", GradientHead),
        Head("SGD head fitted to each step", partial(GradientHead, rate=8.0, rounds=100)),
        Head("nearest class mean", MeanHead),
        Head("joint ridge", analytic(), joint=True),
        Head("joint SGD head", GradientHead, joint=True),
    )


def arrivals(
    people: Int64[np.ndarray, " n"], steps: int, rng: np.random.Generator
) -> Int64[np.ndarray, " n"]:
    """The step at which each face comes, in the generalised setting; every step has a face."""
    while True:
        count = int(people.max()) + 1
        home = rng.integers(steps, size=count)[people]
        blurry = (rng.random(count) >= DISJOINT)[people]
        anywhere = blurry & (rng.random(len(people)) < BLURRY)
        step = np.where(anywhere, rng.integers(steps, size=len(people)), home)
        if len(np.unique(step)) == steps:
            return step


def run(context: Context) -> Outcome:
    """Let people arrive in several orders, clean and damaged."""
    faces = identities(context.set_folder("lfw"), CHOOSE + 1)
    outcome = Outcome([], [])
    for name, damage in CONDITIONS.items():
        context.say(f"incremental: {name}")
        vectors = embed(faces.pixels if damage is None else damaged(faces.pixels, *damage))
        outcome += report(faces, name, measure(faces.people, vectors), context.seed)
    return outcome


def measure(
    people: Int64[np.ndarray, " n"], vectors: Float32[np.ndarray, "n d"]
) -> dict[str, Float64[np.ndarray, "s k p"]]:
    """Of each head: the share of each person's test faces named rightly, after each step of each
    order; NaN before a person was met."""
    runs: dict[str, list[np.ndarray]] = {head.name: [] for head in heads()}
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        test = held_back(people, rng)
        came = arrivals(people[~test], STEPS, rng)
        for head in heads():
            runs[head.name].append(follow(head, vectors, people, test, came))
    return {name: np.stack(rows) for name, rows in runs.items()}


def held_back(people: Int64[np.ndarray, " n"], rng: np.random.Generator) -> np.ndarray:
    """`TEST` faces of each person."""
    order = rng.permutation(len(people))
    rank = np.empty(len(people), np.int64)
    for person in np.unique(people):
        theirs = order[people[order] == person]
        rank[theirs] = np.arange(len(theirs))
    return rank < TEST


def follow(
    head: Head,
    vectors: Float32[np.ndarray, "n d"],
    people: Int64[np.ndarray, " n"],
    test: np.ndarray,
    came: Int64[np.ndarray, " t"],
) -> Float64[np.ndarray, "k p"]:
    """One head through one order."""
    count = int(people.max()) + 1
    x, y = vectors[~test], people[~test]
    made = head.make(count, vectors.shape[1])
    rows = []
    for step in range(STEPS):
        if head.joint and step < STEPS - 1:
            rows.append(np.full(count, np.nan))
            continue
        part = came <= step if head.joint else came == step
        made.learn(x[part], y[part])  # pyright: ignore[reportAttributeAccessIssue]
        met = np.isin(people[test], y[came <= step])
        named = made(vectors[test][met])  # pyright: ignore[reportCallIssue]
        rows.append(by_person(named == people[test][met], people[test][met], count))
    return np.stack(rows)


def report(
    faces: Identities, condition: str, found: dict[str, Float64[np.ndarray, "s k p"]], seed: int
) -> Outcome:
    """The table, the evidence and the curve of one condition."""
    last = {name: mean_and_interval(values[:, -1], seed) for name, values in found.items()}
    mean = {
        name: points(float(np.nanmean(v, axis=2).mean()))
        if not np.isnan(v).all(axis=2).any()
        else "-"
        for name, v in found.items()
    }
    table = Table(
        f"People arriving in {STEPS} steps, {condition}: {faces.data}; {len(SEEDS)} orders",
        ("head", "after the last step %#", "mean over steps %#"),
        [(name, points(*last[name]), mean[name]) for name in found],
    )
    results = []
    for name in found:
        if name == OURS:
            continue
        gap, around = mean_and_interval(found[OURS][:, -1] - found[name][:, -1], seed)
        results.append(
            Result(
                method="g-acil",
                protocol=PROTOCOL.name,
                data=f"{faces.data}, {condition}, {STEPS} steps",
                data_hash=faces.digest,
                metric=f"accuracy after the last step, beside {name}",
                ours=last[OURS][0],
                interval=last[OURS][1],
                baseline=name,
                baseline_value=last[name][0],
                seed=SEEDS[0],
                note=f"{len(SEEDS)} orders, drawn with the people; less the baseline, in points: "
                f"{points(gap, around)}. Mean over steps {mean[OURS]} % against "
                f"{mean[name]} %.",
            )
        )
    steps = [float(step + 1) for step in range(STEPS)]
    plot = Curve(
        f"People arriving step by step: LFW, {condition}",
        Axis("step"),
        Axis("share of test faces of people met so far, named rightly"),
        {n: (steps, np.nanmean(found[n], axis=(0, 2)).tolist()) for n in found if mean[n] != "-"},
    )
    return Outcome([table], results, [plot])


PROTOCOL = Protocol(
    "incremental", "naming people who arrive step by step, without keeping pictures", run, ("lfw",)
)
"""`lineament bench incremental`."""
