"""What recipes of age share: the loop, the answers, degraded copies, the comparison.

Figures are of the test rows of `aged_faces.split`: the mean absolute error in years, by band of age
and by group too, and the share of faces whose label of sex is right. Intervals are drawn over
pictures, since nobody says who is on them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32, Float64, UInt8
from torch import Tensor, nn

from lineament.core.crops import Template
from lineament.core.sessions import Session
from lineament.core.trained import Trained
from lineament.learn.attributes.aged_faces import BANDS, LABELLER, AgedFaces, Answers, Material
from lineament.learn.engine import seeded, train
from lineament.learn.export import export
from lineament.learn.landmarks.augment import Amounts, see, still
from lineament.learn.recipes import Comparison, Job
from lineament.learn.settings import Settings
from lineament.measure.attributes import age_error
from lineament.measure.degrade.suites import suite
from lineament.measure.evidence import Result
from lineament.measure.interval import bootstrap
from lineament.measure.sets.utkface import GROUPS

AgeLoss = Callable[[nn.Module, Tensor, Tensor, Tensor, np.random.Generator], Tensor]
"""Of a network, the squares that it sees, their ages and labels of sex; and what is random."""
Change = Callable[[Tensor], Tensor]
"""Of squares before a network sees them."""
WILD = (
    *(("sunglasses", 9), ("mask", 30), ("hand", 20)),
    *(("resolution", 28), ("gamma", 3), ("rotation of the crop", 20)),
)
"""What happens to the test faces by turns where they are degraded: a suite and its level."""
CHANGES = Amounts(light=0.15, grey=0.05, blurred=0.1, noise=3, covered=0.05)
"""How much squares to learn from are changed: little, since runs are short."""
TOLERANCE = 5e-3
"""Between a network and its file: they answer in years, and a year is not held to four places."""
_BATCH = 64


@dataclass(frozen=True, eq=False)
class Condition:
    """Test faces under which arms are compared.

    Attributes:
        name: in words.
        arms: answers by arm, one a seed; the first arm is the method.
        rivals: whether other methods saw the same faces.
    """

    name: str
    arms: Mapping[str, Sequence[Answers]]
    rivals: bool = True


def fit(
    make: Callable[[], nn.Module],
    loss: AgeLoss,
    material: Material,
    settings: Settings,
    folder: Path,
    size: int,
    *,
    amounts: Amounts = CHANGES,
    change: Change = lambda seen: seen,
    say: Callable[[str], None] = lambda line: None,
) -> nn.Module:
    """Train a network on squares that differ at every step.

    A step takes its rows from UTKFace's training rows, and as many of CelebA's at random.

    Args:
        make: the network, with random weights.
        loss: of what it makes of some squares.
        material: faces.
        settings: of the run.
        folder: of the run.
        size: of the squares, pixels.
        amounts: of change.
        change: of the squares that are measured on the way.
        say: shows a line of progress.
    """
    ours, theirs = material.train, material.more

    def of_rows(model: nn.Module, rows: np.ndarray, rng: np.random.Generator) -> Tensor:
        drawn = rng.choice(len(theirs), len(rows))
        pixels = np.concatenate([ours.pixels[rows], theirs.pixels[drawn]])
        seen, _ = see(pixels, nowhere(len(pixels)), size, rng, amounts)
        ages = np.concatenate([ours.ages[rows], theirs.ages[drawn]])
        sexes = np.concatenate([ours.sexes[rows], theirs.sexes[drawn]])
        seen = seen.to(settings.device, memory_format=torch.channels_last)
        years, labels = (torch.from_numpy(e).to(settings.device) for e in (ages, sexes))
        return loss(model, seen, years, labels, rng)

    def measure(model: nn.Module) -> dict[str, float]:
        return {"MAE": age_error(answers(model, material.choose.pixels, size, change).ages,
                                 material.choose.ages)}  # fmt: skip

    with seeded(settings.seed):
        model = make()
    return train(
        model,
        of_rows,
        len(ours),
        settings,
        folder,
        data=material.hash,
        measure=measure,
        say=say,
    )


def nowhere(count: int) -> Float32[np.ndarray, "n 0 2"]:
    """No points, of faces that are moved without any."""
    return np.zeros((count, 0, 2), np.float32)


@torch.no_grad()
def answers(
    model: nn.Module,
    pixels: UInt8[np.ndarray, "n b b 3"],
    size: int,
    change: Change = lambda seen: seen,
) -> Answers:
    """What a network says of wide crops: ages, and labels of sex where it gives them."""
    model.eval()
    device = next(model.parameters()).device
    ages, male = [], []
    for start in range(0, len(pixels), _BATCH):
        said = model(change(still(pixels[start : start + _BATCH], size)).to(device))
        age, *sex = (said,) if isinstance(said, Tensor) else said
        ages.append(age.cpu().double().numpy())
        male += [each[:, 1].cpu().numpy() > 0.5 for each in sex]
    return Answers(np.concatenate(ages), np.concatenate(male) if male else None)


def degraded(
    pixels: UInt8[np.ndarray, "n b b 3"], cut: Template, seed: int = 0
) -> UInt8[np.ndarray, "n b b 3"]:
    """Wide crops, each with one of `WILD` done to it, by turns.

    Args:
        pixels: of crops.
        cut: their template, which says where the points are.
        seed: of what is random.
    """
    worse = pixels.copy()
    points = np.repeat(np.asarray([cut.points], np.float32), len(pixels), axis=0)
    for turn, (name, level) in enumerate(WILD):
        rows = np.arange(turn, len(pixels), len(WILD))
        if len(rows):
            worse[rows] = suite(name)(pixels[rows], points[rows], level, seed)
    return worse


def ship(model: nn.Module, example: Tensor, path: Path, about: Trained) -> float:
    """Write a network as ONNX (see `export`); milliseconds that it takes for one face on one
    thread, the median of 20."""
    export(model, example, path, about=about, tolerance=TOLERANCE)
    session, one = Session(path, threads=1), example[:1].numpy()
    taken = []
    for _ in range(20):
        start = time.perf_counter()
        session.run(one)
        taken.append(1000 * (time.perf_counter() - start))
    return float(np.median(taken))


def note_of(path: Path, milliseconds: float) -> str:
    """Of an arm: what its file costs."""
    return f"{milliseconds:.2f} ms a face (network, one thread), {path.stat().st_size:,} bytes"


def compare(
    job: Job, material: Material, conditions: Sequence[Condition], notes: Mapping[str, str]
) -> Comparison:
    """The method beside what it is held against, under each condition.

    Args:
        job: the job.
        material: faces.
        conditions: the first is that of faces as they are.
        notes: of some arms: a cell of the table.
    """
    rows, results = [], []
    for condition in conditions:
        every = {name: list(runs) for name, runs in condition.arms.items()}
        if condition.rivals:
            every["median age, commonest label"] = [blind(material)]
            every |= {name: [said] for name, said in material.rivals.items()}
        method = next(iter(every))
        for name, runs in every.items():
            rows.append(_row(material.test, condition, name, runs, every[method], notes))
            if name != method:
                results += _results(job, material, condition, name, runs, every[method])
    title = (
        f"{job.recipe.slug}: {job.recipe.title}. {len(material.test)} test faces of UTKFace; "
        f"learnt from {len(material.train)} others and {len(material.more)} of CelebA whose ages "
        f"{LABELLER} said; {material.dropped} too like a test face left out; {material.placed} of "
        f"UTKFace not found and cut at the usual place. {len(job.seeds)} seeds of "
        f"{job.settings.steps} steps"
    )
    first = next(iter(conditions[0].arms))
    headings = (
        *("arm", "faces", "MAE#", "over seeds", f"{first} less this", "sex %#"),
        *(f"MAE {' / '.join(names)}" for names in (BANDS, GROUPS)),
        "note",
    )
    return Comparison(title, headings, rows, results)


def blind(material: Material) -> Answers:
    """The median age and the commonest label of the training rows, whoever it is."""
    count, train = len(material.test), material.train
    male = bool(np.bincount(train.sexes, minlength=2).argmax())
    return Answers(np.full(count, float(np.median(train.ages))), np.full(count, male))


def _errors(runs: Sequence[Answers], faces: AgedFaces) -> Float64[np.ndarray, "s n"]:
    return np.abs(np.stack([run.ages for run in runs]) - faces.ages)


def _hits(runs: Sequence[Answers], faces: AgedFaces) -> Float64[np.ndarray, "s n"] | None:
    said = [run.male for run in runs if run.male is not None]
    return (np.stack(said) == (faces.sexes == 1)).astype(np.float64) if said else None


def _row(
    faces: AgedFaces,
    condition: Condition,
    name: str,
    runs: Sequence[Answers],
    method: Sequence[Answers],
    notes: Mapping[str, str],
) -> tuple[str, ...]:
    errors, hits = _errors(runs, faces), _hits(runs, faces)
    single = errors.mean(axis=1)
    spread = f"{single.min():.2f} to {single.max():.2f}" if len(single) > 1 else ""
    parts = {n: f"{errors[:, rows].mean():.1f}" for n, rows in faces.parts().items()}
    ours = _errors(method, faces).mean(axis=0)
    return (
        name,
        condition.name,
        f"{errors.mean():.2f}",
        spread,
        "" if runs is method else _gap(ours - errors.mean(axis=0)),
        f"{100 * hits.mean():.1f}" if hits is not None else "",
        *(" / ".join(parts.get(n, "-") for n in names) for names in (BANDS, GROUPS)),
        notes.get(name, "") if condition.rivals else "",
    )


def _gap(differences: Float64[np.ndarray, " n"], scale: float = 1) -> str:
    low, high = _interval(differences)
    return f"{scale * differences.mean():+.2f} ({scale * low:+.2f} to {scale * high:+.2f})"


def _interval(values: Float64[np.ndarray, " n"]) -> tuple[float, float]:
    """Of a mean over pictures."""
    return bootstrap(lambda rows: float(values[rows].mean()), np.arange(len(values))).pair


def _results(
    job: Job,
    material: Material,
    condition: Condition,
    baseline: str,
    theirs: Sequence[Answers],
    ours: Sequence[Answers],
) -> list[Result]:
    """The age error beside a baseline; the labels of sex too, where both say them."""
    faces = material.test
    pairs = [("age MAE, years", _errors(ours, faces), _errors(theirs, faces), False)]
    mine, other = _hits(ours, faces), _hits(theirs, faces)
    if mine is not None and other is not None:
        pairs.append(("sex accuracy", mine, other, True))
    return [
        Result(
            method=job.recipe.slug,
            protocol=f"train {job.recipe.slug}",
            data=f"UTKFace, {len(faces)} test faces, {condition.name}; learnt from "
            f"{len(material.train)} others and {len(material.more)} of CelebA",
            data_hash=material.hash,
            metric=f"{metric}, beside {baseline}",
            ours=float(a.mean()),
            interval=_interval(a.mean(axis=0)),
            baseline=baseline,
            baseline_value=float(b.mean()),
            higher_is_better=better,
            seed=job.seeds[0],
            note=_note(job, faces, a, b, better),
        )
        for metric, a, b, better in pairs
    ]


def _note(
    job: Job,
    faces: AgedFaces,
    ours: Float64[np.ndarray, "s n"],
    theirs: Float64[np.ndarray, "t n"],
    better: bool,
) -> str:
    scale, digits = (100, 1) if better else (1, 2)
    gap = ours.mean(axis=0) - theirs.mean(axis=0)
    low, high = _interval(gap)
    verdict = "no difference that the interval shows"
    if low > 0 or high < 0:
        verdict = "better" if (low > 0) == better else "worse"
    parts = faces.parts()
    by = ", ".join(f"{n} {scale * ours[:, rows].mean():.1f}" for n, rows in parts.items())
    return (
        f"Seeds {', '.join(map(str, job.seeds))}: "
        f"{', '.join(f'{scale * each:.{digits}f}' for each in ours.mean(axis=1))}; "
        f"{job.settings.steps} steps each. Less the baseline: {_gap(gap, scale)}: {verdict}. "
        f"By band and group: {by}."
    )
