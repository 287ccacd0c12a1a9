"""MOS's training: the paper's ideas one by one, on the same small budget; and the same recipe run
for longer, which is held against other methods.

What the method is stands on the card of `see.detect.mos`.

Source: arXiv:2110.10953; see `network`, `losses` and `feedback` for the equations.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lineament.learn.detection.fitting import Idea, fit
from lineament.learn.detection.material import Material, gather
from lineament.learn.detection.report import compare
from lineament.learn.detection.trial import Run, measure, others, ship
from lineament.learn.recipes import Comparison, Job, Recipe
from lineament.learn.settings import Settings

RECIPE = Recipe(
    slug="mos",
    title="detection, five points and pose in one pass",
    entry="run",
    baseline="without uncertainty, without feedback, detection only; YuNet and the chain of three",
    settings=Settings(
        steps=300,
        batch=8,
        rate=0.003,
        warm_up=20,
        weight_decay=0.0001,
        average=0.99,
        clip=5.0,
        save_every=100,
    ),
    sets=("facemask853", "ucla68", "aflw2000_16"),
    of=("mos",),
)

IDEAS: Mapping[str, Idea] = {
    "MOS": Idea(),
    "equal weights": Idea(uncertainty=False),
    "no feedback": Idea(feedback=False),
    "detection only": Idea(tasks=("class", "box")),
}
LONGER = 5
"""One network learns for so many times the steps."""
LONGEST = "MOS, longer"


@dataclass(frozen=True, eq=False)
class _Trainer:
    """Trains what is asked for, exports it and measures it."""

    job: Job
    material: Material

    def __call__(self, name: str, idea: Idea, settings: Settings) -> Run:
        folder = self.job.out / f"{name.replace(' ', '-').replace(',', '').lower()}-{settings.seed}"
        self.job.say(f"{name}, seed {settings.seed}")
        m = self.material
        learner = fit(m.train, m.portraits, m.choose, idea, settings, folder, m.key, self.job.say)
        path = ship(learner, folder / "mos.onnx")
        weights = {
            task: f"{value:.2f}"
            for task, value in zip(
                idea.tasks, learner.uncertainty.log_variances.tolist(), strict=True
            )
        }
        said = [f"{100 * learner.feedback.stitched:.0f} % of steps stitched"] * idea.feedback
        said += [f"log s^2 {weights}"] * idea.uncertainty
        return Run(path, measure(path, m, posed="pose" in idea.tasks), "; ".join(said))


def run(job: Job) -> Comparison:
    """Train one detector for longer, then every idea once a seed; measure all of them, and
    what there is besides, on the same scenes and faces."""
    material = gather(job)
    trained = _Trainer(job, material)
    longer = replace(job.settings, steps=LONGER * job.settings.steps, seed=job.seeds[0])
    runs: dict[str, list[Run]] = {LONGEST: [trained(LONGEST, Idea(), longer)]}
    for seed in job.seeds:
        for name, idea in IDEAS.items():
            once = trained(name, idea, replace(job.settings, seed=seed))
            runs.setdefault(name, []).append(once)
    longest = runs[LONGEST][0]
    beside = others(longest.path, material)
    files = _files(runs)
    done = compare(job, material, runs, beside, LONGEST)
    return replace(done, files=files)


def _files(runs: Mapping[str, Sequence[Run]]) -> list[Path]:
    return [run.path for several in runs.values() for run in several]
