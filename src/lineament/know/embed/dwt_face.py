"""Faces told apart without learned weights: skin colour, wavelet coefficients, nearest neighbour.

The classical baseline, whole: the face is the largest skin-coloured region, its grey 128 x 128
picture goes through a few levels of wavelet transform, and the reference picture with the nearest
coefficients is the answer.

**What a level does.** An orthonormal transform keeps distances: compared by all coefficients, every
level and every wavelet gives exactly the answer of plain pixels. Levels matter only where details
are left out, so the approximation is compared here, which is 128 / 2 ** levels wide.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, UInt8

from lineament.core.cards import Card
from lineament.core.errors import BadInput, NoFace
from lineament.core.image import Image
from lineament.core.wavelets import approximation, daubechies
from lineament.see.skin import face_region

CARD = Card(
    slug="dwt-face",
    title="A robust, low-cost approach to Face Detection and Face Recognition",
    paper="arXiv:1111.1090",
    verb="identify",
    task="Names the enrolled person whose grey face is nearest by wavelet coefficients; needs no "
    "learned weights.",
    entry="DwtFace",
    needs=("image",),
    gives=("names", "distances"),
    code="",
    deviations=(
        "The thresholds on L*a*b* are ours; the abstract, which is all that could be read, names "
        "none.",
        "The frontal face is the skin region cut to 1.3 times its width; no points, no alignment.",
        "Only the approximation of the last level is compared: with all coefficients an "
        "orthonormal transform changes no distance.",
        "Pictures go on periodically at their edges.",
    ),
    risk=(
        "A colour rule for skin fails by light and by what else is of that colour; by groups of "
        "people: lineament bench skin. It answers with the nearest enrolled person, also for "
        "strangers. "
        "A baseline to measure others by, not a means to recognise anybody."
    ),
)

SIDE = 128
"""Width and height of a face's grey picture, pixels, as the abstract has it."""


@dataclass(frozen=True)
class Nearest:
    """One enrolled person as an answer.

    Attributes:
        name: as enrolled.
        distance: Euclidean, to the nearest of the person's references; 0 is the same picture.
    """

    name: str
    distance: float


class DwtFace:
    """Enrols people by pictures and names the nearest. Source: arXiv:1111.1090.

    Args:
        levels: of the transform, 0 to 7; 0 compares plain pixels.
        moments: vanishing moments of Daubechies' wavelet; 1 is Haar's.
        detect: look for the face by skin colour; else the whole picture is the face, as it must
            be for grey pictures.

    Raises:
        BadInput: levels or moments out of range.
    """

    card = CARD

    def __init__(self, *, levels: int = 3, moments: int = 1, detect: bool = True) -> None:
        if not 0 <= levels <= SIDE.bit_length() - 1:
            raise BadInput(f"0 to {SIDE.bit_length() - 1} levels, not {levels}")
        self.levels = levels
        self.detect = detect
        self._low = daubechies(moments)
        self._names: list[str] = []
        self._references = np.empty((0, (SIDE >> levels) ** 2))

    def enrol(self, names: Sequence[str], images: Sequence[Image]) -> None:
        """Add references; a name given again gets one more.

        Raises:
            BadInput: not one name for each image.
            NoFace: an image shows no skin-coloured region; nothing is enrolled then.
        """
        if len(names) != len(images):
            raise BadInput(f"{len(names)} names for {len(images)} images")
        self._references = np.concatenate([self._references, self.features(images)])
        self._names += names

    def search(self, images: Sequence[Image], most: int = 5) -> list[list[Nearest]]:
        """For each image the nearest people, nearest first, each once.

        Raises:
            BadInput: nobody is enrolled.
            NoFace: an image shows no skin-coloured region.
        """
        if not self._names:
            raise BadInput("nobody is enrolled, so nobody can be found")
        answers = []
        for vector in self.features(images):
            distances = np.linalg.norm(self._references - vector, axis=1)
            best: dict[str, float] = {}
            for row in np.argsort(distances, kind="stable").tolist():
                best.setdefault(self._names[row], float(distances[row]))
            answers.append([Nearest(*item) for item in list(best.items())[:most]])
        return answers

    def features(self, images: Sequence[Image]) -> Float64[np.ndarray, "n f"]:
        """Coefficients of each image's face.

        Raises:
            NoFace: an image shows no skin-coloured region.
        """
        faces = [grey_face(image, detect=self.detect) for image in images]
        return self.coefficients(np.stack(faces) if faces else np.empty((0, SIDE, SIDE), np.uint8))

    def coefficients(self, faces: UInt8[np.ndarray, "n 128 128"]) -> Float64[np.ndarray, "n f"]:
        """Approximation coefficients of grey faces, a row each, in reading order."""
        kept = approximation(faces.astype(np.float64), self._low, self.levels)
        return kept.reshape(len(kept), kept.shape[1] * kept.shape[2])


def grey_face(image: Image, *, detect: bool = True) -> UInt8[np.ndarray, "128 128"]:
    """The face of an image as a grey picture of 128 x 128; its sides are stretched to that.

    Args:
        image: the picture.
        detect: look for the face by skin colour; else the whole picture is the face.

    Raises:
        NoFace: no skin-coloured region is large enough.
    """
    from PIL import Image as Pillow

    box = face_region(image) if detect else None
    if detect and box is None:
        raise NoFace("no region of the colour of skin is large enough", image.source)
    region = None if box is None else tuple(box.tolist())
    grey = image.pillow.convert("L").resize((SIDE, SIDE), Pillow.Resampling.BILINEAR, region)
    return np.asarray(grey)
