"""SegFace: a token for each class, so that classes that few faces wear are not lost in training.

Source: K. Narayan et al., "SegFace: Face Segmentation of Long-Tail Classes", AAAI 2025
(arXiv:2412.08647).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Int64
from torch import nn

from lineament.core.cards import Card
from lineament.core.trained import Output, Trained, View
from lineament.learn.parsing.classes import LONG_TAIL, NAMES, SIX
from lineament.learn.parsing.faces import ParsedFaces
from lineament.learn.parsing.material import LABELLER, VERSIONS, Material, gather
from lineament.learn.parsing.segface_network import Encoder, PixelDecoder, TokenDecoder
from lineament.learn.parsing.trial import (
    Figure,
    Score,
    Tables,
    commonest,
    confusions,
    fit,
    in_view,
    results,
    seeds_of,
    ship,
)
from lineament.learn.parsing.views import Frames, Square, by_points, look_up
from lineament.learn.recipes import Comparison, Job, Recipe
from lineament.learn.settings import Settings
from lineament.measure.evidence import Result
from lineament.measure.parsing import Confusion

CARD = Card(
    slug="segface",
    title="SegFace: Face Segmentation of Long-Tail Classes",
    paper="arXiv:2412.08647",
    verb="train",
    task="Trains a parser of 19 classes with a learnt token for each of them.",
    entry="SegFace",
    needs=("crops", "masks"),
    gives=("a parser",),
    code="github.com/Kartik-3004/SegFace",
    deviations=(
        "A residual network of 0.3 million weights that begins at random encodes 64 x 64 pixels, "
        "not a Swin or ConvNeXt that has seen ImageNet 512 x 512.",
        "Tokens of 64 channels, 4 heads and an inner layer of 128, not 256, 8 and 2048; after "
        "upscaling half of them are left, not an eighth, which is 32 in both.",
        "Trained on CelebA pictures of 109 x 89 pixels with BiSeNet's answers for masks, and on "
        "FASSEG's masks of six classes, whose scores are sums over the 19; not on CelebAMask-HQ, "
        "LaPa and Helen.",
        "A few hundred steps with a cosine, not 300 epochs with a rate in steps.",
        "The norm between the two steps of upscaling is over all places of a picture, not over the "
        "channels of each.",
    ),
    risk="It takes over the errors of the parser that labelled its pictures, on portraits of "
    "celebrities. What it calls skin says nothing about its colour or about health.",
    published=(
        ("celebamask-hq", "mean F1", 0.8896),
        ("lapa", "mean F1", 0.9303),
    ),
)

RECIPE = Recipe(
    slug="segface",
    title="a parser with a token a class",
    entry="run",
    baseline="the same encoder with residual convolutions and a linear layer a pixel, no tokens",
    settings=Settings(
        steps=500,
        batch=16,
        rate=0.002,
        warm_up=30,
        weight_decay=0.0001,
        average=0.98,
        clip=1.0,
        save_every=100,
        measure_every=250,
    ),
    sets=("celeba5k", "fasseg"),
)

SIZE = 64
"""Side of the square that the network sees, pixels."""
WIDER = 1.6
"""Than the landmarkers' square: hair and neck are in it."""
ABOUT = Trained(
    method="segface",
    view=View(kind="keypoints", size=SIZE, wider=WIDER, std=(1 / 255, 1 / 255, 1 / 255)),
    outputs=(Output(name="parsing", field="parsing", names=NAMES),),
)


class SegFace(nn.Sequential):
    """The whole network: n x 3 x s x s, RGB from 0 to 255, to n x 19 x s x s scores. `s` is a
    multiple of 32."""

    def __init__(self, decoder: Callable[[int], nn.Module] = TokenDecoder) -> None:
        super().__init__(Encoder(), decoder(len(NAMES)))


Tests = Mapping[str, tuple[ParsedFaces, tuple[str, ...], str]]
"""Faces of the test, their classes, and what they are, by a short name."""


def framing(faces: ParsedFaces) -> Frames:
    """By the five points."""
    return by_points(faces.points)


def run(job: Job) -> Comparison:
    """Train with and without tokens, once a seed, and measure both."""
    material, view = gather(job), Square(SIZE, WIDER)
    arms = {"class tokens": TokenDecoder, "no tokens": PixelDecoder}
    tests = _tests(material)
    found: dict[str, dict[str, list[Tables]]] = {
        where: {name: [] for name in arms} for where in tests
    }
    notes, files = {}, []
    for seed, settings in seeds_of(job):
        for name, decoder in arms.items():
            job.say(f"{name}, seed {seed}")
            folder = job.out / f"{name.replace(' ', '-')}-{seed}"
            model = fit(
                lambda decoder=decoder: SegFace(decoder),
                view, framing, material, settings, folder, say=job.say,
            )  # fmt: skip
            for where, (faces, classes, _) in tests.items():
                answers = in_view(model, view, framing, faces)
                found[where][name].append(confusions(*answers, classes))
            files.append(folder / "segface.onnx")
            notes[name] = ship(model, ABOUT, files[-1])
    for where, others in _outside(material, view).items():
        found[where] |= others
    return _compare(job, tests, found, notes, files)


def _tests(material: Material) -> Tests:
    """CelebA by another parser's answers, and FASSEG by its masks."""
    celeba = material.labelled["test"]
    words = f"CelebA, {len(celeba)} pictures of people who were not learnt from; the truth is what "
    tests: dict[str, tuple[ParsedFaces, tuple[str, ...], str]] = {}
    tests["CelebA"] = (celeba, NAMES, f"{words}{LABELLER} answers (agreement, not accuracy)")
    for version, named in VERSIONS.items():
        faces = material.annotated[version]
        tests[version] = (faces, SIX, f"{named}: {len(faces)} test pictures, true masks")
    return tests


def _outside(material: Material, view: Square) -> dict[str, dict[str, list[Tables]]]:
    """Tables of what was not trained here, by test."""
    celeba, true = material.labelled, material.annotated
    grid = view.grid()
    found: dict[str, dict[str, list[Tables]]] = {"CelebA": {}}
    place = commonest(view, framing, celeba["train"], len(NAMES))
    truth = look_up(celeba["test"].labels, framing(celeba["test"]).places(grid))
    guess = np.broadcast_to(place, truth.shape)
    found["CelebA"]["commonest class at the place"] = [confusions(guess, truth, NAMES)]
    for version in VERSIONS:
        places = framing(true[version]).places(grid)
        truth = look_up(true[version].labels, places)
        theirs = look_up(material.rivals[version], places)
        # Beyond the picture nothing counts.
        theirs = np.where(theirs < len(NAMES), theirs, 0).astype(np.uint8)
        guess = np.broadcast_to(place, truth.shape)
        found[version] = {
            "commonest class at the place": [confusions(guess, truth, SIX)],
            LABELLER: [confusions(theirs, truth, SIX)],
        }
    return found


def figures(tests: Tests) -> dict[str, tuple[str, Figure]]:
    """What arms are compared by: headings, with the test and the figure."""

    def figure(where: str, metric: str, score: Score) -> tuple[str, Figure]:
        faces, classes, words = tests[where]
        people: Int64[np.ndarray, " n"] = faces.people
        return where, Figure(metric, words, faces.hash, people, classes, score)

    def all_but_background(one: Confusion) -> float:
        return one.mean_f1(("background",))

    def long_tail(one: Confusion) -> float:
        return one.mean_f1([name for name in NAMES if name not in LONG_TAIL])

    return {
        "rare": figure("CelebA", f"mean F1 of {', '.join(LONG_TAIL)}", long_tail),
        "18 classes": figure(
            "CelebA", "mean F1 of 18 classes without the background", all_but_background
        ),
        **{
            name: figure("CelebA", f"F1 of {name}", lambda one, name=name: one.f1().get(name, 0.0))
            for name in LONG_TAIL
        },
        **{
            f"FASSEG {version}": figure(
                version, "mean F1 of six classes", lambda one: one.mean_f1()
            )
            for version in VERSIONS
        },
    }


def _compare(
    job: Job,
    tests: Tests,
    found: Mapping[str, Mapping[str, list[Tables]]],
    notes: Mapping[str, str],
    files: list[Path],
) -> Comparison:
    rows = {name: [name] for arms in found.values() for name in arms}
    evidence: list[Result] = []
    words: dict[str, str] = {}
    measured = figures(tests)
    for heading, (where, figure) in measured.items():
        more, words[heading] = results(job, figure, found[where])
        evidence += more
        for name, cells in rows.items():
            known = name in found[where]
            cells.append(f"{100 * figure.of(found[where][name]):.1f}" if known else "")
    for name, cells in rows.items():
        cells.append(notes.get(name, ""))
    title = (
        f"segface: class tokens less no tokens, F1 in points with 95 % intervals: rare classes "
        f"{words['rare']}; 18 classes {words['18 classes']}; FASSEG V2 {words['FASSEG V2']}, V3 "
        f"{words['FASSEG V3']}. {len(job.seeds)} seeds of {job.settings.steps} steps"
    )
    headings = ("arm", *(f"{name} %#" for name in measured), "note")
    return Comparison(title, headings, list(rows.values()), evidence, files)
