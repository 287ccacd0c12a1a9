"""Embeddings of a test set's faces by the whole chain: our detection, alignment, network."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Bool

from lineament.analyze import main_face
from lineament.core.cards import method, methods
from lineament.core.crops import ARCFACE_112, Crops, Template, align
from lineament.core.embeddings import Embeddings
from lineament.core.errors import LicenceNotAccepted
from lineament.core.landmarks import Landmarks
from lineament.core.media import read_image
from lineament.core.protocols import Embedder


@dataclass(frozen=True)
class MainFaces:
    """The main face of each picture, aligned to one template.

    Attributes:
        found: whether a face was found, one a picture.
        crops: of those where it was.
    """

    found: Bool[np.ndarray, " n"]
    crops: Crops


@cache
def main_points(paths: tuple[Path, ...]) -> tuple[Landmarks | None, ...]:
    """The five points of each picture's main face by the default detector; None where nobody is."""
    from lineament.see.upright import Search

    detector = Search(method("yunet", "detect").load()())
    found: list[Landmarks | None] = []
    for path in paths:
        faces = detector([read_image(path)])[0]
        found.append(Landmarks(main_face(faces).points[None], "5") if len(faces) else None)
    return tuple(found)


@cache
def main_faces(paths: tuple[Path, ...], template: Template = ARCFACE_112) -> MainFaces:
    """The main face of each picture, aligned."""
    points = main_points(paths)
    crops = [
        align(read_image(path), landmarks, template)
        for path, landmarks in zip(paths, points, strict=True)
        if landmarks is not None
    ]
    return MainFaces(np.asarray([p is not None for p in points]), Crops.join(crops))


@dataclass(frozen=True, eq=False)
class EmbeddedFaces:
    """Main faces embedded as they are and mirrored, in the order of ``faces.found``.

    Attributes:
        slug: of the embedder.
        plain: embeddings of the crops.
        seconds: a face, inside the network, for the plain pass.
    """

    slug: str
    faces: MainFaces
    plain: Embeddings
    seconds: float

    @cached_property
    def flip(self) -> Embeddings:
        """Plain and mirrored embeddings added; made when first asked for."""
        crops = self.faces.crops
        mirrored = replace(crops, pixels=np.ascontiguousarray(crops.pixels[:, :, ::-1]))
        other = method(self.slug, "embed").load()()(mirrored)
        return Embeddings.normalised(self.plain.vectors + other.vectors, self.plain.space)


@cache
def embedded_faces(paths: tuple[Path, ...], slug: str) -> EmbeddedFaces:
    """Embed the main face of each picture with one method."""
    embedder: Embedder = method(slug, "embed").load()()
    faces = main_faces(paths, embedder.template)
    started = time.perf_counter()
    plain = embedder(faces.crops)
    seconds = (time.perf_counter() - started) / max(1, len(faces.crops))
    return EmbeddedFaces(slug, faces, plain, seconds)


def embedders(asked: Sequence[str], say=print) -> list[str]:
    """Slugs to measure: those asked for, else all whose weights may be used here."""
    if asked:
        return [method(slug, "embed").card.slug for slug in asked]
    from lineament.core.weights import fetch

    usable = []
    for slug, found in methods().items():
        if found.card.verb != "embed":
            continue
        try:
            for weight in found.card.weights:
                fetch(weight)
            usable.append(slug)
        except LicenceNotAccepted as error:
            say(f"left out: {error}")
    return usable
