"""RTNet: parsing in tanh-polar space, trained here. The card and what runs the trained file are in
`see.parse.roi_tanh_polar`.

Measured on whole pictures of FASSEG: the network's scores are brought back from its view. Turned
pictures are the same ones, turned about their middle with all that is in them, and with the box's
middle; a detector's own failing on turned faces is no part of the figure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from torch import nn

from lineament.core.trained import Output, Trained
from lineament.core.trained import View as Seen
from lineament.learn.parsing.augment import Amounts, moved
from lineament.learn.parsing.classes import NAMES, SIX
from lineament.learn.parsing.faces import ParsedFaces
from lineament.learn.parsing.material import LABELLER, VERSIONS, Material, gather
from lineament.learn.parsing.rtnet_network import HYBRID, PLAIN, Kind, RTNet
from lineament.learn.parsing.trial import (
    Figure,
    Tables,
    commonest,
    confusions,
    fit,
    in_picture,
    pixel_grid,
    results,
    seeds_of,
    ship,
)
from lineament.learn.parsing.views import (
    Frames,
    Square,
    TanhPolar,
    View,
    by_box,
    eye_line,
    look,
    look_up,
)
from lineament.learn.recipes import Comparison, Job, Recipe
from lineament.learn.settings import Settings
from lineament.measure.evidence import Result
from lineament.measure.parsing import Confusion

RECIPE = Recipe(
    slug="roi-tanh-polar",
    title="a parser in tanh-polar space, of hybrid blocks",
    entry="run",
    baseline="the same network of plain blocks in tanh-polar space, and on a square crop",
    settings=Settings(
        steps=250,
        batch=16,
        rate=0.006,
        warm_up=20,
        weight_decay=0.0001,
        average=0.98,
        clip=1.0,
        save_every=100,
        measure_every=125,
    ),
    sets=("celeba5k", "fasseg"),
    of=("roi-tanh-polar",),
)

SIZE = 64
"""Side of every view, pixels."""
WIDER = 2.0
"""Of the square crop, in the box's side: hair is in it."""
TURNS = (0, 45, 90, 180)
"""Degrees, clockwise, that pictures of the test are turned by."""
JITTER = Amounts(turn=0.0, zoom=0.2, shift=0.1, mirrored=0.0)
"""How inexact the boxes of the test are made."""
ABOUT = Trained(
    method="roi-tanh-polar",
    view=Seen(kind="method", size=SIZE, std=(1 / 255, 1 / 255, 1 / 255)),
    outputs=(Output(name="parsing", field="parsing", names=NAMES),),
)


@dataclass(frozen=True, eq=False)
class Arm:
    """A network and what it sees.

    Attributes:
        view: of it.
        kind: of the network.
    """

    view: View
    kind: Kind


ARMS = {
    "hybrid blocks": Arm(TanhPolar(SIZE), HYBRID),
    "plain blocks": Arm(TanhPolar(SIZE), PLAIN),
    "square crop": Arm(Square(SIZE, WIDER), PLAIN),
}
LEVEL = "square crop, level by the eyes"
"""The crop's network again, told how the face lies."""


@dataclass(frozen=True, eq=False)
class Trial:
    """Pictures of the test in one condition.

    Attributes:
        pixels: of them.
        labels: six classes.
        frames: by their boxes, which do not know how a face lies.
        level: the same, turned with the line of the eyes.
    """

    pixels: UInt8[np.ndarray, "n b b 3"]
    labels: UInt8[np.ndarray, "n b b"]
    frames: Frames
    level: Frames


def framing(faces: ParsedFaces) -> Frames:
    """By the box."""
    return by_box(faces.boxes)


def turned(faces: ParsedFaces, degrees: float) -> Trial:
    """Pictures turned clockwise about the middle of their canvas, on one that holds all of them;
    quarter turns are exact."""
    turn = np.radians(degrees)
    canvas = faces.pixels.shape[1]
    side = canvas if degrees % 90 == 0 else int(np.ceil(canvas * np.sqrt(2)))
    old, new = (canvas - 1) / 2 * (1 + 1j), (side - 1) / 2 * (1 + 1j)
    places = (pixel_grid(side) - new) * np.exp(-1j * turn) + old
    places = np.broadcast_to(places, (len(faces), side, side))
    boxes = framing(faces)
    eyes = boxes.moved(turn=eye_line(faces.points))
    return Trial(
        look(faces.pixels, places).round().byte().permute(0, 2, 3, 1).numpy(),
        look_up(faces.labels, places),
        boxes.carried(turn, old, new).upright(),
        eyes.carried(turn, old, new),
    )


def jittered(faces: ParsedFaces) -> Trial:
    """Upright pictures with boxes shifted and scaled at random, always in the same way."""
    still, rng = turned(faces, 0), np.random.default_rng(0)
    frames = moved(still.frames, rng, JITTER)
    level = Frames(
        frames.middle, frames.unit * np.exp(1j * eye_line(faces.points)), frames.mirrored
    )
    return Trial(still.pixels, still.labels, frames, level)


def trials(faces: ParsedFaces) -> dict[str, Trial]:
    """The test pictures of one version in every condition."""
    found = {f"{degrees} degrees": turned(faces, degrees) for degrees in TURNS}
    return {**found, "boxes off": jittered(faces)}


def run(job: Job) -> Comparison:
    """Train every arm, once a seed, and measure all of them in all conditions."""
    material = gather(job)
    tests = {
        (version, condition): trial
        for version in VERSIONS
        for condition, trial in trials(material.annotated[version]).items()
    }
    found: dict[tuple[str, str], dict[str, list[Tables]]] = {
        where: {name: [] for name in (*ARMS, LEVEL)} for where in tests
    }
    notes, files = {}, []
    for seed, settings in seeds_of(job):
        for name, arm in ARMS.items():
            job.say(f"{name}, seed {seed}")
            folder = job.out / f"{name.replace(' ', '-')}-{seed}"
            model = fit(
                lambda kind=arm.kind: RTNet(len(NAMES), SIZE, kind),
                arm.view, framing, material, settings, folder, say=job.say,
            )  # fmt: skip
            for where, trial in tests.items():
                found[where][name].append(_measured(model, arm.view, trial, trial.frames))
                if name == "square crop":
                    found[where][LEVEL].append(_measured(model, arm.view, trial, trial.level))
            if arm.kind is HYBRID:
                files.append(folder / "rtnet.onnx")
                notes[name] = ship(model, ABOUT, files[-1])
    for where, trial in tests.items():
        found[where] |= _outside(material, *where, trial)
    return _compare(job, material, found, notes, files)


def _measured(model: nn.Module, view: View, trial: Trial, frames: Frames) -> Tables:
    return confusions(in_picture(model, view, frames, trial.pixels), trial.labels, SIX)


def _outside(
    material: Material, version: str, condition: str, trial: Trial
) -> dict[str, list[Tables]]:
    """What was not trained here: the commonest class about an upright box, and, on pictures as they
    are, the labeller."""
    view = Square(SIZE, WIDER)
    place = commonest(view, framing, material.labelled["train"], len(NAMES))
    units = trial.frames.points(pixel_grid(trial.pixels.shape[1])) / WIDER + (0.5 + 0.5j)
    guess = look_up(np.broadcast_to(place, (len(units), SIZE, SIZE)), units * SIZE - (0.5 + 0.5j))
    guess = np.where(guess < len(NAMES), guess, 0).astype(np.uint8)
    found = {"commonest class at the place": [confusions(guess, trial.labels, SIX)]}
    if condition == "0 degrees":
        theirs = material.rivals[version]
        theirs = np.where(theirs < len(NAMES), theirs, 0).astype(np.uint8)
        found[LABELLER] = [confusions(theirs, trial.labels, SIX)]
    return found


def figures(material: Material) -> dict[tuple[str, str, str], Figure]:
    """What arms are compared by, by version, condition and score."""
    found = {}
    for version, named in VERSIONS.items():
        faces = material.annotated[version]
        words = f"{named}: {len(faces)} test pictures, true masks"
        conditions = [f"{degrees} degrees" for degrees in TURNS]
        for condition in (*conditions, "boxes off"):
            scores: dict[str, Callable[[Confusion], float]] = {"mean": Confusion.mean_f1}
            if condition == "0 degrees":
                scores["hair"] = lambda one: one.f1().get("hair", 0.0)
            for score, of in scores.items():
                what = "mean F1 of six classes" if score == "mean" else f"F1 of {score}"
                how = f"turned by {condition}" if condition in conditions else condition
                found[version, condition, score] = Figure(
                    f"{what}, {how}", words, faces.hash, faces.people, SIX, of
                )
    return found


def _compare(
    job: Job,
    material: Material,
    found: Mapping[tuple[str, str], Mapping[str, list[Tables]]],
    notes: Mapping[str, str],
    files: list[Path],
) -> Comparison:
    rows = {name: [name] for arms in found.values() for name in arms}
    evidence: list[Result] = []
    words, headings = [], []
    for (version, condition, score), figure in figures(material).items():
        arms = found[version, condition]
        more, said = results(job, figure, arms)
        evidence += more
        headings.append(f"{version} {condition}{'' if score == 'mean' else f' {score}'} %#")
        words.append(f"{headings[-1][:-3]} {said}")
        for name, cells in rows.items():
            cells.append(f"{100 * figure.of(arms[name]):.1f}" if name in arms else "")
    for name, cells in rows.items():
        cells.append(notes.get(name, ""))
    title = (
        f"roi-tanh-polar: hybrid less plain blocks, F1 in points with 95 % intervals: "
        f"{'; '.join(words)}. {len(job.seeds)} seeds of {job.settings.steps} steps"
    )
    return Comparison(title, ("arm", *headings, "note"), list(rows.values()), evidence, files)
