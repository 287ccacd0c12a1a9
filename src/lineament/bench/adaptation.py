"""Enrolled in good pictures, met in bad ones: does a memory that takes up what it names help?

Of each person of LFW with eight pictures or more, two clean ones are enrolled. The others come one
after the other, in an order drawn anew for each seed, all damaged in one way; or in three ways, one
third of the stream each. Each face must be named as it comes. Settings were chosen on people with
exactly five pictures, none of whom is in the figures. An "oracle" memory takes up every face under
its true name: what adapting could give if it never erred.

What goes wrong is measured too: which share of what entered has a wrong name, and how many of as
many strangers' faces, mixed into a stream, enter as somebody.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64

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
from lineament.core.cards import method
from lineament.measure.evidence import Result

LEAST, ENROLLED = 8, 2
DOMAINS = {
    "resolution 14 px": ("resolution", 14),
    "low light 30 electrons": ("low light", 30),
    "mask 35 %": ("mask", 35),
}
SERIES = "one after the other"
OURS, ORACLE = "AdaNPC", "oracle memory"
KS, TEMPERATURES, MARGINS = (1, 3, 5, 10), (0.05, 0.1), (0.0, 0.5, 0.75, 0.9)
NEVER = 1.1
"""A margin that no share reaches."""


@dataclass(frozen=True, eq=False)
class Stream:
    """Faces to be named, one after the other.

    Attributes:
        enrolled, names: what is known at the start.
        vectors, people: what comes, and who that is; -1 for a stranger.
    """

    enrolled: Float32[np.ndarray, "m d"]
    names: Int64[np.ndarray, " m"]
    vectors: Float32[np.ndarray, "n d"]
    people: Int64[np.ndarray, " n"]


@dataclass(frozen=True, eq=False)
class Named:
    """What came of a stream: the names, and which faces entered the memory."""

    labels: Int64[np.ndarray, " n"]
    entered: Bool[np.ndarray, " n"]


Settings = tuple[int, float, float]
"""k, temperature, margin."""


def memory(settings: Settings) -> Callable[[Stream], Named]:
    """Name a stream by the method."""
    k, temperature, margin = settings

    def name(stream: Stream) -> Named:
        make = method("adanpc", "adapt").load()
        made = make(stream.enrolled, stream.names, k=k, temperature=temperature, margin=margin)
        return Named(*made(stream.vectors))

    return name


def oracle(settings: Settings) -> Callable[[Stream], Named]:
    """The memory without memory of its own, told each face's true name after it answered."""
    k, temperature, _ = settings

    def name(stream: Stream) -> Named:
        make = method("adanpc", "adapt").load()
        made = make(stream.enrolled, stream.names, k=k, temperature=temperature, margin=NEVER)
        labels = []
        for vector, person in zip(stream.vectors, stream.people.tolist(), strict=True):
            labels.append(made.vote(vector).label)
            if person >= 0:
                made.enter(vector, person)
        return Named(np.asarray(labels, np.int64), stream.people >= 0)

    return name


def linear(stream: Stream) -> Named:
    """A ridge head on the enrolled faces, frozen."""
    head = method("g-acil", "adapt").load()(stream.enrolled.shape[1], hidden=0, gamma=0.1)
    head.learn(stream.enrolled, stream.names)
    return Named(head(stream.vectors), np.zeros(len(stream.vectors), bool))


def streams(
    people: Int64[np.ndarray, " n"],
    clean: Float32[np.ndarray, "n d"],
    bad: dict[str, Float32[np.ndarray, "n d"]],
    seed: int,
) -> dict[str, Stream]:
    """A stream a domain, and one of all of them in turn, with the same faces in the same order."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(people))
    rank = np.empty(len(people), np.int64)
    for person in range(int(people.max()) + 1):
        theirs = order[people[order] == person]
        rank[theirs] = np.arange(len(theirs))
    known = np.flatnonzero(rank < ENROLLED)
    coming = order[rank[order] >= ENROLLED]
    made = {
        name: Stream(clean[known], people[known], vectors[coming], people[coming])
        for name, vectors in bad.items()
    }
    parts = np.array_split(coming, len(bad))
    series = np.concatenate([v[p] for v, p in zip(bad.values(), parts, strict=True)])
    made[SERIES] = Stream(clean[known], people[known], series, people[coming])
    return made


def choose(found: Identities) -> Settings:
    """The best of the grid over all domains on people who are not in the figures."""
    clean, bad = vectors_of(found)
    mixed = streams(found.people, clean, bad, SEEDS[0])
    score = {
        settings: np.mean([np.mean(memory(settings)(s).labels == s.people) for s in mixed.values()])
        for settings in product(KS, TEMPERATURES, MARGINS)
    }
    return max(score, key=lambda settings: score[settings])


def vectors_of(
    found: Identities,
) -> tuple[Float32[np.ndarray, "n d"], dict[str, Float32[np.ndarray, "n d"]]]:
    """Embeddings of clean faces, and of each domain's."""
    bad = {name: embed(damaged(found.pixels, *how)) for name, how in DOMAINS.items()}
    return embed(found.pixels), bad


def run(context: Context) -> Outcome:
    """Choose on some people, measure on others."""
    folder = context.set_folder("lfw")
    context.say("adaptation: settings, on people with five pictures")
    settings = choose(identities(folder, CHOOSE, CHOOSE))
    context.say(f"adaptation: k, temperature and margin are {settings}; embedding")
    faces = identities(folder, LEAST)
    clean, bad = vectors_of(faces)
    made = [streams(faces.people, clean, bad, seed) for seed in SEEDS]
    k, temperature, _ = settings
    ways: dict[str, Callable[[Stream], Named]] = {
        OURS: memory(settings),
        "the same vote, memory frozen": memory((k, temperature, NEVER)),
        "1-NN gallery": memory((1, temperature, NEVER)),
        "frozen ridge head": linear,
        "everything enters": memory((k, temperature, 0.0)),
        ORACLE: oracle(settings),
    }
    outcome = Outcome([], [])
    for domain in (*DOMAINS, SERIES):
        context.say(f"adaptation: {domain}")
        outcome += report(faces, domain, settings, [m[domain] for m in made], ways, context.seed)
    strangers = embed(
        damaged(identities(folder, CHOOSE, CHOOSE).pixels, *DOMAINS["resolution 14 px"])
    )
    return outcome + Outcome([wrong_entries(made, strangers, settings)], [])


def report(
    faces: Identities,
    domain: str,
    settings: Settings,
    made: list[Stream],
    ways: dict[str, Callable[[Stream], Named]],
    seed: int,
) -> Outcome:
    """One domain: every way to name its streams."""
    named = {name: [way(stream) for stream in made] for name, way in ways.items()}
    right = {
        name: np.stack([_by_person(n, s, faces.count) for n, s in zip(runs, made, strict=True)])
        for name, runs in named.items()
    }
    figures = {name: mean_and_interval(values, seed) for name, values in right.items()}
    entered = {name: _entered(runs, made) for name, runs in named.items()}
    entered[ORACLE] = entered[ORACLE][0], "0.0"  # under true names, whatever it answered
    rows = [
        (name, points(*figures[name]), f"{100 * _late(runs, made):.1f}", *entered[name])
        for name, runs in named.items()
    ]
    table = Table(
        f"Enrolled clean, met in {domain}: {faces.data}; {len(made)} orders; k, temperature and "
        f"margin {settings[0]}, {settings[1]:g}, {settings[2]:g}",
        ("", "named rightly %#", "in the last half %#", "entered %#", "of these wrong %#"),
        rows,
    )
    share, wrong = entered[OURS]
    results = []
    for name in ways:
        if name == OURS:
            continue
        gap, around = mean_and_interval(right[OURS] - right[name], seed)
        results.append(
            Result(
                method="adanpc",
                protocol=PROTOCOL.name,
                data=f"{faces.data}: {ENROLLED} enrolled clean, the others met in {domain}",
                data_hash=faces.digest,
                metric=f"accuracy over the stream, beside {name}",
                ours=figures[OURS][0],
                interval=figures[OURS][1],
                baseline=name,
                baseline_value=figures[name][0],
                seed=SEEDS[0],
                note=f"{len(made)} orders, drawn with the people; less the baseline, in points: "
                f"{points(gap, around)}. {share} % of the stream entered, {wrong} % of these under "
                f"a wrong name. k {settings[0]}, temperature {settings[1]:g}, margin "
                f"{settings[2]:g}, chosen on other people.",
            )
        )
    return Outcome([table], results)


def _by_person(named: Named, stream: Stream, count: int) -> Float64[np.ndarray, " p"]:
    return by_person(named.labels == stream.people, stream.people, count)


def _late(runs: list[Named], made: list[Stream]) -> float:
    """Accuracy in the second half of the streams."""
    parts = [(n.labels == s.people)[len(s.people) // 2 :] for n, s in zip(runs, made, strict=True)]
    return float(np.mean(np.concatenate(parts)))


def _entered(runs: list[Named], made: list[Stream]) -> tuple[str, str]:
    """Which share entered, and which share of these under a wrong name, in percent."""
    entered = np.concatenate([n.entered for n in runs])
    wrong = np.concatenate([n.labels != s.people for n, s in zip(runs, made, strict=True)])
    if not entered.any():
        return "-", "-"
    return f"{100 * entered.mean():.1f}", f"{100 * wrong[entered].mean():.1f}"


def wrong_entries(
    made: list[dict[str, Stream]], strangers: Float32[np.ndarray, "n d"], settings: Settings
) -> Table:
    """Strangers' faces mixed into the streams of low resolution, half and half."""
    k, temperature, _ = settings
    rows = []
    for margin in sorted({*MARGINS, settings[2]}):
        entered, right = [], []
        for seed, each in zip(SEEDS, made, strict=True):
            stream = _mixed(each["resolution 14 px"], strangers, seed)
            named = memory((k, temperature, margin))(stream)
            unknown = stream.people < 0
            entered.append(named.entered[unknown].mean())
            right.append(np.mean((named.labels == stream.people)[~unknown]))
        rows.append((f"{margin:g}", points(float(np.mean(entered))), points(float(np.mean(right)))))
    return Table(
        "As many strangers' faces as others in the stream, resolution 14 px: a closed set of names "
        "has no place for them",
        ("margin#", "strangers' faces that entered %#", "others named rightly %#"),
        rows,
    )


def _mixed(stream: Stream, strangers: Float32[np.ndarray, "n d"], seed: int) -> Stream:
    rng = np.random.default_rng(seed)
    count = min(len(strangers), len(stream.vectors))
    drawn = strangers[rng.permutation(len(strangers))[:count]]
    vectors = np.concatenate([stream.vectors, drawn])
    people = np.concatenate([stream.people, np.full(count, -1)])
    order = rng.permutation(len(people))
    return Stream(stream.enrolled, stream.names, vectors[order], people[order])


PROTOCOL = Protocol(
    "adaptation", "naming damaged faces from clean ones, with a memory that adapts", run, ("lfw",)
)
"""`lineament bench adaptation`."""
