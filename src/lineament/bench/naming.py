"""How many questions until the faces have their names? Active self-paced learning beside others.

A pool of faces of thirty people (LFW, eight pictures or more; the people are drawn anew for each
seed) or of the sample album. At first one face each of a few people is named. Five faces at a time
are asked about, an answer is the true name, also of somebody new; after each five, every face not
asked about takes the name that its machines score highest. Counted are the answers until 95 % of
all faces have their right name. All ways but the last use the same machines; the last asks about
one face of each group that the gallery's own clustering makes, the largest first, and names the
whole.

Nobody can be named who was never asked about, so that the people yet unknown are the least number
of answers that could do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int64

from lineament.bench.clustering import album_faces
from lineament.bench.context import Context, Outcome, Protocol, Table
from lineament.bench.identities import (
    EMBEDDER,
    SEEDS,
    damaged,
    embed,
    identities,
)
from lineament.bench.plots import Axis, Curve
from lineament.core.cards import method
from lineament.know.calibration import calibration_of
from lineament.know.cluster import cluster, threshold_for
from lineament.measure.evidence import Result

LEAST, PEOPLE, KNOWN, ASK = 8, 30, 5, 5
GOAL = 0.95
ROUNDS = 2
"""Turns of the alternation between two fives of questions."""
OURS = "ASPL"
GROUPS = "one face of each group"
CONDITIONS = {"clean": None, "resolution 14 px": ("resolution", 14)}


@dataclass(frozen=True, eq=False)
class Pool:
    """Faces to be named.

    Attributes:
        vectors: of the faces.
        photos: in which they are.
        people: who they are.
        named: rows that have their names at the start.
    """

    vectors: Float32[np.ndarray, "n d"]
    photos: Int64[np.ndarray, " n"]
    people: Int64[np.ndarray, " n"]
    named: Int64[np.ndarray, " k"]

    @property
    def least(self) -> int:
        """People of whom nobody is named yet."""
        return len(np.unique(self.people)) - len(np.unique(self.people[self.named]))


@dataclass(frozen=True, eq=False)
class Course:
    """How the naming went: after so many answers, so large a share had its right name.

    Attributes:
        answers, right: a number each for every look.
        assumed, wrong: faces taken as sure in all looks, and how many of these were wrong.
    """

    answers: tuple[int, ...]
    right: tuple[float, ...]
    assumed: int = 0
    wrong: int = 0

    @property
    def needed(self) -> int:
        """Answers until the goal."""
        return next(a for a, r in zip(self.answers, self.right, strict=True) if r >= GOAL)


Asking = Callable[[object, np.random.Generator], Int64[np.ndarray, " k"]]
"""Which faces to ask about, given the learner."""


def ours(learner, rng: np.random.Generator) -> Int64[np.ndarray, " k"]:
    """The method's own questions."""
    return learner.questions(ASK)


def at_random(learner, rng: np.random.Generator) -> Int64[np.ndarray, " k"]:
    """Any faces that have no name."""
    free = np.flatnonzero(learner.answers < 0)
    return rng.permutation(free)[:ASK]


def least_certain(learner, rng: np.random.Generator) -> Int64[np.ndarray, " k"]:
    """The smallest lead of the best machine over the second."""
    free = np.flatnonzero(learner.answers < 0)
    ranked = np.sort(learner.scores()[free], axis=1)
    return free[np.argsort(ranked[:, -1] - ranked[:, -2], kind="stable")][:ASK]


WAYS: dict[str, tuple[Asking, bool]] = {
    OURS: (ours, True),
    "ASPL's questions, nothing assumed": (ours, False),
    "random questions, sure faces assumed": (at_random, True),
    "random questions": (at_random, False),
    "uncertainty only": (least_certain, False),
}


def name_all(pool: Pool, asking: Asking, assume: bool, seed: int) -> Course:
    """Ask until the goal is reached."""
    rng = np.random.default_rng(seed)
    answers = np.full(len(pool.people), -1)
    answers[pool.named] = pool.people[pool.named]
    learner = method("aspl", "adapt").load()(pool.vectors, answers, assume=assume)
    asked, looks, shares, sure, wrong = 0, [], [], 0, 0
    while True:
        for _ in range(ROUNDS if assume else 0):
            learner.round()
        assumed = learner.assumed >= 0
        taken = np.asarray(learner.people)[learner.assumed[assumed]]
        sure, wrong = sure + len(taken), wrong + int((taken != pool.people[assumed]).sum())
        looks.append(asked)
        shares.append(float(np.mean(learner.named() == pool.people)))
        if shares[-1] >= GOAL:
            return Course(tuple(looks), tuple(shares), sure, wrong)
        rows = asking(learner, rng)
        if not len(rows):
            # Everything left is assumed: the user looks through that, in no special order.
            rows = at_random(learner, rng)
        learner.answer(rows, pool.people[rows])
        asked += len(rows)


def name_groups(pool: Pool, space: str) -> Course:
    """One answer names a whole group of the clustering, the largest first."""
    limit = threshold_for(len(pool.vectors), calibration_of(space))
    groups = cluster(pool.vectors.copy(), photos=pool.photos, threshold=limit)
    names = np.full(len(groups), -1)
    for row in pool.named:
        names[groups == groups[row]] = pool.people[row]
    sizes = np.bincount(groups)
    looks, shares = [0], [float(np.mean(names == pool.people))]
    for group in np.argsort(-sizes, kind="stable"):
        rows = np.flatnonzero(groups == group)
        if shares[-1] >= GOAL or (names[rows] >= 0).all():
            continue
        names[rows] = pool.people[rows[0]]
        looks.append(looks[-1] + 1)
        shares.append(float(np.mean(names == pool.people)))
    # Faces in the wrong group are told one by one, in no special order.
    for row in np.flatnonzero(names != pool.people):
        if shares[-1] < GOAL:
            names[row] = pool.people[row]
            looks.append(looks[-1] + 1)
            shares.append(float(np.mean(names == pool.people)))
    return Course(tuple(looks), tuple(shares))


def run(context: Context) -> Outcome:
    """LFW clean and damaged, and the sample album where it is."""
    faces = identities(context.set_folder("lfw"), LEAST)
    space = method(EMBEDDER, "embed").load()().space
    outcome = Outcome([], [])
    for name, damage in CONDITIONS.items():
        context.say(f"naming: LFW, {name}")
        vectors = embed(faces.pixels if damage is None else damaged(faces.pixels, *damage))
        pools = [drawn(vectors, faces.people, seed) for seed in SEEDS]
        data = f"LFW, {PEOPLE} people with eight pictures or more, {name}"
        outcome += report(pools, space, data, faces.digest)
    if context.album is not None:
        context.say("naming: the sample album")
        album = album_faces(context.album, EMBEDDER)
        pools = [begin(album.vectors, album.photos, album.people, seed) for seed in SEEDS]
        outcome += report(pools, album.space, album.name, album.digest)
    return outcome


def drawn(vectors: Float32[np.ndarray, "n d"], people: Int64[np.ndarray, " n"], seed: int) -> Pool:
    """Some people's faces, each in a photo of its own."""
    chosen = np.random.default_rng(seed).permutation(int(people.max()) + 1)[:PEOPLE]
    rows = np.flatnonzero(np.isin(people, chosen))
    return begin(vectors[rows], np.arange(len(rows)), people[rows], seed)


def begin(
    vectors: Float32[np.ndarray, "n d"],
    photos: Int64[np.ndarray, " n"],
    people: Int64[np.ndarray, " n"],
    seed: int,
) -> Pool:
    """One face each of a few people is named; those who are seen again come first."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(people))
    again = [p for p in dict.fromkeys(people[order].tolist()) if (people == p).sum() > 1]
    named = [int(order[people[order] == person][0]) for person in again[:KNOWN]]
    return Pool(vectors, photos, people, np.asarray(named, np.int64))


def report(pools: list[Pool], space: str, data: str, digest: str) -> Outcome:
    """Every way on every pool."""
    courses = {
        name: [name_all(p, asking, assume, s) for p, s in zip(pools, SEEDS, strict=True)]
        for name, (asking, assume) in WAYS.items()
    }
    courses[GROUPS] = [name_groups(pool, space) for pool in pools]
    needed = {name: np.asarray([c.needed for c in runs]) for name, runs in courses.items()}
    table = Table(
        f"Answers until {GOAL:.0%} of the faces have their names: {data}; "
        f"{np.mean([len(p.people) for p in pools]):.0f} faces, "
        f"{np.mean([p.least for p in pools]):.0f} people unknown at first; {len(pools)} seeds",
        ("way", "answers#", "each seed", "assumed and wrong %#"),
        [
            (name, f"{n.mean():.1f}", " ".join(map(str, n)), _wrong(courses[name]))
            for name, n in needed.items()
        ],
    )
    low, high = _interval(needed[OURS])
    results = []
    for name, theirs in needed.items():
        if name == OURS:
            continue
        gap = needed[OURS] - theirs
        around = _interval(gap)
        results.append(
            Result(
                method="aspl",
                protocol=PROTOCOL.name,
                data=data,
                data_hash=digest,
                metric=f"answers until {GOAL:.0%} of faces have their names, beside {name}",
                ours=float(needed[OURS].mean()),
                interval=(low, high),
                baseline=name,
                baseline_value=float(theirs.mean()),
                higher_is_better=False,
                seed=SEEDS[0],
                note=f"Mean of {len(pools)} seeds ({' '.join(map(str, needed[OURS]))}), interval "
                f"over seeds; less the baseline {gap.mean():.1f} ({around[0]:.1f} to "
                f"{around[1]:.1f}). {_wrong(courses[OURS])} % of the faces that were assumed on "
                "the way had a wrong name.",
            )
        )
    return Outcome([table], results, [_plot(courses, data)])


def _interval(values: np.ndarray) -> tuple[float, float]:
    """Of a mean, over draws of the seeds."""
    rng = np.random.default_rng(0)
    means = rng.choice(values, (1000, len(values))).mean(axis=1)
    low, high = np.quantile(means, (0.025, 0.975))
    return float(low), float(high)


def _wrong(runs: list[Course]) -> str:
    assumed = sum(run.assumed for run in runs)
    return f"{100 * sum(run.wrong for run in runs) / assumed:.1f}" if assumed else "-"


def _plot(courses: dict[str, list[Course]], data: str) -> Curve:
    """The first seed's course of each way."""
    return Curve(
        f"Names from answers: {data}, first seed",
        Axis("answers"),
        Axis("share of faces with the right name"),
        {
            name: ([float(a) for a in runs[0].answers], list(runs[0].right))
            for name, runs in courses.items()
        },
    )


PROTOCOL = Protocol("naming", "answers needed until faces have their names", run, ("lfw",))
"""`lineament bench naming`."""
