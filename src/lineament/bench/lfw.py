"""LFW verification: the standard 6,000 pairs in 10 folds, with the whole chain from detection.

Also measures each space's calibration: how alike any two different people of LFW look, over all
pairs of pictures (some 30 million), which is what `verify` quotes; and whether a false-match rate
stated on half of the people comes true on the other half.

Accuracy is that of view 2: each fold at the threshold that was best on the other nine. Intervals
are bootstraps over people, since pairs that share a person are not independent.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Int64

from lineament.bench.context import Context, Outcome, Protocol, Table
from lineament.bench.faces import EmbeddedFaces, embedded_faces, embedders
from lineament.bench.halves import HeldOut, calibration_plot, held_out, impostor_scores
from lineament.bench.verification_plots import verification_plots
from lineament.core.cards import method
from lineament.core.verdict import Calibration
from lineament.know.calibration import write_calibration
from lineament.measure.evidence import Result
from lineament.measure.interval import bootstrap_pairs
from lineament.measure.sets.lfw import LabeledFaces, read_lfw
from lineament.measure.verification import equal_error_rate, fold_accuracy, true_accept_rate

BASELINE = "dlib-resnet"
"""What the other embedders are compared with: the network most face libraries still ship."""

NOTE = (
    "Ours is the whole chain, from our own detection on the set's crops of 150 x 150; "
    "the authors align their own way, on pictures of 250 x 250."
)
"""Why a published accuracy may differ from ours."""

PAIRS = "LFW, 7,701 crops of 150 x 150, standard 6,000 pairs"
HALVES = "LFW, 7,701 crops of 150 x 150, halves of the people"
STATED = 1e-3


@dataclass(frozen=True)
class Figure:
    """A figure of the protocol, and its 95 % interval."""

    value: float
    interval: tuple[float, float]


def run(context: Context) -> Outcome:
    """Measure every embedder asked for, and the baseline, in one run."""
    lfw = read_lfw(context.set_folder("lfw"))
    digest = lfw.digest()
    slugs = embedders(context.methods, context.say)
    figures: dict[tuple[str, str], dict[str, Figure]] = {}
    scores: dict[str, Float32[np.ndarray, " p"]] = {}
    halves: dict[str, HeldOut] = {}
    rows = []
    for slug in [BASELINE, *(s for s in slugs if s != BASELINE)]:
        context.say(f"lfw: {slug}")
        embedded = embedded_faces(lfw.paths, slug)
        found = embedded.faces.found
        write_calibration(calibrate(embedded, lfw), context.out)
        halves[slug] = held_out(embedded.plain, lfw.people[found], context.seed)
        for variant, vectors in (("plain", embedded.plain), ("flip", embedded.flip)):
            scores[slug] = pair_scores(lfw.pairs, found, vectors.vectors)
            figures[slug, variant] = measure(scores[slug], lfw, context.seed)
            rows.append(_row(slug, variant, figures[slug, variant], embedded))
    table = Table(
        "LFW: 6,000 pairs, 10 folds, whole chain from our own detection",
        ("embedder", "crops", "accuracy %#", "TAR@1e-3 %#", "EER %#", "published %#", "ms a face#"),
        rows,
    )
    stems = [path.stem for path in lfw.paths]
    plots = verification_plots(scores, lfw.same, lfw.pairs, stems, "LFW, mirrored crops added")
    return Outcome(
        [table],
        [*_results(figures, digest, context.seed), *_stated(halves, digest, context.seed)],
        [*plots[:2], calibration_plot(halves, "all pairs of different people of LFW"), *plots[2:]],
    )


def pair_scores(
    pairs: Int64[np.ndarray, "p 2"],
    found: Bool[np.ndarray, " n"],
    vectors: Float32[np.ndarray, "m d"],
) -> Float32[np.ndarray, " p"]:
    """Cosine of each pair; -1, a plain no, where a picture's face was not found."""
    row = np.cumsum(found) - 1
    scores = np.full(len(pairs), -1.0, np.float32)
    usable = found[pairs].all(axis=1)
    a, b = row[pairs[usable]].T
    scores[usable] = np.einsum("pd,pd->p", vectors[a], vectors[b])
    return scores


def measure(scores: Float32[np.ndarray, " p"], lfw: LabeledFaces, seed: int) -> dict[str, Figure]:
    """The protocol's figures with intervals over people."""
    same, fold = lfw.same, lfw.fold
    statistics: dict[str, Callable[[np.ndarray], float]] = {
        "accuracy": lambda rows: fold_accuracy(scores[rows], same[rows], fold[rows]).mean,
        "TAR at FAR 1e-3": lambda rows: true_accept_rate(scores[rows], same[rows], 1e-3),
        "equal error rate": lambda rows: equal_error_rate(scores[rows], same[rows]),
    }
    people, every = lfw.people[lfw.pairs], np.arange(len(scores))
    return {
        name: Figure(statistic(every), bootstrap_pairs(statistic, people, seed=seed).pair)
        for name, statistic in statistics.items()
    }


def calibrate(embedded: EmbeddedFaces, lfw: LabeledFaces) -> Calibration:
    """False-match rates over all pairs of pictures of different people."""
    impostors = impostor_scores(embedded.plain.vectors, lfw.people[embedded.faces.found])
    return Calibration.from_scores(
        embedded.plain.space, "all pairs of different people of LFW", impostors
    )


def _results(
    figures: dict[tuple[str, str], dict[str, Figure]], digest: str, seed: int
) -> list[Result]:
    found = []
    for (slug, variant), row in sorted(figures.items(), key=lambda item: item[0][1]):
        beside = None if slug == BASELINE else figures[BASELINE, variant]
        for metric, figure in row.items():
            paper = _published(slug) if (metric, variant) == ("accuracy", "flip") else None
            found.append(
                Result(
                    method=slug,
                    protocol="lfw",
                    data=PAIRS,
                    data_hash=digest,
                    metric=f"{metric} ({variant})",
                    ours=figure.value,
                    interval=figure.interval,
                    baseline=BASELINE if beside else None,
                    baseline_value=beside[metric].value if beside else None,
                    paper=paper,
                    higher_is_better=metric != "equal error rate",
                    seed=seed,
                    note=NOTE if paper else "",
                )
            )
    return found


def _stated(halves: dict[str, HeldOut], digest: str, seed: int) -> list[Result]:
    """One rate of the calibration plot as evidence: that of every command's default."""
    found = []
    for slug, half in halves.items():
        row = half.row(STATED)
        low, high = half.spread[row]
        found.append(
            Result(
                method=slug,
                protocol="lfw",
                data=HALVES,
                data_hash=digest,
                metric=f"mean error of a stated false-match rate of {STATED:g}, %",
                ours=100 * half.error[row],
                higher_is_better=False,
                seed=seed,
                note="Stated on one half of the people, measured on the other: "
                f"from {low:.2e} to {high:.2e}.",
            )
        )
    return found


def _published(slug: str) -> float | None:
    figures = {(p, m): v for p, m, v in method(slug).card.published}
    return figures.get(("lfw", "accuracy"))


def _row(
    slug: str, variant: str, figures: dict[str, Figure], embedded: EmbeddedFaces
) -> tuple[str, ...]:
    published = _published(slug)
    return (
        slug,
        variant,
        *(percent(figure) for figure in figures.values()),
        f"{100 * published:.2f}" if published else "-",
        f"{1000 * embedded.seconds * (2 if variant == 'flip' else 1):.1f}",
    )


def percent(figure: Figure) -> str:
    """A share in per cent, with its interval."""
    low, high = figure.interval
    return f"{100 * figure.value:.2f} ({100 * low:.2f} to {100 * high:.2f})"


PROTOCOL = Protocol(
    "lfw", "verification on LFW's 6,000 pairs, and calibration", run, ("lfw",), calibrates=True
)
"""`lineament bench lfw`."""
