"""Faces to distil on: a folder of pictures that need no label, as aligned squares with a border,
and what the teacher says of each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32, UInt8

from lineament.core.cards import method
from lineament.core.crops import ARCFACE_112, Template, align
from lineament.core.errors import BadInput, UnreadableImage
from lineament.core.media import read_image
from lineament.core.protocols import Detector
from lineament.learn.data.cache import kept, listing
from lineament.learn.landmarks.faces import pictures

BORDER = 8
"""Of the square around the aligned crop, pixels, so that it can be moved."""
SQUARE = Template(
    f"arcface112+{BORDER}",
    ARCFACE_112.size + 2 * BORDER,
    tuple((x + BORDER, y + BORDER) for x, y in ARCFACE_112.points),
)
HELD_OUT = 20
"""One face in so many is not learnt from: it chooses between runs."""

Teacher = Callable[[UInt8[np.ndarray, "n 112 112 3"]], Float32[np.ndarray, "n d"]]
"""Embeddings of aligned crops, of any length."""


@dataclass(frozen=True, eq=False)
class Faces:
    """Aligned faces and what to learn of them.

    Attributes:
        squares: uint8 RGB, by the template `SQUARE`.
        targets: the teacher's embedding of each face as it is, of length 1.
        hash: of the pictures.
    """

    squares: UInt8[np.ndarray, "n s s 3"]
    targets: Float32[np.ndarray, "n d"]
    hash: str

    def __len__(self) -> int:
        return len(self.squares)

    def __getitem__(self, rows: np.ndarray) -> Faces:
        return Faces(self.squares[rows], self.targets[rows], self.hash)

    @property
    def crops(self) -> UInt8[np.ndarray, "n 112 112 3"]:
        """The crops within, as an embedder sees them."""
        return np.ascontiguousarray(self.squares[:, BORDER:-BORDER, BORDER:-BORDER])

    def split(self) -> tuple[Faces, Faces]:
        """Faces to learn from, and those that choose."""
        apart = np.arange(len(self)) % HELD_OUT == HELD_OUT - 1
        return self[np.flatnonzero(~apart)], self[np.flatnonzero(apart)]


def gather(
    folder: Path,
    cache: Path,
    teacher: Teacher,
    name: str,
    say: Callable[[str], None] = lambda line: None,
) -> Faces:
    """Every picture's largest face; pictures without one are left out. Made once, then kept.

    Args:
        folder: of pictures.
        cache: folder to keep the squares and targets in.
        teacher: whose embeddings are learnt.
        name: of the teacher and its weights.
        say: shows a line of progress.

    Raises:
        BadInput: the folder holds no face.
    """
    paths = pictures(folder)
    mark = listing(paths)
    squares = kept(cache, "squares", (mark, SQUARE), lambda: {"it": _squares(paths, say)})["it"]
    faces = Faces(squares, np.zeros((len(squares), 0), np.float32), mark)
    made = kept(cache, "targets", (mark, SQUARE, name), lambda: {"it": targets(faces, teacher)})
    return Faces(squares, made["it"], mark)


def targets(faces: Faces, teacher: Teacher, batch: int = 32) -> Float32[np.ndarray, "n d"]:
    """The teacher's embeddings of each face and its mirror image, added: of length 1."""
    parts = []
    for start in range(0, len(faces), batch):
        crops = faces[np.arange(start, min(start + batch, len(faces)))].crops
        parts.append(teacher(crops) + teacher(np.ascontiguousarray(crops[:, :, ::-1])))
    return unit(np.concatenate(parts))


def unit(vectors: Float32[np.ndarray, "n d"]) -> Float32[np.ndarray, "n d"]:
    """Vectors of length 1."""
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def _squares(paths: Sequence[Path], say: Callable[[str], None]) -> UInt8[np.ndarray, "n s s 3"]:
    detector: Detector = method("yunet", "detect").load()(threads=1)
    made = []
    for number, path in enumerate(paths):
        if number % 1000 == 0:
            say(f"aligning faces, picture {number} of {len(paths)}")
        try:
            image = read_image(path)
        except UnreadableImage:
            continue
        if len(found := detector([image])[0]):
            sides = found.boxes[:, 2:] - found.boxes[:, :2]
            row = int(sides.prod(axis=1).argmax())
            made.append(align(image, found.keypoints[row : row + 1], SQUARE).pixels[0])
    if not made:
        raise BadInput("no face was found to learn from")
    return np.stack(made)
