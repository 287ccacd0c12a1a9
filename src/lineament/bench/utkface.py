"""UTKFace: age and sex by the methods themselves and by linear probes, for each band of age and
each group of people.

300 pictures, drawn once for all, are left out of every figure: crops and ways to read the methods'
answers were chosen on them. Of the others a probe judges each picture fitted on four fifths that
it is not part of. The set names no people, so a person of several pictures may be on both sides.

UTKFace is widely trained on. What a method says of its own training stands beside its figures.

Source of the figures: X. Geng et al., "Automatic age estimation based on facial aging patterns",
TPAMI 2007 (mean absolute error; cumulative score, the share of faces at most 5 years off).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Bool, Float, Int

from lineament.bench.attributes import COMMONEST, Metric, compare, trained_on
from lineament.bench.celeba40 import take
from lineament.bench.context import Context, Outcome, Protocol, Table
from lineament.bench.described import said_by, who_says
from lineament.bench.plots import Bars
from lineament.bench.probes import (
    BASELINE,
    classify,
    feature_sets,
    out_of_fold,
    placed_crops,
    regress,
)
from lineament.core.named_scores import NamedScores
from lineament.measure.attributes import (
    accuracy,
    age_error,
    balanced_accuracy,
    cumulative_score,
)
from lineament.measure.evidence import Result
from lineament.measure.interval import bootstrap
from lineament.measure.sets.nouns import LabeledPictures
from lineament.measure.sets.utkface import SEXES, read_utkface

FOLDS = 5
CHOSEN_ON, CHOICE_SEED = 300, 2017
"""How many pictures choices were made on, and the seed that draws them."""
BANDS = {"0 to 12": (0, 12), "13 to 19": (13, 19), "20 to 39": (20, 39), "40 to 59": (40, 59)}
BANDS |= {"60 and more": (60, 200)}
"""First and last age of each band."""
AGE, SEX = 0, 1
"""Columns of what a probe answers, and of the truth."""
AGE_METRICS = (
    Metric("age MAE, years", age_error, False, False),
    Metric("age CS@5", lambda a, t: cumulative_score(a, t, 5)),
)
SEX_METRICS = (
    Metric("sex accuracy", lambda a, t: accuracy(a.astype(int), t.astype(int))),
    Metric(
        "sex balanced accuracy",
        lambda a, t: balanced_accuracy(a.astype(int), t.astype(int), len(SEXES)),
    ),
)
Answers = Mapping[str, Float[np.ndarray, " n"]]
"""Years, or numbers of `SEXES`, of each face, by who answered."""


def run(context: Context) -> Outcome:
    """Ask every method that says age or sex; probe every embedder asked for, and the pixels."""
    faces = measured(read_utkface(context.set_folder("utkface")))
    truth = np.stack([faces.labels["age"], faces.labels["sex"]], axis=1).astype(np.float64)
    probed: dict[str, np.ndarray] = {COMMONEST: np.empty_like(truth)}
    for train, test in out_of_fold(len(truth), FOLDS, context.seed):
        probed[COMMONEST][test] = np.median(truth[train], axis=0)
    for name, features in feature_sets(context).items():
        context.say(f"utkface-age-sex: {name}")
        probed[name] = answer(features(faces.paths), truth, context.seed)
    outcome = Outcome([], [])
    for field, column, metrics, read in (
        ("age", AGE, AGE_METRICS, years),
        ("sex", SEX, SEX_METRICS, sex_numbers),
    ):
        answers = {who: found[:, column] for who, found in probed.items()}
        sayers = who_says(context, field)
        for slug in sayers:
            context.say(f"utkface-age-sex: {slug}")
            answers[slug] = read(said_by(slug, faces.paths).fields[field])
        outcome += report(context, faces, answers, truth[:, column], metrics, sayers)
    return outcome


def measured(faces: LabeledPictures) -> LabeledPictures:
    """The pictures on which nothing was chosen."""
    order = np.random.default_rng(CHOICE_SEED).permutation(len(faces.paths))
    return take(faces, np.sort(order[CHOSEN_ON:]))


def years(age: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """What a method says of age, as `Answers` have it."""
    return age.astype(np.float64)


def sex_numbers(sex: NamedScores) -> Float[np.ndarray, " n"]:
    """What a method says of sex, as `Answers` have it."""
    return np.asarray([SEXES.index(name) for name in sex.best()], np.float64)


def report(
    context: Context,
    faces: LabeledPictures,
    answers: Answers,
    truth: Float[np.ndarray, " n"],
    metrics: tuple[Metric, ...],
    sayers: list[str],
) -> Outcome:
    """All figures of age, or of sex. The first metric is also given by band and by group."""
    compared = compare(answers, truth, metrics, np.arange(len(truth)), context.seed)
    data = f"UTKFace, {len(truth):,} faces, five folds by chance"
    note = (
        f"intervals over pictures; {placed_crops(faces.paths).say()}; published figures are of all "
        "23,700 faces of the set, cut otherwise"
    )
    parts, digest = subsets(faces), faces.digest()
    shown = {n: r for n, r in parts.items() if (n in BANDS) == (metrics is AGE_METRICS)}
    about = ("utkface-age-sex", data, digest, context.seed)
    return Outcome(
        [compared.table(data), part_table(metrics[0], answers, truth, parts)],
        [
            *compared.results(*about, note, sayers),
            *worst(metrics[0], answers, truth, parts, *about[1:], sayers),
        ],
        [bars(metrics[0], answers, truth, shown)],
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
    answers: Answers,
    truth: Float[np.ndarray, " n"],
    parts: dict[str, Bool[np.ndarray, " n"]],
) -> Table:
    """One figure for each band and group."""
    scale = 100 if metric.percent else 1
    return Table(
        f"{metric.name} by band of age and by group",
        ("who answers", *(f"{name} (n={rows.sum()})#" for name, rows in parts.items())),
        [
            (who, *(f"{scale * metric.of(a[rows], truth[rows]):.2f}" for rows in parts.values()))
            for who, a in answers.items()
        ],
    )


def bars(
    metric: Metric,
    answers: Answers,
    truth: Float[np.ndarray, " n"],
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
    metric: Metric,
    answers: Answers,
    truth: Float[np.ndarray, " n"],
    parts: dict[str, Bool[np.ndarray, " n"]],
    data: str,
    digest: str,
    seed: int,
    sayers: Sequence[str] = (),
) -> list[Result]:
    """The figure of the group that each method serves worst, as evidence.

    Intervals draw pictures and look for the worst group again in each draw.
    """
    groups = {name: rows for name, rows in parts.items() if name not in BANDS}
    every = np.arange(len(truth))
    low = {who: lowest(metric, found, truth, groups, every) for who, found in answers.items()}
    name = f"{metric.name}, of the group served worst"
    return [
        Result(
            method=who,
            protocol="utkface-age-sex",
            data=data,
            data_hash=digest,
            metric=name if who in sayers else f"{name} (linear probe)",
            ours=low[who][0],
            interval=bootstrap(
                lambda rows, a=found: lowest(metric, a, truth, groups, rows)[0], every, seed=seed
            ).pair,
            baseline=f"linear probe on {BASELINE}",
            baseline_value=low[BASELINE][0],
            higher_is_better=metric.higher_is_better,
            seed=seed,
            note=f"The group is {low[who][1]}; of {BASELINE} it is {low[BASELINE][1]}."
            + (f" {trained_on(who)}" if who in sayers else ""),
        )
        for who, found in answers.items()
        if who not in (BASELINE, COMMONEST)
    ]


def lowest(
    metric: Metric,
    found: Float[np.ndarray, " n"],
    truth: Float[np.ndarray, " n"],
    groups: dict[str, Bool[np.ndarray, " n"]],
    rows: Int[np.ndarray, " m"],
) -> tuple[float, str]:
    """The worst figure of any group among some rows, and whose it is."""
    here = {name: rows[members[rows]] for name, members in groups.items()}
    figures = [(metric.of(found[r], truth[r]), name) for name, r in here.items() if len(r)]
    return min(figures) if metric.higher_is_better else max(figures)


PROTOCOL = Protocol(
    "utkface-age-sex", "age and sex on UTKFace, by methods and probes", run, ("utkface",), 2
)
"""`lineament bench utkface-age-sex`."""
