"""Where an embedding space puts faces that nobody could recognise.

A network that has learnt mostly from good faces sends the others, whoever they show and whatever
spoilt them, to one region of its space. The middle of that region is a property of the space, like
its calibration. It is measured once, on faces of nobody, and kept beside this file.

Source: S. Deng et al., "Harnessing unrecognizable faces for improving face recognition", WACV 2023
(arXiv:2106.04112), for the region; J. C. L. Chai et al., CVPR 2023 (arXiv:2304.10066), for its
centre as the mean of the normalised embeddings.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float32

from lineament.core.embeddings import Embeddings, require_same_space
from lineament.core.errors import BadInput

_FOLDER = Path(__file__).parent / "unrecognisable_centres"
_PERCENTILES = (5, 50, 95)


@dataclass(frozen=True, eq=False)
class UnrecognisableCentre:
    """The middle of a space's unrecognisable faces, and how far from it faces lie.

    Attributes:
        space: of the embeddings.
        vector: the centre, of length 1.
        spoilt: angles to the centre, radians, that 5, 50 and 95 % of the unrecognisable faces stay
            below from which it was made.
        clean: the same of the faces before they were spoilt.
        made_from: what these faces were and what was done to them, in words.

    Raises:
        BadInput: the vector is not of length 1 (within 1e-3), or the middle spoilt face does not
            lie closer to the centre than the middle clean one.
    """

    space: str
    vector: Float32[np.ndarray, " d"]
    spoilt: tuple[float, float, float]
    clean: tuple[float, float, float]
    made_from: str

    def __post_init__(self) -> None:
        if not abs(float(np.linalg.norm(self.vector)) - 1) < 1e-3:
            raise BadInput("the centre of unrecognisable faces is a finite vector of length 1")
        if not 0 < self.spoilt[1] < self.clean[1]:
            raise BadInput(
                f"in {self.space} unrecognisable faces lie at {np.degrees(self.spoilt[1]):.0f} "
                f"degrees from their centre and clean ones at {np.degrees(self.clean[1]):.0f}: "
                "it does not tell them apart"
            )

    @classmethod
    def of(cls, spoilt: Embeddings, clean: Embeddings, made_from: str) -> UnrecognisableCentre:
        """The centre of unrecognisable faces.

        Args:
            spoilt: faces that cannot be recognised.
            clean: faces that can, of the same people, to say how far from the centre these lie.
            made_from: see above.

        Raises:
            BadInput: there are none of one kind, they cancel out, or the centre does not tell them
                apart.
            SpaceMismatch: the spaces differ.
        """
        require_same_space(spoilt.space, clean.space)
        if not len(spoilt) or not len(clean):
            raise BadInput("a centre needs faces, unrecognisable ones and clean ones")
        mean = spoilt.vectors.mean(axis=0, dtype=np.float64)
        if not (length := np.linalg.norm(mean)) > 1e-6:
            raise BadInput("these embeddings cancel out: they have no centre")
        vector = (mean / length).astype(np.float32)
        low, middle, high = np.percentile(_angles(spoilt.vectors, vector), _PERCENTILES).tolist()
        near, usual, far = np.percentile(_angles(clean.vectors, vector), _PERCENTILES).tolist()
        return cls(spoilt.space, vector, (low, middle, high), (near, usual, far), made_from)

    def angles(self, embeddings: Embeddings) -> Float[np.ndarray, " n"]:
        """The angle of each embedding to the centre, radians, 0 to pi.

        Raises:
            SpaceMismatch: the embeddings are of another space.
        """
        require_same_space(self.space, embeddings.space)
        return _angles(embeddings.vectors, self.vector)


def _angles(
    vectors: Float32[np.ndarray, "n d"], centre: Float32[np.ndarray, " d"]
) -> Float[np.ndarray, " n"]:
    """By the chord, which is exact where the arc cosine is not: near the centre."""
    chords = np.linalg.norm(vectors.astype(np.float64) - centre, axis=1)
    return 2 * np.arcsin(np.minimum(chords / 2, 1))


def centre_file(space: str, folder: Path = _FOLDER) -> Path:
    """Where the centre of a space lies in a folder."""
    return folder / f"{space.partition('@')[0]}.json"


def write_centre(centre: UnrecognisableCentre, folder: Path = _FOLDER) -> Path:
    """Keep a centre; one of the same method is replaced."""
    row = {
        "space": centre.space,
        "made_from": centre.made_from,
        "spoilt": [round(angle, 4) for angle in centre.spoilt],
        "clean": [round(angle, 4) for angle in centre.clean],
        "vector": [round(number, 6) for number in centre.vector.tolist()],
    }
    path = centre_file(centre.space, folder)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(row) + "\n", encoding="utf-8")
    return path


def read_centre(path: Path) -> UnrecognisableCentre:
    """The centre that `write_centre` wrote.

    Raises:
        BadInput: the file does not hold one.
    """
    try:
        row = json.loads(path.read_text(encoding="utf-8"))
        near, usual, far = (float(angle) for angle in row["clean"])
        low, middle, high = (float(angle) for angle in row["spoilt"])
        return UnrecognisableCentre(
            str(row["space"]),
            np.asarray(row["vector"], np.float32),
            (low, middle, high),
            (near, usual, far),
            str(row["made_from"]),
        )
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise BadInput(f"not a centre of unrecognisable faces: {error}", str(path)) from error


@cache
def centre_of(space: str) -> UnrecognisableCentre:
    """The centre of an embedding space that ships with the package.

    Raises:
        BadInput: none has been made for it.
    """
    path = centre_file(space)
    if path.is_file():
        found = read_centre(path)
        if found.space == space:
            return found
    raise BadInput(
        f"where {space} puts unrecognisable faces is not known; "
        "tools/unrecognisable_centres.py makes a centre, or UnrecognisableCentre.of your own faces"
    )
