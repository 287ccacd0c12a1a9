"""How much the number of generated faces matters: lineament-s made from fewer of them.

Everything else is as in `lineament_s`, its steps too: where there are fewer faces, each is seen
more often. A run with all faces that lies in the folder already is taken up, not made again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
from jaxtyping import Int64

from lineament.core.cards import weights
from lineament.core.errors import BadInput
from lineament.core.weights import fetch
from lineament.learn.embedders import judge
from lineament.learn.embedders.lineament_s import TEACHER, Network, agreements, make, teach
from lineament.learn.embedders.sface_torch import read_sface
from lineament.learn.recipes import Comparison, Job, Recipe
from lineament.learn.settings import DISTILLING, DISTILLING_ON_GPU
from lineament.measure.evidence import Result

RECIPE = Recipe(
    slug="lineament-s-data",
    title="lineament-s from fewer generated faces",
    entry="run",
    baseline="fewer faces, and SFace",
    settings=DISTILLING,
    gpu=DISTILLING_ON_GPU,
    seeds=1,
    sets=("lfw",),
    of=("lineament-s",),
)

SHARES = (1 / 16, 1 / 4, 1.0)
"""Of the faces, rising."""
SEEN = ("as they are", "made worse")


def run(job: Job) -> Comparison:
    """Make it once from each share of the faces, with each seed.

    Raises:
        BadInput: no folder of faces is named, or LFW is not there.
    """
    if job.data is None:
        raise BadInput("an embedder is measured on lfw: name the folder of test sets (--data)")
    teacher = read_sface(fetch(weights()[TEACHER]))
    sface, faces = teach(job)
    learn, choose = faces.split()
    taught: dict[str, list[Network]] = {"SFace": [sface]}
    solved: dict[str, list[Network]] = {}
    for share in SHARES:
        count = round(share * len(learn))
        for seed in job.seeds:
            job.say(f"{count} faces, seed {seed}")
            folder = job.out / f"faces-{count}" / f"seed-{seed}"
            made = make(teacher, learn[part(len(learn), count, seed)], choose, seed, folder, job)
            taught.setdefault(f"{count} faces", []).append(made.taught)
            solved.setdefault(f"{count} faces", []).append(made.narrow)
    held_out = agreements(taught, choose)
    done = judge.compare(job, taught, held_out, len(learn), job.out / "made")
    curve = _agreed(held_out, agreements(solved, choose), faces.hash, job)
    return replace(done, results=[*done.results, *curve])


def part(count: int, wanted: int, seed: int) -> Int64[np.ndarray, " wanted"]:
    """Rows of a part of the faces, rising; with the same seed, a smaller part lies in a larger."""
    return np.sort(np.random.default_rng(seed).permutation(count)[:wanted])


def _agreed(
    taught: Mapping[str, tuple[float, float]],
    solved: Mapping[str, tuple[float, float]],
    digest: str,
    job: Job,
) -> Iterator[Result]:
    """The curve on held-out faces as evidence."""
    *_, every = solved
    for name in solved:
        for seen, ours, alone, most in zip(
            SEEN, taught[name], solved[name], taught[every], strict=True
        ):
            yield Result(
                method=job.recipe.slug,
                protocol=f"train {job.recipe.slug}",
                data=f"held-out generated faces; learnt from {name}",
                data_hash=digest,
                metric=f"mean cosine with SFace's embeddings, {seen}",
                ours=ours,
                baseline=None if name == every else every,
                baseline_value=None if name == every else most,
                seed=job.seeds[0],
                note=f"{job.settings.steps} steps; the closed form alone: {alone:.4f}.",
            )
