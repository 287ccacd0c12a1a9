"""The limits of one vector: where free optimisation ends, and which answers a face space can give.

First the paper's experiment: the largest n of which free vectors of d dimensions, optimised on the
very sets, find every pair. Then the question that a gallery asks, of real embeddings, which are
not free: for which sets of faces is there any vector that ranks exactly these first? Sets are the
people's own pictures, and pairs of faces drawn at random from different people. The space is cut
to its first principal components for smaller dimensions. A vector is sought by the same
optimisation with the embeddings held fast, so that "found" is certain and "not found" is not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Int64

from lineament.bench.context import Context, Outcome, Protocol, Table
from lineament.bench.faces import embedded_faces
from lineament.bench.lfw import Figure, percent
from lineament.bench.plots import Axis, Curve
from lineament.know.embedding_limits import critical_by_cubic, needed_dimension
from lineament.know.free_embeddings import critical_size, found, optimise
from lineament.measure.evidence import Result
from lineament.measure.interval import bootstrap
from lineament.measure.sets.lfw import read_lfw

DIMENSIONS = range(2, 15)
RUNS = 3
CUTS = (2, 4, 8, 16, 32, 64, 128)
PEOPLE = 300
SHARPNESS = 0.02
"""Temperature for a query among fixed faces: at the 0.1 of the free experiment the loss still
cares most for the nearest member when the last of them ought to move."""
STEPS = 1500
MEAN, BEST = "their mean", "the best vector found"
NOTE = (
    "Same settings as the authors' code. The paper's figure is its cubic fit over all dimensions "
    "tried, which lies low at the smallest; which of the last few n is reached is chance of the "
    "start, and ours ends where two in a row fail."
)


@dataclass(frozen=True, eq=False)
class Faces:
    """Embeddings of a gallery and the sets of faces to be found in it.

    Attributes:
        digest: of the pictures.
        vectors: unit rows.
        sets: name -> a row a set.
        people: name -> whose each set is, for the bootstrap.
    """

    digest: str
    vectors: Float32[np.ndarray, "n d"]
    sets: dict[str, Bool[np.ndarray, "m n"]]
    people: dict[str, Int64[np.ndarray, " m"]]


def run(context: Context) -> Outcome:
    """Both experiments."""
    sizes = {}
    for dimension in DIMENSIONS:
        context.say(f"embedding-limits: every pair in {dimension} dimensions")
        start = max(dimension + 1, int(critical_by_cubic(dimension)))
        sizes[dimension] = [critical_size(dimension, start=start, seed=s) for s in range(RUNS)]
    slug = context.methods[0] if context.methods else "sface"
    faces = gallery(context, slug)
    shares: dict[tuple[str, str, int], Figure] = {}
    for cut in CUTS:
        context.say(f"embedding-limits: {slug} cut to {cut} dimensions")
        for name in faces.sets:
            for how, figure in reach(faces, name, cut, context.seed).items():
                shares[name, how, cut] = figure
    data = (
        f"LFW, {faces.vectors.shape[0]:,} faces of {PEOPLE} people of two pictures or more, {slug}"
    )
    return Outcome(
        [_free_table(sizes), _face_table(shares, data)],
        [
            *_free_results(sizes, context.seed),
            *_face_results(shares, slug, data, faces.digest, context.seed),
        ],
        [_free_plot(sizes), _face_plot(shares, data)],
    )


def gallery(context: Context, slug: str) -> Faces:
    """The first people of LFW, by name, who have two pictures or more with a found face."""
    lfw = read_lfw(context.set_folder("lfw"))
    several = np.flatnonzero(np.bincount(lfw.people) >= 2)[:PEOPLE]
    rows = np.flatnonzero(np.isin(lfw.people, several))
    embedded = embedded_faces(tuple(lfw.paths[row] for row in rows), slug)
    people = lfw.people[rows[embedded.faces.found]]
    names, counts = np.unique(people, return_counts=True)
    own = people == names[counts >= 2, None]
    rng = np.random.default_rng(context.seed)
    pairs = rng.permuted(np.tile(np.arange(len(people)), (4 * PEOPLE, 1)), axis=1)[:, :2]
    pairs = pairs[people[pairs[:, 0]] != people[pairs[:, 1]]][: 2 * PEOPLE]
    relevant = np.zeros((len(pairs), len(people)), bool)
    np.put_along_axis(relevant, pairs, True, axis=1)
    return Faces(
        lfw.digest(),
        embedded.plain.vectors,
        {"a person's pictures": own, "two people at random": relevant},
        {"a person's pictures": names[counts >= 2], "two people at random": people[pairs[:, 0]]},
    )


def reach(faces: Faces, name: str, cut: int, seed: int) -> dict[str, Figure]:
    """The share of the sets that the mean of the members finds, and that any vector does."""
    vectors, relevant = principal(faces.vectors, cut), faces.sets[name]
    mean = found(relevant.astype(np.float32) @ vectors, vectors, relevant)
    fit = optimise(relevant, cut, documents=vectors, temperature=SHARPNESS, steps=STEPS, seed=seed)
    return {
        how: Figure(
            float(hit.mean()),
            bootstrap(
                lambda rows, h=hit: float(h[rows].mean()), faces.people[name], seed=seed
            ).pair,
        )
        for how, hit in ((MEAN, mean), (BEST, fit.ever | mean))
    }


def principal(vectors: Float32[np.ndarray, "n d"], cut: int) -> Float32[np.ndarray, "n c"]:
    """Unit vectors of the first principal components; all of them, uncentred, where none is cut."""
    if cut >= vectors.shape[1]:
        return vectors
    centred = vectors - vectors.mean(axis=0)
    _, _, directions = np.linalg.svd(centred, full_matrices=False)
    kept = centred @ directions[:cut].T
    return kept / np.linalg.norm(kept, axis=1, keepdims=True)


def fit_cubic(sizes: dict[int, list[int]]) -> tuple[list[float], float]:
    """Coefficients of the least-squares cubic through the mean sizes, lowest first, and its R^2."""
    x = np.asarray(list(sizes), float)
    y = np.asarray([np.mean(row) for row in sizes.values()])
    cubic = np.polynomial.Polynomial.fit(x, y, 3).convert()
    spread = float(((y - y.mean()) ** 2).sum())
    return cubic.coef.tolist(), 1 - float(((y - cubic(x)) ** 2).sum()) / spread


def _exists(dimension: int) -> str:
    return "any n" if dimension >= needed_dimension(10**9, 2) else str(dimension + 1)


def _free_table(sizes: dict[int, list[int]]) -> Table:
    coefficients, r2 = fit_cubic(sizes)
    terms = " ".join(f"{c:+.4f} d^{power}" for power, c in enumerate(coefficients))
    return Table(
        f"Largest n of which every pair is found; our fit: {terms}, R^2 {r2:.4f}",
        ("dimensions#", "optimised, each run", "paper's cubic#", "an arrangement exists for#"),
        [
            (str(d), ", ".join(map(str, row)), f"{critical_by_cubic(d):.1f}", _exists(d))
            for d, row in sizes.items()
        ],
    )


def _face_table(shares: dict[tuple[str, str, int], Figure], data: str) -> Table:
    columns = list(dict.fromkeys((name, how) for name, how, _ in shares))
    return Table(
        f"Share of sets that one vector ranks first, %: {data}",
        ("dimensions#", *(f"{name}: by {how}#" for name, how in columns)),
        [(str(cut), *(percent(shares[*column, cut]) for column in columns)) for cut in CUTS],
    )


def _free_results(sizes: dict[int, list[int]], seed: int) -> list[Result]:
    return [
        Result(
            method="embedding-limits",
            protocol="embedding-limits",
            data="free vectors, every pair of n",
            data_hash="",
            metric=f"largest n in {dimension} dimensions",
            ours=float(np.mean(row)),
            baseline="a simplex",
            baseline_value=dimension + 1.0,
            paper=round(critical_by_cubic(dimension), 1) if dimension >= 4 else None,
            seed=seed,
            note=f"{NOTE} The mean of {RUNS} runs: {', '.join(map(str, row))}.",
        )
        for dimension, row in sizes.items()
    ]


def _face_results(
    shares: dict[tuple[str, str, int], Figure], slug: str, data: str, digest: str, seed: int
) -> list[Result]:
    return [
        Result(
            method="embedding-limits",
            protocol="embedding-limits",
            data=data,
            data_hash=digest,
            metric=f"{name}: share that one vector ranks first, {slug} in {cut} dimensions",
            ours=figure.value,
            interval=figure.interval,
            baseline=MEAN,
            baseline_value=shares[name, MEAN, cut].value,
            seed=seed,
            note="A set that was not found may still be reachable: the search is not exhaustive.",
        )
        for (name, how, cut), figure in shares.items()
        if how == BEST
    ]


def _free_plot(sizes: dict[int, list[int]]) -> Curve:
    x = [float(d) for d in sizes]
    return Curve(
        "Every pair of n by one vector each",
        Axis("dimensions"),
        Axis("largest n"),
        {
            "optimised": (x, [float(np.mean(row)) for row in sizes.values()]),
            "the paper's cubic": (x, [critical_by_cubic(d) for d in sizes]),
        },
        {"optimised": [(float(min(row)), float(max(row))) for row in sizes.values()]},
        note="From 4 dimensions on an arrangement exists for any n; optimisation does not find it.",
    )


def _face_plot(shares: dict[tuple[str, str, int], Figure], data: str) -> Curve:
    columns = list(dict.fromkeys((name, how) for name, how, _ in shares))
    x = [float(cut) for cut in CUTS]
    return Curve(
        f"Sets that one vector ranks first: {data}",
        Axis("dimensions", "log"),
        Axis("share of sets"),
        {
            f"{name}, by {how}": (x, [shares[name, how, cut].value for cut in CUTS])
            for name, how in columns
        },
    )


PROTOCOL = Protocol(
    "embedding-limits", "which sets of faces one vector can find, by dimension", run, ("lfw",)
)
"""`lineament bench embedding-limits`."""
