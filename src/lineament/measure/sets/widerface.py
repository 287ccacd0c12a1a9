"""WIDER FACE: faces in crowds; the validation set with its easy, medium and hard part.

Layout: ``wider_face_split/wider_face_val_bbx_gt.txt`` (or the file beside it for ``train``) and
``WIDER_val/images/0--Parade/....jpg``. The list holds, for each picture, its path, the number of
faces, and a line a face: x, y, width, height, blur, expression, illumination, invalid, occlusion,
pose. A picture of no face is followed by one line of zeros.

The parts are in the evaluation tools: ``wider_easy_val.mat``, ``wider_medium_val.mat`` and
``wider_hard_val.mat`` say for each picture which of its faces count; all others are neither hits
nor misses. Their order of faces is that of the list. MATLAB's files are read by `matlab`.

Source: S. Yang et al., "WIDER FACE: a face detection benchmark", CVPR 2016, section 3, and the
``readme.txt`` of the split.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, Int8, Int64

from lineament.core.errors import BadInput
from lineament.measure.sets.matlab import read_matlab
from lineament.measure.sets.nouns import Terms, need_files
from lineament.measure.sets.text import Line, read_lines

TERMS = Terms(
    name="WIDER FACE",
    where="its authors' page (shuoyang1213.me/WIDERFACE), with the evaluation tools",
    terms="non-commercial research",
)
ATTRIBUTES = ("blur", "expression", "illumination", "invalid", "occlusion", "pose")
"""Columns of `WiderFace.attributes`. Blur and occlusion go to 2, the others to 1."""
PARTS = ("easy", "medium", "hard")

_INVALID = ATTRIBUTES.index("invalid")
_MOST_FACES = 100_000


@dataclass(frozen=True, eq=False)
class WiderFace:
    """Pictures and the boxes of all their faces, one picture after the other.

    Attributes:
        folder: of the pictures.
        names: of the pictures in it, n.
        starts: the faces of picture i are those from ``starts[i]`` up to ``starts[i + 1]``;
            n + 1.
        boxes: left, top, right, bottom in pixels, m.
        attributes: see `ATTRIBUTES`.
    """

    folder: Path
    names: tuple[str, ...]
    starts: Int64[np.ndarray, " starts"]
    boxes: Float32[np.ndarray, "m 4"]
    attributes: Int8[np.ndarray, "m 6"]

    @property
    def invalid(self) -> Bool[np.ndarray, " m"]:
        """Faces too blurred or small to be labelled with care."""
        return self.attributes[:, _INVALID] == 1

    def path(self, number: int) -> Path:
        """Of a picture."""
        return self.folder / self.names[number]

    def faces(self, number: int) -> slice:
        """The rows of a picture's faces."""
        return slice(int(self.starts[number]), int(self.starts[number + 1]))


def read_widerface(folder: Path, split: str = "val") -> WiderFace:
    """Read a folder of WIDER FACE.

    Args:
        folder: holds ``wider_face_split`` and ``WIDER_val`` or ``WIDER_train``.
        split: ``val`` or ``train``; the boxes of ``test`` were never published.

    Raises:
        MissingFile: it is not there; the message says where to get it, and its terms.
        BadInput: the list does not follow its format.
    """
    if split not in ("val", "train"):
        raise BadInput(f"{split!r} is neither val nor train")
    path = folder / "wider_face_split" / f"wider_face_{split}_bbx_gt.txt"
    need_files(TERMS, path)
    names: list[str] = []
    starts = [0]
    rows: list[list[int]] = []
    lines = read_lines(path)
    for line in lines:
        if not line.words[-1].lower().endswith((".jpg", ".png")):
            raise line.bad("the path of a picture expected")
        names.append(line.inside(" ".join(line.words)))
        rows += _read_faces(lines, line)
        starts.append(len(rows))
    if not names:
        raise BadInput("the list is empty", str(path))
    table = np.asarray(rows, np.int64).reshape(-1, 10)
    boxes = table[:, :4].astype(np.float32)
    boxes[:, 2:] += boxes[:, :2]
    return WiderFace(
        folder / f"WIDER_{split}" / "images",
        tuple(names),
        np.asarray(starts, np.int64),
        boxes,
        table[:, 4:].astype(np.int8),
    )


def read_widerface_part(folder: Path, faces: WiderFace, part: str) -> Bool[np.ndarray, " m"]:
    """Which faces count in a part of the validation set.

    Args:
        folder: of the evaluation tools' ``ground_truth``.
        faces: the validation set.
        part: ``easy``, ``medium`` or ``hard``.

    Raises:
        MissingFile: it is not there; the message says where to get it, and its terms.
        BadInput: the file does not follow its format, or is not about these pictures and boxes.
    """
    if part not in PARTS:
        raise BadInput(f"{part!r} is none of {', '.join(PARTS)}")
    path = folder / f"wider_{part}_val.mat"
    need_files(TERMS, path)
    number = {name.rsplit(".", 1)[0]: i for i, name in enumerate(faces.names)}
    counted = np.zeros(len(faces.boxes), bool)
    seen = set()
    for name, chosen, boxes in _read_events(path):
        if name not in number:
            raise BadInput(f"{name[:80]!r} is not in the list of pictures", str(path))
        rows = faces.faces(number[name])
        ours = faces.boxes[rows].astype(np.int64)
        ours[:, 2:] -= ours[:, :2]
        # Pictures of no face have one box of zeros here, as they have a line of zeros there.
        boxes = boxes if boxes.any() else boxes[:0]
        if not np.array_equal(ours, boxes):
            raise BadInput(f"{name[:80]!r} has other boxes than in the list", str(path))
        if chosen.size and not 1 <= chosen.min() <= chosen.max() <= len(boxes):
            raise BadInput(f"{name[:80]!r} counts a face that it does not have", str(path))
        counted[rows.start + chosen - 1] = True
        seen.add(name)
    if len(seen) != len(number):
        raise BadInput(f"{len(seen):,} pictures instead of {len(number):,}", str(path))
    return counted


def _read_faces(lines: Iterator[Line], picture: Line) -> list[list[int]]:
    """The faces of one picture: a number, and so many lines. For 0 there is a line of zeros."""
    count = next(lines, None)
    if count is None:
        raise picture.bad("the list ends before the number of faces")
    count.expect(1)
    faces = count.integer(0, 0, _MOST_FACES)
    rows = []
    for _ in range(max(faces, 1)):
        line = next(lines, None)
        if line is None:
            raise picture.bad(f"the list ends before all {faces} faces of this picture")
        line.expect(10)
        box = [line.integer(index, -(10**6), 10**6) for index in range(4)]
        rows.append(box + [line.integer(index, 0, 9) for index in range(4, 10)])
    if not faces and any(rows[0]):
        raise picture.bad("no faces, and then one")
    return rows if faces else []


def _read_events(path: Path) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Each picture's name without suffix, the numbers of its faces that count, all its boxes."""
    content = read_matlab(path)
    try:
        events = [content[field] for field in ("event_list", "file_list")]
        for event, files, counted, boxes in zip(
            *events, content["gt_list"], content["face_bbx_list"], strict=True
        ):
            for file, chosen, rows in zip(files, counted, boxes, strict=True):
                yield f"{event}/{file}", _whole(chosen).ravel(), _whole(rows).reshape(-1, 4)
    except (KeyError, ValueError, TypeError) as error:
        raise BadInput(f"not a list of WIDER FACE's parts: {error}", str(path)) from error


def _whole(numbers: Any) -> np.ndarray:
    if not isinstance(numbers, np.ndarray) or numbers.dtype.kind not in "iuf":
        raise ValueError("no numbers where numbers belong")
    return numbers.astype(np.int64)
