"""Figures of dense points: errors by part of the face, beside one another, with intervals.

No two markups mean quite the same by a point: one puts the end of a brow further out, another has
the chin on the skin's edge. A method that was trained on the markup of a set is at home in it, one
whose points are converted is not. So errors come twice: as they are, and with each point's mean
offset taken off. Offsets are shares of the normaliser along and across the line of the eyes, fitted
on one half of the faces and taken off on the other, both ways, for every method alike.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Complex128, Float32, Float64

from lineament.bench.context import Outcome, Table
from lineament.bench.landmarks import FAILED, STEPS
from lineament.bench.plots import Axis, Curve
from lineament.core.landmarks import Landmarks
from lineament.core.markups import convert
from lineament.measure.evidence import Result
from lineament.measure.interval import bootstrap
from lineament.measure.points import cumulative_curve, failure_rate

GROUPS: dict[str, dict[str, range]] = {
    "68": {
        "jaw": range(17),
        "brows": range(17, 27),
        "nose": range(27, 36),
        "eyes": range(36, 48),
        "mouth": range(48, 68),
    },
    "106": {
        "jaw": range(33),
        "brows": range(33, 51),
        "nose": range(71, 86),
        "eyes": range(51, 71),
        "mouth": range(86, 106),
    },
}
"""Points of each part of the face."""
MEAN_FACE = "mean face"
RIVAL = "dlib-68"
"""The method that others are held against where it answers too."""
EVENED = ", each point's mean offset taken off"
_ENOUGH = 100
"""Faces that it takes to know the mean offset of a point."""


@dataclass(frozen=True, eq=False)
class Trial:
    """Annotated faces in one markup, and what each method has to say of them.

    Attributes:
        data: on what, in words.
        scheme: the markup.
        truth: the annotated points of the faces that were found.
        found: which of all faces these are.
        lengths: of each by the name of the normaliser; the first is the set's usual one.
        points: of each method, and of the mean face.
        notes: of a method: the markup that it was converted from, and its time.
    """

    data: str
    scheme: str
    truth: Float32[np.ndarray, "m k 2"]
    found: Bool[np.ndarray, " n"]
    lengths: Mapping[str, Float64[np.ndarray, " m"]]
    points: Mapping[str, Float64[np.ndarray, "m k 2"]]
    notes: Mapping[str, tuple[str, str]]

    @property
    def usual(self) -> str:
        """The set's usual normaliser."""
        return next(iter(self.lengths))

    @property
    def views(self) -> tuple[bool, ...]:
        """Whether offsets are taken off: no, and also yes where the faces are enough for it."""
        return (False, True) if len(self.truth) >= _ENOUGH else (False,)

    @property
    def parts(self) -> dict[str, list[int]]:
        """All points, those without the jaw, and those of each part of the face."""
        groups = GROUPS[self.scheme]
        inner = [k for name, part in groups.items() if name != "jaw" for k in part]
        everything = [*groups["jaw"], *inner]
        named = {name: list(part) for name, part in groups.items()}
        return {
            f"{len(everything)} points": everything,
            f"{len(inner)} inner points": inner,
        } | named

    def distances(self, name: str, evened: bool = False) -> Float64[np.ndarray, "m k"]:
        """How far each point of a method lies off, over the usual normaliser."""
        off = offsets(self.points[name], self.truth, self.lengths[self.usual])
        return np.abs(even_out(off) if evened else off)


def offsets(
    found: Float64[np.ndarray, "m k 2"],
    truth: Float32[np.ndarray, "m k 2"],
    length: Float64[np.ndarray, " m"],
) -> Complex128[np.ndarray, "m k"]:
    """How points lie off as shares of a length: along the line of the eyes, and i times down."""
    eyes = convert(Landmarks(truth, str(truth.shape[1])), "5").points[:, :2] @ (1, 1j)
    level = eyes[:, 1] - eyes[:, 0]
    level /= np.maximum(np.abs(level), 1e-9)
    return (found - truth) @ (1, 1j) / (level * length)[:, None]


def even_out(off: Complex128[np.ndarray, "m k"]) -> Complex128[np.ndarray, "m k"]:
    """Offsets less the mean one of each point on the half of the faces that a face is not of."""
    even = np.arange(len(off)) % 2 == 0
    left = np.empty_like(off)
    for half in (even, ~even):
        left[half] = off[half] - off[~half].mean(axis=0)
    return left


def figures(protocol: str, digest: str, trial: Trial, seed: int) -> Outcome:
    """Tables, results and the cumulative curve of a trial."""
    tables = []
    for evened in trial.views:
        tables.append(_errors(trial, evened))
        if RIVAL in trial.points:
            tables.append(_gaps(trial, evened, seed))
    results = [
        Result(
            method=name,
            protocol=protocol,
            data=trial.data,
            data_hash=digest,
            metric=metric,
            ours=float(ours.mean()),
            interval=_interval(ours, seed),
            baseline=f"{beside} on the same faces",
            baseline_value=float(theirs.mean()),
            higher_is_better=False,
            seed=seed,
            note=_note(trial, name),
        )
        for name in trial.points
        if name != MEAN_FACE
        for beside in [RIVAL if RIVAL in trial.points and name != RIVAL else MEAN_FACE]
        for (metric, ours), (_, theirs) in zip(
            _measured(trial, name), _measured(trial, beside), strict=True
        )
    ]
    return Outcome(tables, results, [_curve(trial)])


def _measured(trial: Trial, name: str) -> Iterator[tuple[str, Float64[np.ndarray, " _"]]]:
    """One number a face for each metric, whose mean is the figure."""
    everything, inner = list(trial.parts)[:2]
    usual = trial.lengths[trial.usual]
    for evened in trial.views:
        distances = trial.distances(name, evened)
        for what in (everything, inner):
            errors = distances[:, trial.parts[what]].mean(axis=1)
            for normaliser, length in trial.lengths.items():
                if normaliser == trial.usual or not evened:
                    suffix = EVENED if evened else ""
                    yield f"NME of {what} over {normaliser}{suffix}", errors * usual / length
    failed = _over_all(trial, trial.distances(name).mean(axis=1)) > FAILED
    yield f"failure rate of {everything} at {FAILED}", failed.astype(np.float64)


def _over_all(trial: Trial, errors: Float64[np.ndarray, " m"]) -> Float64[np.ndarray, " n"]:
    """Errors of all faces; infinite where one was not found."""
    everyone = np.full(len(trial.found), np.inf)
    everyone[trial.found] = errors
    return everyone


def _note(trial: Trial, name: str) -> str:
    missing = f"{int((~trial.found).sum())} of {len(trial.found)} faces not found."
    origin = trial.notes[name][0]
    return missing if origin == trial.scheme else f"Converted from {origin} points. {missing}"


def _errors(trial: Trial, evened: bool) -> Table:
    """Mean errors by part of the face, and failures."""
    rows = []
    for name in trial.points:
        distances = trial.distances(name, evened)
        shown = [f"{100 * distances[:, part].mean():.2f}" for part in trial.parts.values()]
        failures = failure_rate(_over_all(trial, distances.mean(axis=1)), FAILED)
        origin, speed = trial.notes.get(name, (trial.scheme, ""))
        rows.append((name, origin, *shown, f"{100 * failures:.1f}", speed))
    headings = ("method", "from", *(f"{part}#" for part in trial.parts))
    return Table(
        f"{trial.data}: error in % of the {trial.usual}{EVENED if evened else ''}",
        (*headings, f"failures at {FAILED} %#", "ms a face#"),
        rows,
    )


def _gaps(trial: Trial, evened: bool, seed: int) -> Table:
    """Errors less the rival's on the same faces, with intervals of the difference."""
    rival = trial.distances(RIVAL, evened)
    rows = []
    for name in trial.points:
        if name not in (RIVAL, MEAN_FACE):
            gaps = 100 * (trial.distances(name, evened) - rival)
            cells = [_gap(gaps[:, part].mean(axis=1), seed) for part in trial.parts.values()]
            rows.append((name, *cells))
    return Table(
        f"{trial.data}: error less that of {RIVAL}, in % of the {trial.usual}, below 0 is better"
        f"{EVENED if evened else ''}",
        ("method", *trial.parts),
        rows,
    )


def _gap(values: Float64[np.ndarray, " m"], seed: int) -> str:
    low, high = _interval(values, seed)
    return f"{values.mean():+.2f} ({low:+.2f} to {high:+.2f})"


def _interval(values: Float64[np.ndarray, " m"], seed: int) -> tuple[float, float]:
    """Of a mean over faces, one person each."""
    people = np.arange(len(values))
    return bootstrap(lambda rows: float(values[rows].mean()), people, seed=seed).pair


def _curve(trial: Trial) -> Curve:
    errors = {name: trial.distances(name).mean(axis=1) for name in trial.points}
    return Curve(
        f"{trial.data}: faces whose {trial.scheme} points are within an error",
        Axis(f"error over {trial.usual}"),
        Axis("share of faces"),
        {
            name: (STEPS.tolist(), cumulative_curve(_over_all(trial, row), STEPS).tolist())
            for name, row in errors.items()
        },
        note="Higher is better. A face that was not found is within no error.",
    )
