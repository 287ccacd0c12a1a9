"""Accuracy under a limit of time: every chain of detector and embedder, mirrored crops or not.

Times are medians over the same pictures, taken turn by turn, so that whatever else the machine does
hits all alike: finding the face, and aligning and embedding it, one picture at a time on one
thread. A chain's time is the sum of its two parts. Accuracy is of LFW pairs, each tenth at the
threshold that was best on the others; a face that is not found answers no.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32

from lineament.bench.context import Context, Outcome, Protocol, Table
from lineament.bench.faces import embedders
from lineament.bench.lfw import Figure, pair_scores, percent
from lineament.bench.plots import Axis, Curve
from lineament.core.cards import method, methods
from lineament.core.crops import Crops, Template, align
from lineament.core.embeddings import Embeddings
from lineament.core.image import Image
from lineament.core.landmarks import Landmarks
from lineament.core.media import read_image
from lineament.core.protocols import Detector, Embedder
from lineament.measure.evidence import Result
from lineament.measure.fruits import CLASSES, Chain, best_in_class, frontier
from lineament.measure.interval import bootstrap_pairs
from lineament.measure.sets.lfw import LabeledFaces, read_lfw
from lineament.measure.verification import fold_accuracy

BASELINE = "yunet + dlib-resnet"
TIMED = 100
PAIRS = 600
PARTS = 10


@dataclass(frozen=True, eq=False)
class Found:
    """What one detector made of the pictures.

    Attributes:
        seen: whether it found a face in each.
        points: of the first face of those where it did.
        images: the pictures where it did.
    """

    seen: Bool[np.ndarray, " n"]
    points: Sequence[Landmarks]
    images: Sequence[Image]

    def crops(self, template: Template) -> Crops:
        """The faces aligned."""
        pairs = zip(self.images, self.points, strict=True)
        return Crops.join([align(image, points, template) for image, points in pairs])


def run(context: Context) -> Outcome:
    """Measure every chain, and say which is best within each limit."""
    lfw = read_lfw(context.set_folder("lfw"))
    rows = pair_rows(lfw)
    used, places = np.unique(lfw.pairs[rows], return_inverse=True)
    images = [read_image(lfw.paths[row]) for row in used]
    slugs = embedders(context.methods, context.say)
    detectors = [slug for slug, m in methods().items() if m.card.verb == "detect"]
    context.say("fruits: times")
    times = chain_times(detectors, slugs, images[:TIMED])
    figures: dict[str, Figure] = {}
    for detector in detectors:
        found = find(method(detector, "detect").load()(), images)
        for slug in slugs:
            context.say(f"fruits: accuracy of {detector} + {slug}")
            for suffix, vectors in embed(method(slug, "embed").load()(), found).items():
                scores = pair_scores(places.reshape(-1, 2), found.seen, vectors)
                figures[f"{detector} + {slug}{suffix}"] = _accuracy(scores, lfw, rows, context.seed)
    chains = [Chain(name, times[name], figure.value) for name, figure in figures.items()]
    ours = winners(chains)
    data = f"LFW, {len(rows)} pairs of the first fold; times of {TIMED} crops of 150 x 150"
    return Outcome(
        [_chain_table(chains, figures, data), _class_table(figures, ours)],
        _results(chains, figures, ours, data, lfw.digest(), context.seed),
        [_plot(chains, data)],
    )


@dataclass(frozen=True)
class Winner:
    """The best chain within a limit.

    Attributes:
        limit: milliseconds.
        commercial: whether only weights that allow commercial use took part.
        chain: the best; None where all are slower.
        rivals: all chains within the limit, the best included.
    """

    limit: float
    commercial: bool
    chain: Chain | None
    rivals: tuple[Chain, ...]

    def alike(self, figures: dict[str, Figure]) -> int:
        """How many of the rivals, the best included, reach its accuracy by their intervals."""
        best = self.chain.accuracy if self.chain else 0.0
        return sum(figures[rival.name].interval[1] >= best for rival in self.rivals)


def winners(chains: Sequence[Chain]) -> list[Winner]:
    """The best of each limit, of all chains and of those that allow commercial use."""
    found = []
    for commercial in (False, True):
        field = [c for c in chains if not commercial or is_commercial(c.name)]
        for limit, chain in best_in_class(field).items() if field else ():
            rivals = tuple(c for c in field if c.milliseconds <= limit)
            found.append(Winner(limit, commercial, chain, rivals))
    return found


def is_commercial(name: str) -> bool:
    """Whether every weight of a chain allows commercial use."""
    detector, embedder = name.split(" + ")[:2]
    return all(w.commercial for slug in (detector, embedder) for w in method(slug).card.weights)


def pair_rows(lfw: LabeledFaces) -> np.ndarray:
    """As many pairs of one person as of two, from the first fold's beginning."""
    first = lfw.fold == 0
    halves = [np.flatnonzero(first & (lfw.same == same))[: PAIRS // 2] for same in (True, False)]
    return np.stack(halves, axis=1).ravel()


def chain_times(
    detectors: Sequence[str], slugs: Sequence[str], images: Sequence[Image]
) -> dict[str, float]:
    """Milliseconds a picture of each chain: the median of finding, and of aligning and embedding.

    Everything takes its turn on each picture before the next picture comes.
    """
    finders: dict[str, Detector] = {
        slug: method(slug, "detect").load()(threads=1) for slug in detectors
    }
    networks: dict[str, Embedder] = {
        slug + suffix: method(slug, "embed").load()(threads=1, flip=bool(suffix))
        for slug in slugs
        for suffix in ("", " + mirrored")
    }
    taken: dict[str, list[float]] = {name: [] for name in (*finders, *networks)}
    for image in images:
        seen = []
        for name, finder in finders.items():
            started = time.perf_counter()
            faces = finder([image])[0]
            taken[name].append(time.perf_counter() - started)
            seen += [faces[:1].keypoints] if len(faces) else []
        if not seen:
            continue
        points = seen[0]
        for name, network in networks.items():
            started = time.perf_counter()
            network(align(image, points, network.template))
            taken[name].append(time.perf_counter() - started)
    medians = {name: 1000 * float(np.median(row)) for name, row in taken.items()}
    return {f"{d} + {e}": medians[d] + medians[e] for d in finders for e in networks}


def find(detector: Detector, images: Sequence[Image]) -> Found:
    """The first face of each picture."""
    faces = [detector([image])[0] for image in images]
    seen = np.asarray([len(f) > 0 for f in faces])
    return Found(
        seen,
        [f[:1].keypoints for f in faces if len(f)],
        [image for image, f in zip(images, faces, strict=True) if len(f)],
    )


def embed(embedder: Embedder, found: Found) -> dict[str, Float32[np.ndarray, "m d"]]:
    """Embeddings of the crops, and of crops and mirrored crops added."""
    crops = found.crops(embedder.template)
    mirrored = np.ascontiguousarray(crops.pixels[:, :, ::-1])
    plain = embedder(crops)
    other = embedder(Crops(mirrored, crops.transforms, crops.template))
    both = Embeddings.normalised(plain.vectors + other.vectors, plain.space)
    return {"": plain.vectors, " + mirrored": both.vectors}


def _accuracy(
    scores: Float32[np.ndarray, " p"], lfw: LabeledFaces, rows: np.ndarray, seed: int
) -> Figure:
    same, part = lfw.same[rows], np.arange(len(rows)) // 2 % PARTS

    def statistic(drawn: np.ndarray) -> float:
        return fold_accuracy(scores[drawn], same[drawn], part[drawn]).mean

    people = lfw.people[lfw.pairs[rows]]
    interval = bootstrap_pairs(statistic, people, rounds=300, seed=seed)
    return Figure(statistic(np.arange(len(rows))), interval.pair)


def _chain_table(chains: Sequence[Chain], figures: dict[str, Figure], data: str) -> Table:
    best = {chain.name for chain in frontier(chains)}
    return Table(
        f"Chains by time: {data}",
        ("chain", "ms a picture#", "accuracy %#", "none is faster and better"),
        [
            (c.name, f"{c.milliseconds:.1f}", percent(figures[c.name]), "*" * (c.name in best))
            for c in sorted(chains, key=lambda chain: chain.milliseconds)
        ],
    )


def _class_table(figures: dict[str, Figure], ours: list[Winner]) -> Table:
    rows = []
    for winner in ours:
        chain, terms = winner.chain, "commercial" if winner.commercial else "any"
        if chain is None:
            rows.append((f"{winner.limit:g}", terms, "none", "", "", ""))
        else:
            accuracy = percent(figures[chain.name])
            alike = f"{winner.alike(figures)} of {len(winner.rivals)}"
            ms = f"{chain.milliseconds:.1f}"
            rows.append((f"{winner.limit:g}", terms, chain.name, ms, accuracy, alike))
    return Table(
        "Best chain within each limit",
        ("limit ms#", "use", "chain", "ms a picture#", "accuracy %#", "intervals that reach it"),
        rows,
    )


def _results(
    chains: Sequence[Chain],
    figures: dict[str, Figure],
    ours: list[Winner],
    data: str,
    digest: str,
    seed: int,
) -> list[Result]:
    beside = next((chain for chain in chains if chain.name == BASELINE), None)
    return [
        Result(
            method="webface260m",
            protocol="fruits",
            data=data,
            data_hash=digest,
            metric=f"best accuracy within {winner.limit:g} ms a picture"
            + (", commercial use" if winner.commercial else ""),
            ours=chain.accuracy,
            interval=figures[chain.name].interval,
            baseline=beside and BASELINE,
            baseline_value=beside and beside.accuracy,
            seed=seed,
            note=f"{chain.name}, {chain.milliseconds:.1f} ms; {winner.alike(figures)} of the "
            f"{len(winner.rivals)} chains within the limit reach that accuracy by their intervals"
            + (f"; {BASELINE} takes {beside.milliseconds:.1f} ms." if beside else "."),
        )
        for winner in ours
        if (chain := winner.chain) is not None
    ]


def _plot(chains: Sequence[Chain], data: str) -> Curve:
    best = frontier(chains)
    return Curve(
        f"The best accuracy for the time: {data}",
        Axis("milliseconds a picture", "log"),
        Axis("accuracy"),
        {"best": ([c.milliseconds for c in best], [c.accuracy for c in best])},
        note="Limits: " + ", ".join(f"{limit:g} ms" for limit in CLASSES) + ".",
    )


PROTOCOL = Protocol("fruits", "the best chain within each limit of time", run, ("lfw",))
"""`lineament bench fruits`."""
