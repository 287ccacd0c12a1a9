"""Small embedders beside their teacher: agreement, LFW, time and bytes, all in the same run."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32, UInt8

from lineament.core.media import read_image
from lineament.core.sessions import Session
from lineament.learn.data.cache import kept, listing
from lineament.learn.recipes import Comparison, Job
from lineament.learn.recognition.crops import aligned, default_detector
from lineament.measure.evidence import Result
from lineament.measure.interval import bootstrap_pairs
from lineament.measure.sets.lfw import LabeledFaces, read_lfw
from lineament.measure.verification import fold_accuracy, true_accept_rate

ROUNDS = 200
"""Of each bootstrap, in which people are drawn."""
TIMED = 50
"""Faces that the time of one is the median of."""
METRICS = ("LFW accuracy", "LFW TAR at FAR 1e-3")


@runtime_checkable
class Embedding(Protocol):
    """What is judged: a file that embeds crops."""

    @property
    def path(self) -> Path: ...

    @property
    def session(self) -> Session: ...

    def __call__(self, crops: UInt8[np.ndarray, "n 112 112 3"]) -> Float32[np.ndarray, "n d"]: ...


def compare(
    job: Job,
    networks: Mapping[str, Sequence[Embedding]],
    agreements: Mapping[str, tuple[float, float]],
    faces: int,
    cache: Path,
) -> Comparison:
    """The last arm, which is the method, beside all others.

    Args:
        job: the job.
        networks: by arm, one a seed; the teacher is the first arm.
        agreements: of each arm with the teacher on held-out faces, as they are and made worse.
        faces: how many were learnt from.
        cache: folder to keep aligned faces of LFW in.
    """
    assert job.data is not None
    lfw = read_lfw(job.data / "lfw")
    crops, found = _crops(lfw, cache, job)
    scores = {
        name: [_scores(lfw, found, each(crops)) for each in some] for name, some in networks.items()
    }
    taken = milliseconds({name: some[0] for name, some in networks.items()})
    *others, ours = networks
    figures = {
        (name, metric): _figure(scores[name], metric, lfw)
        for name in networks
        for metric in METRICS
    }
    rows, results = [], _costs(job, networks, taken, ours, next(iter(networks)))
    for name in networks:
        size = networks[name][0].path.stat().st_size
        cosines = (f"{cosine:.3f}" for cosine in agreements[name])
        shown = (_percent(figures[name, metric]) for metric in METRICS)
        rows.append((name, *cosines, *shown, f"{taken[name]:.2f}", f"{size:,}"))
    for name, metric in ((name, metric) for name in others for metric in METRICS):
        gap = _figure(scores[ours], metric, lfw, scores[name])
        every = np.arange(len(lfw.pairs))
        single = [_statistic(metric, run, lfw, every) for run in scores[ours]]
        value, low, high = figures[ours, metric]
        results.append(
            Result(
                method=job.recipe.slug,
                protocol=f"train {job.recipe.slug}",
                data=f"LFW, 6,000 pairs; learnt from {faces} generated faces",
                data_hash=lfw.digest(),
                metric=f"{metric} (plain), beside {name}",
                ours=value,
                interval=(low, high),
                baseline=name,
                baseline_value=figures[name, metric][0],
                seed=job.seeds[0],
                note=f"{job.settings.steps} steps; of each seed "
                f"{', '.join(f'{100 * each:.2f} %' for each in single)}; less the baseline, in "
                f"points: {_percent(gap)}.",
            )
        )
    title = (
        f"{job.recipe.slug}: {job.recipe.title}. {faces} faces, {len(job.seeds)} seeds of "
        f"{job.settings.steps} steps; agreement is the mean cosine with SFace's embeddings of "
        "held-out faces; LFW by the whole chain, without mirrored crops"
    )
    headings = (
        "network",
        "agrees#",
        "on worse#",
        "LFW accuracy %#",
        "TAR@1e-3 %#",
        "ms#",
        "bytes#",
    )
    return Comparison(title, headings, rows, results)


def milliseconds(networks: Mapping[str, Embedding]) -> dict[str, float]:
    """Time of one face on one thread: medians, taken in turn so that all have the same machine."""
    planes = np.random.default_rng(0).uniform(0, 255, (1, 3, 112, 112)).astype(np.float32)
    taken: dict[str, list[float]] = {name: [] for name in networks}
    for _ in range(TIMED):
        for name, network in networks.items():
            start = time.perf_counter()
            network.session.run(planes)
            taken[name].append(1000 * (time.perf_counter() - start))
    return {name: float(np.median(some)) for name, some in taken.items()}


def _crops(lfw: LabeledFaces, cache: Path, job: Job) -> tuple[np.ndarray, np.ndarray]:
    """Aligned main faces, and of each picture whether there is one."""

    def make() -> dict[str, np.ndarray]:
        pictures = (read_image(path) for path in lfw.paths)
        crops, found = aligned(pictures, default_detector(), job.say)
        return {"crops": crops, "found": found}

    made = kept(cache, "lfw", (listing(lfw.paths),), make)
    return made["crops"], made["found"]


def _scores(
    lfw: LabeledFaces, found: np.ndarray, vectors: Float32[np.ndarray, "m d"]
) -> Float32[np.ndarray, " p"]:
    """Cosine of each pair; -1, a plain no, where a picture's face was not found."""
    every = np.zeros((len(found), vectors.shape[1]), np.float32)
    every[found] = vectors
    scores = np.einsum("pd,pd->p", every[lfw.pairs[:, 0]], every[lfw.pairs[:, 1]])
    return np.where(found[lfw.pairs].all(axis=1), scores, np.float32(-1))


def _statistic(metric: str, scores: np.ndarray, lfw: LabeledFaces, rows: np.ndarray) -> float:
    if metric == METRICS[0]:
        return fold_accuracy(scores[rows], lfw.same[rows], lfw.fold[rows]).mean
    return true_accept_rate(scores[rows], lfw.same[rows], 1e-3)


def _figure(
    runs: Sequence[np.ndarray], metric: str, lfw: LabeledFaces, less: Sequence[np.ndarray] = ()
) -> tuple[float, float, float]:
    """Mean over seeds, less that of another arm where there is one, with its interval."""

    def statistic(rows: np.ndarray) -> float:
        ours, theirs = (
            np.mean([_statistic(metric, run, lfw, rows) for run in some]) if some else 0.0
            for some in (runs, less)
        )
        return float(ours - theirs)

    people = lfw.people[lfw.pairs]
    low, high = bootstrap_pairs(statistic, people, rounds=ROUNDS).pair
    return statistic(np.arange(len(lfw.pairs))), low, high


def _costs(
    job: Job,
    networks: Mapping[str, Sequence[Embedding]],
    taken: Mapping[str, float],
    ours: str,
    teacher: str,
) -> list[Result]:
    """Time and bytes, beside the teacher's."""
    sizes = {name: networks[name][0].path.stat().st_size for name in (ours, teacher)}
    return [
        Result(
            method=job.recipe.slug,
            protocol=f"train {job.recipe.slug}",
            data="one crop, one thread",
            data_hash="",
            metric=metric,
            ours=found[ours],
            baseline=teacher,
            baseline_value=found[teacher],
            higher_is_better=False,
            note=note,
        )
        for metric, found, note in (
            ("ms a face", taken, "SFace written anew, with rectifiers in place of its slow PReLU."),
            ("bytes", sizes, ""),
        )
    ]


def _percent(figure: tuple[float, float, float]) -> str:
    value, low, high = (100 * each for each in figure)
    return f"{value:.2f} ({low:.2f} to {high:.2f})"
