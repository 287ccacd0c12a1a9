"""ORL: closed-set and open-set identification from one picture a person, with the whole chain.

Closed set: picture 1 of each of the 40 people is enrolled, and pictures 2 to 10 are searched (360
probes). Open set: only people 1 to 20 are enrolled, with picture 1; their pictures 2 to 10 are
probes with a mate (180), and all pictures of people 21 to 40 are probes without (200). There is no
chance in either split.

The pictures are grey and of 92 x 112. They are enlarged to twice that, by bicubic interpolation,
and then go through detection, alignment and the network. A probe without a found face is a miss
where it has a mate; a person whose enrolled picture shows no found face cannot be found.

The baseline of the baseline is the nearest neighbour by normalised correlation of the whole
pictures, which are well framed. Intervals are bootstraps over the probes' people.

Source of the metrics: P. J. Phillips et al., "Evaluation methods in face recognition", in Handbook
of Face Recognition, 2011 (CMC); P. Grother et al., NISTIR 8271, 2019 (FNIR at FPIR).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from jaxtyping import Bool, Float32, Int64

from lineament.bench.context import Context, Outcome, Protocol, Table
from lineament.bench.faces import embedded_faces, embedders
from lineament.bench.lfw import BASELINE, Figure, percent
from lineament.bench.open_set import Split, searches
from lineament.bench.plots import Axis, Curve
from lineament.measure.evidence import Result
from lineament.measure.identification import Searches, cmc, fnir_at_fpir, rank_accuracy
from lineament.measure.interval import bootstrap
from lineament.measure.sets.nouns import LabeledPictures
from lineament.measure.sets.orl import PEOPLE, read_orl, read_pgm

RAW = "raw pixels"
ENLARGED = 2
ENROLLED_SHOT = 1
ENROLLED_PEOPLE = 20
"""Of the open set."""
RANKS = 10
DATA = {
    "closed": "ORL closed set: picture 1 of each of 40 people enrolled, pictures 2 to 10 searched",
    "open": "ORL open set: picture 1 of people 1 to 20 enrolled; their other 180 and all 200 of "
    "people 21 to 40 searched",
}
METRICS: dict[tuple[str, str], Callable[[Searches], float]] = {
    ("closed", "rank-1 accuracy"): rank_accuracy,
    ("closed", "rank-5 accuracy"): lambda done: rank_accuracy(done, 5),
    ("open", "FNIR at FPIR 0.01"): lambda done: fnir_at_fpir(done, 0.01),
    ("open", "FNIR at FPIR 0.1"): lambda done: fnir_at_fpir(done, 0.1),
}

Found = tuple[Bool[np.ndarray, " n"], Float32[np.ndarray, "m d"]]
"""Which pictures show a found face, and the unit vectors of these."""


def run(context: Context) -> Outcome:
    """Search with every embedder asked for, with the baseline, and with the pixels."""
    orl = read_orl(context.set_folder("orl"))
    people = orl.people
    assert people is not None
    splits = {kind: split(orl, kind) for kind in DATA}
    closed: dict[str, Searches] = {}
    figures: dict[str, dict[tuple[str, str], Figure]] = {}
    missed: dict[str, int] = {}
    for name, (found, vectors) in vectors_of(orl, context).items():
        done = {kind: searches(part, people, found, vectors) for kind, part in splits.items()}
        closed[name], missed[name] = done["closed"], int((~found).sum())
        figures[name] = {
            (kind, metric): figure(of, done[kind], people[splits[kind].probes], context.seed)
            for (kind, metric), of in METRICS.items()
        }
    table = Table(
        "ORL: 40 people from one picture each",
        ("embedder", *(f"{kind}: {metric} %#" for kind, metric in METRICS), "no face#"),
        [(name, *map(percent, row.values()), str(missed[name])) for name, row in figures.items()],
    )
    results = _results(figures, missed, orl.digest(), context.seed)
    return Outcome([table], results, [cmc_plot(closed)])


def split(orl: LabeledPictures, kind: str) -> Split:
    """Who is enrolled and who is searched, for ``closed`` or ``open``."""
    people, shot = orl.people, orl.labels["shot"]
    assert people is not None
    known = people < (PEOPLE if kind == "closed" else ENROLLED_PEOPLE)
    enrolled = known & (shot == ENROLLED_SHOT)
    return Split(np.flatnonzero(enrolled), np.flatnonzero(~enrolled))


def figure(
    of: Callable[[Searches], float], done: Searches, people: Int64[np.ndarray, " p"], seed: int
) -> Figure:
    """A metric of searches, with its interval over the probes' people."""
    interval = bootstrap(lambda rows: of(done.take(rows)), people, seed=seed)
    return Figure(of(done), interval.pair)


def vectors_of(orl: LabeledPictures, context: Context) -> dict[str, Found]:
    """Vectors of all pictures by each method: pixels first, then the baseline."""
    slugs = embedders(context.methods, context.say)
    done: dict[str, Found] = {RAW: (np.ones(len(orl.paths), bool), pixels(orl.paths))}
    with TemporaryDirectory() as folder:
        enlarged = enlarge(orl.paths, Path(folder))
        for slug in [BASELINE, *(s for s in slugs if s != BASELINE)]:
            context.say(f"orl-identification: {slug}")
            faces = embedded_faces(enlarged, slug)
            done[slug] = faces.faces.found, faces.flip.vectors
    return done


def enlarge(paths: tuple[Path, ...], folder: Path) -> tuple[Path, ...]:
    """The pictures as PNG files of twice the size: what the rest of the house can read."""
    from PIL import Image as Pillow

    made = []
    for number, path in enumerate(paths):
        grey = Pillow.fromarray(read_pgm(path))
        size = (ENLARGED * grey.width, ENLARGED * grey.height)
        made.append(folder / f"{number:03d}.png")
        grey.resize(size, Pillow.Resampling.BICUBIC).convert("RGB").save(made[-1])
    return tuple(made)


def pixels(paths: tuple[Path, ...]) -> Float32[np.ndarray, "n d"]:
    """Whole pictures as unit vectors about their means: their products are correlations."""
    rows = np.stack([read_pgm(path).ravel() for path in paths]).astype(np.float64)
    rows -= rows.mean(axis=1, keepdims=True)
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def _results(
    figures: dict[str, dict[tuple[str, str], Figure]],
    missed: dict[str, int],
    digest: str,
    seed: int,
) -> list[Result]:
    """Every embedder beside the baseline, and the baseline beside the pixels."""
    results = []
    for name, row in figures.items():
        if name == RAW:
            continue
        beside = RAW if name == BASELINE else BASELINE
        results += [
            Result(
                method=name,
                protocol="orl-identification",
                data=DATA[kind],
                data_hash=digest,
                metric=metric,
                ours=found.value,
                interval=found.interval,
                baseline=beside,
                baseline_value=figures[beside][kind, metric].value,
                higher_is_better=kind == "closed",
                seed=seed,
                note=f"{missed[name]} of the pictures without a found face; "
                f"{RAW}: {figures[RAW][kind, metric].value:.4f}.",
            )
            for (kind, metric), found in row.items()
        ]
    return results


def cmc_plot(closed: dict[str, Searches]) -> Curve:
    """Cumulative match characteristic of the closed set."""
    ranks = [float(rank) for rank in range(1, RANKS + 1)]
    return Curve(
        "Probes found within a rank: ORL, one picture a person enrolled",
        Axis("rank"),
        Axis("share of probes"),
        {name: (ranks, cmc(done, RANKS).tolist()) for name, done in closed.items()},
    )


PROTOCOL = Protocol(
    "orl-identification", "closed-set and open-set identification on ORL", run, ("orl",)
)
"""`lineament bench orl-identification`."""
