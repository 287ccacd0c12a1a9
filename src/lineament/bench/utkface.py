"""UTKFace: age and sex by linear probes, for each band of age and each group of people.

Five folds by chance: each picture is judged by a probe fitted on the other four. The set names no
people, so a person of several pictures may be on both sides.

Source of the figures: X. Geng et al., "Automatic age estimation based on facial aging patterns",
TPAMI 2007 (mean absolute error; cumulative score, the share of faces at most 5 years off).
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int

from lineament.bench.attributes import COMMONEST, Metric, compare
from lineament.bench.context import Context, Outcome, Protocol, Table
from lineament.bench.plots import Bars
from lineament.bench.probes import (
    BASELINE,
    classify,
    feature_sets,
    out_of_fold,
    placed_crops,
    regress,
)
from lineament.measure.attributes import accuracy, age_error, cumulative_score
from lineament.measure.evidence import Result
from lineament.measure.interval import bootstrap
from lineament.measure.sets.nouns import LabeledPictures
from lineament.measure.sets.utkface import read_utkface

FOLDS = 5
BANDS = {"0 to 12": (0, 12), "13 to 19": (13, 19), "20 to 39": (20, 39), "40 to 59": (40, 59)}
BANDS |= {"60 and more": (60, 200)}
"""First and last age of each band."""
AGE, SEX = 0, 1
"""Columns of answers and truth."""
METRICS = (
    Metric("age MAE, years", lambda a, t: age_error(a[:, AGE], t[:, AGE]), False, False),
    Metric("age CS@5", lambda a, t: cumulative_score(a[:, AGE], t[:, AGE], 5)),
    Metric("sex accuracy", lambda a, t: accuracy(a[:, SEX].astype(int), t[:, SEX].astype(int))),
)


def run(context: Context) -> Outcome:
    """Probe every embedder asked for, and the pixels."""
    faces = read_utkface(context.set_folder("utkface"))
    truth = np.stack([faces.labels["age"], faces.labels["sex"]], axis=1).astype(np.float64)
    answers: dict[str, np.ndarray] = {COMMONEST: np.empty_like(truth)}
    for train, test in out_of_fold(len(truth), FOLDS, context.seed):
        answers[COMMONEST][test] = np.median(truth[train], axis=0)
    for name, features in feature_sets(context).items():
        context.say(f"utkface-age-sex: {name}")
        answers[name] = answer(features(faces.paths), truth, context.seed)
    compared = compare(answers, truth, METRICS, np.arange(len(truth)), context.seed)
    data = f"UTKFace, {len(truth):,} faces, five folds by chance"
    note = f"intervals over pictures; {placed_crops(faces.paths).say()}"
    parts = subsets(faces)
    digest = faces.digest()
    return Outcome(
        [compared.table(data), *(part_table(m, answers, truth, parts) for m in METRICS)],
        [
            *compared.results("utkface-age-sex", data, digest, context.seed, note),
            *worst(answers, truth, parts, data, digest, context.seed),
        ],
        [
            bars(METRICS[0], answers, truth, {n: r for n, r in parts.items() if n in BANDS}),
            bars(METRICS[2], answers, truth, {n: r for n, r in parts.items() if n not in BANDS}),
        ],
    )


def answer(
    features: Float[np.ndarray, "n d"], truth: Float[np.ndarray, "n 2"], seed: int
) -> Float[np.ndarray, "n 2"]:
    """Age and sex of each face, by probes that were fitted without it.

    An age beyond all those that a probe was fitted on is brought to the nearest of them.
    """
    found = np.empty_like(truth)
    for train, test in out_of_fold(len(truth), FOLDS, seed):
        ages = truth[train, AGE]
        guessed = regress(features[train], ages, features[test])
        found[test, AGE] = guessed.clip(ages.min(), ages.max())
        chances = classify(features[train], truth[train, SEX].astype(np.int64), features[test])
        found[test, SEX] = chances.argmax(axis=1)
    return found


def subsets(faces: LabeledPictures) -> dict[str, Bool[np.ndarray, " n"]]:
    """Rows of each band of age, then of each group."""
    age, group = faces.labels["age"], faces.labels["group"]
    bands = {name: (low <= age) & (age <= high) for name, (low, high) in BANDS.items()}
    groups = {name: group == number for number, name in enumerate(faces.classes["group"])}
    return {name: rows for name, rows in (bands | groups).items() if rows.any()}


def part_table(
    metric: Metric,
    answers: dict[str, np.ndarray],
    truth: Float[np.ndarray, "n 2"],
    parts: dict[str, Bool[np.ndarray, " n"]],
) -> Table:
    """One figure for each band and group."""
    scale = 100 if metric.percent else 1
    return Table(
        f"{metric.name} by band of age and by group",
        ("probe on", *(f"{name} (n={rows.sum()})#" for name, rows in parts.items())),
        [
            (who, *(f"{scale * metric.of(a[rows], truth[rows]):.2f}" for rows in parts.values()))
            for who, a in answers.items()
        ],
    )


def bars(
    metric: Metric,
    answers: dict[str, np.ndarray],
    truth: Float[np.ndarray, "n 2"],
    parts: dict[str, Bool[np.ndarray, " n"]],
) -> Bars:
    """The same as bars."""
    values = {
        who: [metric.of(found[rows], truth[rows]) for rows in parts.values()]
        for who, found in answers.items()
        if who != COMMONEST
    }
    return Bars(f"UTKFace: {metric.name}", metric.name, list(parts), values)


def worst(
    answers: dict[str, np.ndarray],
    truth: Float[np.ndarray, "n 2"],
    parts: dict[str, Bool[np.ndarray, " n"]],
    data: str,
    digest: str,
    seed: int,
) -> list[Result]:
    """The figure of the group that each method serves worst, as evidence.

    Intervals draw pictures and look for the worst group again in each draw.
    """
    results = []
    groups = {name: rows for name, rows in parts.items() if name not in BANDS}
    every = np.arange(len(truth))
    for metric in (METRICS[0], METRICS[2]):
        low = {who: lowest(metric, found, truth, groups, every) for who, found in answers.items()}
        results += [
            Result(
                method=who,
                protocol="utkface-age-sex",
                data=data,
                data_hash=digest,
                metric=f"{metric.name}, of the group served worst (linear probe)",
                ours=low[who][0],
                interval=bootstrap(
                    lambda rows, m=metric, a=answers[who]: lowest(m, a, truth, groups, rows)[0],
                    every,
                    seed=seed,
                ).pair,
                baseline=f"linear probe on {BASELINE}",
                baseline_value=low[BASELINE][0],
                higher_is_better=metric.higher_is_better,
                seed=seed,
                note=f"The group is {low[who][1]}; of {BASELINE} it is {low[BASELINE][1]}.",
            )
            for who in answers
            if who not in (BASELINE, COMMONEST)
        ]
    return results


def lowest(
    metric: Metric,
    found: Float[np.ndarray, "n 2"],
    truth: Float[np.ndarray, "n 2"],
    groups: dict[str, Bool[np.ndarray, " n"]],
    rows: Int[np.ndarray, " m"],
) -> tuple[float, str]:
    """The worst figure of any group among some rows, and whose it is."""
    here = {name: rows[members[rows]] for name, members in groups.items()}
    figures = [(metric.of(found[r], truth[r]), name) for name, r in here.items() if len(r)]
    return min(figures) if metric.higher_is_better else max(figures)


PROTOCOL = Protocol("utkface-age-sex", "age and sex on UTKFace by linear probes", run, ("utkface",))
"""`lineament bench utkface-age-sex`."""
