"""The first pipeline: pictures in, described faces out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate, pairwise
from typing import Literal

import numpy as np

from lineament.core.cards import method
from lineament.core.crops import ARCFACE_112, Crops, Template, align
from lineament.core.embeddings import Embeddings
from lineament.core.errors import NoFace
from lineament.core.faces import Face, Faces
from lineament.core.image import Image
from lineament.core.protocols import Detector, Embedder
from lineament.see.quality import quality

Want = Literal["embeddings", "quality"]


class Analyzer:
    """Finds the faces of pictures and describes them, in batches.

    Args:
        detector: finds faces with their five points.
        embedder: needed only where embeddings are wanted.
        want: fields to compute beside boxes, scores and landmarks.

    Raises:
        ValueError: embeddings are wanted and there is no embedder.

    Example:
        >>> analyzer = Analyzer.of(detector="yunet", embedder="sface")
        >>> faces = analyzer([read_image("party.jpg")])[0]
        >>> faces.boxes, faces.embeddings.vectors
    """

    def __init__(
        self,
        detector: Detector,
        embedder: Embedder | None = None,
        *,
        want: Iterable[Want] = ("embeddings", "quality"),
    ) -> None:
        self.detector = detector
        self.embedder = embedder
        self.want = frozenset(want)
        if "embeddings" in self.want and embedder is None:
            raise ValueError("embeddings are wanted, and no embedder was given")

    @classmethod
    def of(
        cls,
        detector: str = "yunet",
        embedder: str | None = "sface",
        *,
        want: Iterable[Want] | None = None,
        upright: bool = True,
        small_faces: bool = False,
        flip: bool = False,
        threads: int | None = None,
    ) -> Analyzer:
        """An analyzer of methods by name.

        Args:
            detector: slug of a method that detects.
            embedder: slug of a method that embeds; None where no embeddings are wanted.
            want: fields to compute; None means all that the methods allow.
            upright: look at the other three quarter turns of a picture where nobody was found.
            small_faces: look a second time, closer, for small faces.
            flip: embed mirrored crops too.
            threads: of each network; None lets ONNX Runtime choose.

        Raises:
            UnknownMethod: there is no such method.
            WeightError: its weight cannot be had.
        """
        from lineament.see.upright import Search

        finder = method(detector, "detect").load()(threads=threads)
        if upright or small_faces:
            finder = Search(finder, upright=upright, small_faces=small_faces)
        network = embedder and method(embedder, "embed").load()(flip=flip, threads=threads)
        wanted = want if want is not None else ("quality", *(["embeddings"] if embedder else []))
        return cls(finder, network or None, want=wanted)  # pyright: ignore[reportArgumentType]

    @property
    def seconds(self) -> float:
        """Time spent inside the networks so far; all else is our own overhead."""
        return self.detector.seconds + (self.embedder.seconds if self.embedder else 0.0)

    def __call__(self, images: Sequence[Image]) -> list[Faces]:
        """The faces of each picture, in that picture's pixels."""
        found = self.detector(images)
        if not self.want or not any(len(faces) for faces in found):
            return [self._describe_nobody(faces) for faces in found]
        crops = self._align(images, found, ARCFACE_112)
        fields = {}
        if "quality" in self.want:
            landmarks = [faces.landmarks for faces in found]
            rows = _offsets(found)
            fields["quality"] = [
                quality(crops[a:b], points) for (a, b), points in zip(rows, landmarks, strict=True)
            ]
        if "embeddings" in self.want:
            assert self.embedder is not None
            template = self.embedder.template
            if template != ARCFACE_112:
                crops = self._align(images, found, template)
            embeddings = self.embedder(crops)
            fields["embeddings"] = [embeddings[a:b] for a, b in _offsets(found)]
        return [
            faces.with_fields(**{name: values[i] for name, values in fields.items()})
            for i, faces in enumerate(found)
        ]

    def _describe_nobody(self, faces: Faces) -> Faces:
        """A picture without faces still has every wanted field, of length 0."""
        fields = {}
        if "quality" in self.want:
            fields["quality"] = np.empty(0, np.float32)
        if "embeddings" in self.want:
            assert self.embedder is not None
            empty = np.empty((0, self.embedder.dimension), np.float32)
            fields["embeddings"] = Embeddings(empty, self.embedder.space)
        return faces.with_fields(**fields)

    @staticmethod
    def _align(images: Sequence[Image], found: Sequence[Faces], template: Template) -> Crops:
        pairs = zip(images, found, strict=True)
        return Crops.join([align(image, faces.landmarks, template) for image, faces in pairs])


def main_face(faces: Faces, source: str | None = None) -> Face:
    """The face that a portrait is of: the largest.

    Raises:
        NoFace: there is none.
    """
    if not len(faces):
        raise NoFace("no face found", source)
    sides = faces.boxes[:, 2:] - faces.boxes[:, :2]
    return faces[int(np.argmax(sides.prod(axis=1)))]


def _offsets(found: Sequence[Faces]) -> list[tuple[int, int]]:
    """Where each picture's faces begin and end in a batch of all of them."""
    return list(pairwise(accumulate(map(len, found), initial=0)))
