"""LFW verification: the standard 6,000 pairs in 10 folds, with the whole chain from detection.

Also measures each space's calibration: how alike any two different people of LFW look, over all
pairs of pictures (some 30 million), which is what `verify` quotes.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float32, Int64

from lineament.bench.context import Context, Outcome, Protocol, Table
from lineament.bench.faces import EmbeddedFaces, embedded_faces, embedders
from lineament.core.cards import method
from lineament.core.verdict import Calibration
from lineament.know.calibration import write_calibration
from lineament.measure.evidence import Result
from lineament.measure.lfw import LabeledFaces, read_lfw
from lineament.measure.verification import (
    equal_error_rate,
    fold_accuracy,
    true_accept_rate,
)

BASELINE = "dlib-resnet"
"""What the other embedders are compared with: the network most face libraries still ship."""


def run(context: Context) -> Outcome:
    """Measure every embedder asked for, and the baseline, in one run."""
    lfw = read_lfw(context.set_folder("lfw"))
    digest = lfw.digest()
    slugs = embedders(context.methods, context.say)
    slugs = [BASELINE, *(s for s in slugs if s != BASELINE)]
    rows, results = [], []
    baseline: dict[str, float] = {}
    for slug in slugs:
        context.say(f"lfw: {slug}")
        embedded = embedded_faces(lfw.paths, slug)
        write_calibration(calibrate(embedded, lfw), context.out)
        for variant, vectors in (("plain", embedded.plain), ("flip", embedded.flip)):
            scores = pair_scores(lfw.pairs, embedded.faces.found, vectors.vectors)
            figures = measure(scores, lfw)
            rows.append(_row(slug, variant, figures, embedded))
            for metric, value in figures.items():
                if metric.startswith("interval"):
                    continue
                key = f"{metric} ({variant})"
                baseline.setdefault(key, value)
                results.append(
                    Result(
                        method=slug,
                        protocol="lfw",
                        data="LFW, 7,701 crops of 150 x 150, standard 6,000 pairs",
                        data_hash=digest,
                        metric=key,
                        ours=value,
                        interval=figures["interval"] if metric == "accuracy" else None,
                        baseline=None if slug == BASELINE else BASELINE,
                        baseline_value=None if slug == BASELINE else baseline[key],
                        paper=_published(slug) if key == "accuracy (flip)" else None,
                        higher_is_better=metric != "equal error rate",
                        seed=None,
                    )
                )
    table = Table(
        "LFW: 6,000 pairs, 10 folds, whole chain from our own detection",
        ("embedder", "crops", "accuracy %#", "TAR@1e-3 %#", "EER %#", "published %#", "ms a face#"),
        rows,
    )
    return Outcome([table], results)


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


def measure(scores: Float32[np.ndarray, " p"], lfw: LabeledFaces) -> dict:
    """The protocol's figures."""
    folds = fold_accuracy(scores, lfw.same, lfw.fold)
    return {
        "accuracy": folds.mean,
        "interval": folds.interval,
        "TAR at FAR 1e-3": true_accept_rate(scores, lfw.same, 1e-3),
        "equal error rate": equal_error_rate(scores, lfw.same),
    }


def calibrate(embedded: EmbeddedFaces, lfw: LabeledFaces) -> Calibration:
    """False-match rates over all pairs of pictures of different people."""
    people = lfw.people[embedded.faces.found]
    vectors = embedded.plain.vectors
    parts = []
    for row in range(len(people) - 1):
        others = people[row + 1 :] != people[row]
        parts.append((vectors[row + 1 :] @ vectors[row])[others])
    return Calibration.from_scores(
        embedded.plain.space, "all pairs of different people of LFW", np.concatenate(parts)
    )


def _published(slug: str) -> float | None:
    figures = {(p, m): v for p, m, v in method(slug).card.published}
    return figures.get(("lfw", "accuracy"))


def _row(slug: str, variant: str, figures: dict, embedded: EmbeddedFaces) -> tuple[str, ...]:
    published = _published(slug)
    return (
        slug,
        variant,
        f"{100 * figures['accuracy']:.2f}",
        f"{100 * figures['TAR at FAR 1e-3']:.2f}",
        f"{100 * figures['equal error rate']:.2f}",
        f"{100 * published:.2f}" if published else "-",
        f"{1000 * embedded.seconds * (2 if variant == 'flip' else 1):.1f}",
    )


PROTOCOL = Protocol("lfw", "verification on LFW's 6,000 pairs, and calibration", run, ("lfw",))
