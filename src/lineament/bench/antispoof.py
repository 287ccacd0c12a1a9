"""Replay attacks across sources: each source is judged by what was learned from the others.

For each source in turn, a linear probe is fitted on the others. Its threshold is that of equal
errors on scores of the training sources, each scored by a probe that had not seen it either: a
probe's scores on its own training data are too good to set a threshold by. Nothing of the left-out
source is looked at.

The sources hold few people and many frames of each, and one kind of attack (a screen), so that
ACER equals HTER. Intervals are over the four sources, since frames are not independent.

Source of the metrics: ISO/IEC 30107-3:2023.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64, Int

from lineament.bench.context import Context, Outcome, Protocol, Table
from lineament.bench.probes import BASELINE, classify, feature_sets, placed_crops
from lineament.core.errors import BadInput
from lineament.measure.evidence import Result
from lineament.measure.interval import bootstrap
from lineament.measure.presentation import (
    PresentationErrors,
    Presentations,
    bpcer_at,
    equal_error_threshold,
    presentation_errors,
)
from lineament.measure.sets.antispoof import read_antispoof

SPECIES = "replay"
METRICS = ("HTER", "APCER", "BPCER", "BPCER at APCER 0.1")


@dataclass(frozen=True)
class LeftOut:
    """What happened to one source.

    Attributes:
        errors: at the threshold of the other sources.
        bpcer10: where the source's own APCER is 0.1.
    """

    errors: PresentationErrors
    bpcer10: float

    @property
    def figures(self) -> tuple[float, float, float, float]:
        """In the order of `METRICS`."""
        return self.errors.hter, self.errors.apcer, self.errors.bpcer.value, self.bpcer10


def run(context: Context) -> Outcome:
    """Probe every embedder asked for, and the pixels."""
    faces = read_antispoof(context.set_folder("antispoof"))
    real, source = faces.labels["bona fide"] == 1, faces.labels["source"]
    names = faces.classes["source"]
    done: dict[str, list[LeftOut]] = {}
    for name, features in feature_sets(context).items():
        context.say(f"antispoof-cross-source: {name}")
        rows = features(faces.paths)
        done[name] = [leave_out(rows, real, source, names, k) for k in range(len(names))]
    data = f"{len(real):,} real and replayed faces of {len(names)} sources, each left out in turn"
    headings = [f"{name} (n={(source == k).sum()})#" for k, name in enumerate(names)]
    tables = [
        Table(
            f"{data}: mean over sources",
            ("probe on", *(f"{metric} %#" for metric in METRICS)),
            [(who, *(f"{100 * v:.1f}" for v in means(found))) for who, found in done.items()],
        ),
        Table(
            "HTER of each source, %",
            ("probe on", *headings),
            [(who, *(f"{100 * s.errors.hter:.1f}" for s in found)) for who, found in done.items()],
        ),
    ]
    note = "Threshold of equal errors on the other sources; one species, so ACER is HTER. "
    note += f"Interval over the sources; {placed_crops(faces.paths).say()}."
    return Outcome(tables, _results(done, data, faces.digest(), context.seed, note))


def leave_out(
    features: Float[np.ndarray, "n d"],
    real: Bool[np.ndarray, " n"],
    source: Int[np.ndarray, " n"],
    names: tuple[str, ...],
    left: int,
) -> LeftOut:
    """Fit and choose the threshold on all sources but one, and measure that one.

    Raises:
        BadInput: there are fewer than four sources. To score one of the training sources, its
            probe is fitted on the other two, each of which is left out once to choose a strength.
    """
    if len(np.unique(source)) < 4:
        raise BadInput(f"four sources or more are needed; got {len(np.unique(source))}")
    train = source != left
    scores = carried(features[train], real[train], source[train])
    threshold = equal_error_threshold(presentations(f"all but {names[left]}", scores, real[train]))
    judged = score(features[train], real[train], source[train], features[~train])
    test = presentations(names[left], judged, real[~train])
    return LeftOut(presentation_errors(test, threshold), bpcer_at(test, 0.1))


def carried(
    features: Float[np.ndarray, "n d"], real: Bool[np.ndarray, " n"], source: Int[np.ndarray, " n"]
) -> Float64[np.ndarray, " n"]:
    """Scores of the training sources, each by a probe fitted on the rest of them."""
    scores = np.empty(len(real))
    for left in np.unique(source):
        rest = source != left
        scores[~rest] = score(features[rest], real[rest], source[rest], features[~rest])
    return scores


def score(
    features: Float[np.ndarray, "n d"],
    real: Bool[np.ndarray, " n"],
    source: Int[np.ndarray, " n"],
    judged: Float[np.ndarray, "m d"],
) -> Float64[np.ndarray, " m"]:
    """How likely each is a real face, in [0, 1]."""
    return np.ascontiguousarray(classify(features, real.astype(np.int64), judged, source)[:, 1])


def presentations(
    name: str, scores: Float[np.ndarray, " n"], real: Bool[np.ndarray, " n"]
) -> Presentations:
    """Scores by kind."""
    return Presentations(name, scores[real], {SPECIES: scores[~real]})


def means(found: list[LeftOut]) -> tuple[float, ...]:
    """Of each metric, over the sources."""
    return tuple(np.mean([one.figures for one in found], axis=0).tolist())


def _results(
    done: Mapping[str, list[LeftOut]], data: str, digest: str, seed: int, note: str
) -> list[Result]:
    results = []
    for who, found in done.items():
        if who == BASELINE:
            continue
        table = np.asarray([one.figures for one in found])
        for k, metric in enumerate(METRICS):
            interval = bootstrap(
                lambda rows, k=k, table=table: float(table[rows, k].mean()),
                np.arange(len(table)),
                seed=seed,
            )
            results.append(
                Result(
                    method=who,
                    protocol="antispoof-cross-source",
                    data=data,
                    data_hash=digest,
                    metric=f"{metric}, mean over sources (linear probe)",
                    ours=float(table[:, k].mean()),
                    interval=interval.pair,
                    baseline=f"linear probe on {BASELINE}",
                    baseline_value=means(done[BASELINE])[k],
                    higher_is_better=False,
                    seed=seed,
                    note=note,
                )
            )
    return results


PROTOCOL = Protocol(
    "antispoof-cross-source", "replay attacks, each source left out in turn", run, ("antispoof",)
)
"""`lineament bench antispoof-cross-source`."""
