"""The first pipeline: pictures in, described faces out.

What is wanted of a face is named by field. Each field comes from one step, which may need other
fields first; the steps are put in order, and checked, before anything runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lineament.core.cards import Card, Weight, method, methods
from lineament.core.crops import ARCFACE_112, Crops
from lineament.core.errors import NoFace
from lineament.core.faces import Face, Faces
from lineament.core.image import Image
from lineament.core.plan import plan
from lineament.core.protocols import Describer, Detector, Embedder
from lineament.see.batch import align_all, split
from lineament.see.quality import quality

DETECTED = ("boxes", "scores", "keypoints")
"""What a detector gives. These fields are always there."""
DEFAULTS = (
    "face-landmarker",
    "pnp-pose",
    "iris-gaze",
    "openness",
    "selfie-multiclass",
    "age-v1",
    "gender-v1",
    "facex",
    "lnet-anet",
    "cephalometric",
    "recognizability",
)
"""Describers that are taken where a field has several and none was asked for by name."""


@dataclass(frozen=True, eq=False)
class _Step:
    """A describer, or a part of this pipeline, under the fields that it needs and gives."""

    needs: tuple[str, ...]
    gives: tuple[str, ...]
    run: Callable[[Sequence[Image], Sequence[Faces]], Sequence[Mapping[str, Any]]]
    seconds: Callable[[], float] = lambda: 0.0


class Analyzer:
    """Finds the faces of pictures and describes them, in batches.

    Args:
        detector: finds faces with their five points.
        embedder: computes the field ``embeddings``.
        describers: compute the other fields; a field comes from the first that gives it.
        want: fields to compute beside boxes, scores and keypoints. What they need is computed as
            well, and not kept.

    Raises:
        BadInput: nothing here computes a field that is wanted.

    Example:
        >>> analyzer = Analyzer.of(want={"landmarks", "pose", "quality"})
        >>> faces = analyzer([read_image("party.jpg")])[0]
        >>> faces.boxes, faces.landmarks.points, np.degrees(faces.pose)
    """

    def __init__(
        self,
        detector: Detector,
        embedder: Embedder | None = None,
        describers: Sequence[Describer] = (),
        *,
        want: Iterable[str] = ("embeddings", "quality"),
    ) -> None:
        self.detector = detector
        self.embedder = embedder
        self.want = frozenset(want)
        steps = [_step(describer) for describer in describers]
        self._steps = plan(self.want, DETECTED, [*steps, *_own_steps(embedder)])

    @classmethod
    def of(
        cls,
        detector: str = "yunet",
        embedder: str | None = "sface",
        *,
        want: Iterable[str] | None = None,
        using: Sequence[str] = (),
        upright: bool = True,
        small_faces: bool = False,
        flip: bool = False,
        threads: int | None = None,
    ) -> Analyzer:
        """An analyzer of methods by name. Only the networks that are needed are opened.

        Args:
            detector: slug of a method that detects.
            embedder: slug of a method that embeds, or a file that `lineament train` wrote
                (``.onnx``); None where no embeddings are wanted.
            want: fields to compute; None means quality, and embeddings where there is an embedder.
            using: slugs of describers to prefer to the default ones, or files that
                `lineament train` wrote (``.onnx``).
            upright: look at the other three quarter turns of a picture where nobody was found.
            small_faces: look a second time, closer, for small faces.
            flip: embed mirrored crops too.
            threads: of each network; None lets ONNX Runtime choose.

        Raises:
            UnknownMethod: there is no such method.
            BadInput: nothing computes a field that is wanted.
            WeightError: a weight cannot be had.
        """
        from lineament.see.upright import Search

        wanted = set(want if want is not None else ("quality", *(["embeddings"] * bool(embedder))))
        ours = _opened(using, threads)
        cards = [*ours, *_cards(using)]
        found = plan(wanted, DETECTED, [*cards, *_own_steps(embedder)])
        chosen = [step for step, _ in found]
        finder = method(detector, "detect").load()(threads=threads)
        if upright or small_faces:
            finder = Search(finder, upright=upright, small_faces=small_faces)
        network = None
        if embedder and any("embeddings" in step.gives for step in chosen):
            network = _embedder(embedder, flip, threads)
        describers = [
            ours.get(card) or method(card.slug).load()(threads=threads)
            for card in chosen
            if isinstance(card, Card)
        ]
        return cls(finder, network, describers, want=wanted)

    @staticmethod
    def weights_of(want: Iterable[str], using: Iterable[str] = ()) -> list[Weight]:
        """The weights of the describers that `Analyzer.of` takes for these fields.

        Raises:
            BadInput: nothing computes a field.
        """
        found = plan(set(want), DETECTED, [*_cards(using), *_own_steps("any")])
        return [weight for card, _ in found if isinstance(card, Card) for weight in card.weights]

    @property
    def seconds(self) -> float:
        """Time spent inside the networks so far; all else is our own overhead."""
        return self.detector.seconds + sum(step.seconds() for step, _ in self._steps)

    def __call__(self, images: Sequence[Image]) -> list[Faces]:
        """The faces of each picture, in that picture's pixels."""
        return self.describe(images, self.detector(images)) if images else []

    def describe(self, images: Sequence[Image], found: Sequence[Faces]) -> list[Faces]:
        """Faces that were found already, with all that is wanted of them.

        Args:
            images: at least one.
            found: in each of them; what a detector gives.
        """
        for step, taken in self._steps:
            described = step.run(images, found)
            found = [
                faces.with_fields(**{name: fields[name] for name in taken})
                for faces, fields in zip(found, described, strict=True)
            ]
        return [faces.only((*DETECTED, *self.want)) for faces in found]


def _cards(using: Iterable[str]) -> list[Card]:
    """The cards of all describers, those to prefer first."""
    cards = {slug: m.card for slug, m in methods().items() if m.card.verb == "describe"}
    slugs = [each for each in using if not _is_file(each)]
    first = [method(slug, "describe").card.slug for slug in slugs]
    return [cards[slug] for slug in dict.fromkeys((*first, *DEFAULTS, *cards))]


def _is_file(name: str) -> bool:
    return name.endswith(".onnx")


def _opened(using: Iterable[str], threads: int | None) -> dict[Card, Describer]:
    """Networks of files, by what they need and give."""
    files = [Path(name) for name in using if _is_file(name)]
    if not files:
        return {}
    from lineament.see.trained import open_trained

    opened = [open_trained(file, threads=threads) for file in files]
    return {describer.card: describer for describer in opened}


def _embedder(name: str, flip: bool, threads: int | None) -> Embedder:
    if not _is_file(name):
        return method(name, "embed").load()(flip=flip, threads=threads)
    from lineament.know.embed.trained import TrainedEmbedder

    return TrainedEmbedder(Path(name), flip=flip, threads=threads)


def _step(describer: Describer) -> _Step:
    card = describer.card
    return _Step(card.needs, card.gives, describer, lambda: describer.seconds)


def _own_steps(embedder: Embedder | str | None) -> list[_Step]:
    """What the pipeline itself can do: align, judge the quality, embed. An embedder that is only
    named is good for planning."""
    steps = [
        _Step(("keypoints",), ("crops",), _crops),
        _Step(("keypoints", "crops"), ("quality",), _quality),
    ]
    if isinstance(embedder, str):
        steps.append(_Step(("crops",), ("embeddings",), _crops))
    elif embedder is not None:
        seconds = lambda: embedder.seconds  # noqa: E731
        steps.append(_Step(("crops",), ("embeddings",), _embed(embedder), seconds))
    return steps


def _crops(images: Sequence[Image], found: Sequence[Faces]) -> list[dict[str, Any]]:
    """Faces aligned as most networks want them; several steps use the same."""
    crops = align_all(images, found, ARCFACE_112)
    return [{"crops": part} for part in split(crops, found)]


def _quality(images: Sequence[Image], found: Sequence[Faces]) -> list[dict[str, Any]]:
    return [{"quality": quality(faces.crops, faces.keypoints)} for faces in found]


def _embed(embedder: Embedder) -> Callable[..., list[dict[str, Any]]]:
    def embed(images: Sequence[Image], found: Sequence[Faces]) -> list[dict[str, Any]]:
        if embedder.template == ARCFACE_112:
            crops = Crops.join([faces.crops for faces in found])
        else:
            crops = align_all(images, found, embedder.template)
        return [{"embeddings": part} for part in split(embedder(crops), found)]

    return embed


def main_face(faces: Faces, source: str | None = None) -> Face:
    """The face that a portrait is of: the largest.

    Raises:
        NoFace: there is none.
    """
    if not len(faces):
        raise NoFace("no face found", source)
    sides = faces.boxes[:, 2:] - faces.boxes[:, :2]
    return faces[int(np.argmax(sides.prod(axis=1)))]
