"""The classical baseline: who is it, by wavelet coefficients, beside plain pixels and a network.

Rank-1 identification of a closed set: of each person some pictures are enrolled, drawn at random,
and others are searched; in several draws, the same for every method. A picture in which a method
finds no face is neither an answer nor a reference. Intervals are bootstraps over people, over the
probes of all draws.

On LFW's colour crops the whole chain runs from the skin region; on ORL's grey ones there is no
colour, so the given pictures are the faces.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int64, UInt8

from lineament.bench.context import Context, Outcome, Protocol, Table
from lineament.bench.faces import embedded_faces
from lineament.bench.lfw import Figure, percent
from lineament.bench.orl import orl_faces
from lineament.bench.plots import Axis, Curve
from lineament.core.cards import method
from lineament.core.errors import NoFace
from lineament.core.image import Image
from lineament.core.media import read_image
from lineament.know.embed.dwt_face import SIDE, DwtFace, grey_face
from lineament.measure.evidence import Result
from lineament.measure.interval import bootstrap
from lineament.measure.sets.lfw import read_lfw

PIXELS = "pixels 128 x 128"
WAVELETS = {"haar": 1, "db2": 2, "db4": 4}
LEVELS = range(1, 6)
NETWORK = "sface"
ENROLLED, PROBES = 5, 5
LEAST = 10
DRAWS = 10


@dataclass(frozen=True, eq=False)
class Pictures:
    """One set as every method sees it.

    Attributes:
        name: of the data, with its split.
        digest: of its bytes.
        people: of each picture.
        faces: grey, of the pictures where one was found.
        found: whether the classical chain found one.
        vectors: of the network, where it found one.
        seen: whether the network's chain found one.
    """

    name: str
    digest: str
    people: Int64[np.ndarray, " n"]
    faces: UInt8[np.ndarray, "f 128 128"]
    found: Bool[np.ndarray, " n"]
    vectors: Float[np.ndarray, "s d"]
    seen: Bool[np.ndarray, " n"]


@dataclass(frozen=True, eq=False)
class Draw:
    """Rows of pictures enrolled and searched."""

    enrolled: Int64[np.ndarray, " e"]
    probes: Int64[np.ndarray, " p"]


def draw(people: Int64[np.ndarray, " n"], rng: np.random.Generator) -> Draw:
    """Of each person `ENROLLED` pictures and as many as `PROBES` others."""
    mixed = rng.permutation(len(people))
    mixed = mixed[np.argsort(people[mixed], kind="stable")]
    _, start, counts = np.unique(people[mixed], return_index=True, return_counts=True)
    place = np.arange(len(people)) - np.repeat(start, counts)
    probes = (place >= ENROLLED) & (place < ENROLLED + PROBES)
    return Draw(mixed[place < ENROLLED], mixed[probes])


def hits(
    split: Draw,
    people: Int64[np.ndarray, " n"],
    found: Bool[np.ndarray, " n"],
    features: Float[np.ndarray, "m f"],
) -> Bool[np.ndarray, " p"]:
    """Whether each probe's nearest reference is of its own person; no, where it was not found."""
    row = np.cumsum(found) - 1
    known = split.enrolled[found[split.enrolled]]
    asked = found[split.probes]
    references, probes = features[row[known]], features[row[split.probes[asked]]]
    # The probe's own length is the same for every reference.
    squares = (references**2).sum(1) - 2 * probes @ references.T
    right = np.zeros(len(split.probes), bool)
    right[asked] = people[known[squares.argmin(1)]] == people[split.probes[asked]]
    return right


def measure(
    pictures: Pictures, features: Callable[[], tuple[Bool[np.ndarray, " n"], np.ndarray]], seed: int
) -> Figure:
    """Rank-1 accuracy over all draws, with its interval over people."""
    rng = np.random.default_rng(seed)
    found, vectors = features()
    draws = [draw(pictures.people, rng) for _ in range(DRAWS)]
    right = np.concatenate([hits(d, pictures.people, found, vectors) for d in draws])
    people = pictures.people[np.concatenate([d.probes for d in draws])]
    interval = bootstrap(lambda rows: float(right[rows].mean()), people, seed=seed)
    return Figure(float(right.mean()), interval.pair)


def ways(pictures: Pictures) -> dict[str, Callable[[], tuple[np.ndarray, np.ndarray]]]:
    """What is compared, by name: each gives who was found, and the features of those."""

    def wavelet(levels: int, moments: int) -> Callable[[], tuple[np.ndarray, np.ndarray]]:
        chain = DwtFace(levels=levels, moments=moments)
        return lambda: (pictures.found, chain.coefficients(pictures.faces))

    return {
        PIXELS: wavelet(0, 1),
        **{
            f"{name}, level {level}": wavelet(level, moments)
            for name, moments in WAVELETS.items()
            for level in LEVELS
        },
        NETWORK: lambda: (pictures.seen, pictures.vectors),
    }


def run(context: Context) -> Outcome:
    """Measure all of them on every set."""
    figures: dict[str, dict[str, Figure]] = {}
    digests = {}
    for load in (orl, lfw_by_skin, lfw_as_given):
        context.say(f"dwt-face: {load.__name__}")
        pictures = load(context)
        digests[pictures.name] = pictures.digest
        figures[pictures.name] = {
            name: measure(pictures, features, context.seed)
            for name, features in ways(pictures).items()
        }
    names = list(next(iter(figures.values())))
    table = Table(
        f"Rank-1 accuracy, %: {ENROLLED} pictures enrolled, {PROBES} searched, {DRAWS} draws",
        ("compared by", *(f"{name}#" for name in figures)),
        [(name, *(percent(row[name]) for row in figures.values())) for name in names],
    )
    results = [
        row
        for data, found in figures.items()
        for row in _results(data, digests[data], found, context.seed)
    ]
    return Outcome([table], results, [_plot(data, found) for data, found in figures.items()])


def orl(context: Context) -> Pictures:
    """ORL: 40 people, 10 grey pictures of each, as they are given."""
    faces = orl_faces(context.set_folder("orl"))
    embedder = method(NETWORK, "embed").load()()
    return Pictures(
        f"ORL, {len(faces.images)} pictures as given, {ENROLLED} of each person enrolled",
        faces.digest,
        faces.people,
        np.stack([grey_face(image, detect=False) for image in faces.images]),
        np.ones(len(faces.images), bool),
        embedder(faces.crops).vectors,
        faces.found,
    )


def lfw_by_skin(context: Context) -> Pictures:
    """LFW's people of at least ten pictures, each face found by the colour of skin."""
    return _lfw(context, detect=True)


def lfw_as_given(context: Context) -> Pictures:
    """The same people with the given crop as the face: what finding it by colour costs."""
    return _lfw(context, detect=False)


def _lfw(context: Context, detect: bool) -> Pictures:
    lfw = read_lfw(context.set_folder("lfw"))
    sizes = np.bincount(lfw.people)
    rows = np.flatnonzero(sizes[lfw.people] >= LEAST)
    paths = tuple(lfw.paths[row] for row in rows)
    embedded = embedded_faces(paths, NETWORK)
    faces = [_try_face(read_image(path), detect) for path in paths]
    how = "found by skin colour" if detect else "taken as given"
    return Pictures(
        f"LFW, {len(rows):,} pictures of {len(np.unique(lfw.people[rows]))} people of at least "
        f"{LEAST}, faces {how}, {ENROLLED} of each person enrolled",
        lfw.digest(),
        lfw.people[rows],
        np.stack([face for face in faces if face is not None]),
        np.asarray([face is not None for face in faces]),
        embedded.plain.vectors,
        embedded.faces.found,
    )


def _try_face(image: Image, detect: bool) -> UInt8[np.ndarray, "128 128"] | None:
    try:
        return grey_face(image, detect=detect)
    except NoFace:
        return None


def _results(data: str, digest: str, figures: Mapping[str, Figure], seed: int) -> list[Result]:
    return [
        Result(
            method=NETWORK if name == NETWORK else "dwt-face",
            protocol="dwt-face",
            data=data,
            data_hash=digest,
            metric="rank-1 accuracy" + ("" if name == NETWORK else f" ({name})"),
            ours=figure.value,
            interval=figure.interval,
            baseline=PIXELS,
            baseline_value=figures[PIXELS].value,
            seed=seed,
        )
        for name, figure in figures.items()
        if name != PIXELS
    ]


def _plot(data: str, figures: Mapping[str, Figure]) -> Curve:
    rows = {
        wavelet: [figures[f"{wavelet}, level {level}"] for level in LEVELS] for wavelet in WAVELETS
    }
    levels = [float(level) for level in LEVELS]
    return Curve(
        f"Accuracy over levels: {data}",
        Axis("levels of the transform"),
        Axis("rank-1 accuracy"),
        {name: (levels, [figure.value for figure in row]) for name, row in rows.items()},
        {name: [figure.interval for figure in row] for name, row in rows.items()},
        note=f"Level 0, plain pixels of {SIDE} x {SIDE}, has {figures[PIXELS].value:.3f}; "
        f"{NETWORK} has {figures[NETWORK].value:.3f}.",
    )


PROTOCOL = Protocol(
    "dwt-face", "identification by wavelet coefficients, beside pixels", run, ("orl", "lfw")
)
"""`lineament bench dwt-face`."""
