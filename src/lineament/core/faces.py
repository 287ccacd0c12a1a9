"""All faces of one picture as a structure of arrays, and one face as a view of a row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, overload

import numpy as np
from jaxtyping import Float32

from lineament.core.errors import FieldAbsent
from lineament.core.landmarks import Landmarks

_ALWAYS = {"boxes": "a detector", "scores": "a detector", "keypoints": "a detector"}


def _absent(name: str) -> FieldAbsent:
    """Why a field is not there, and who would compute it: the cards know."""
    from lineament.core.cards import methods

    cards = [method.card for method in methods().values() if method.card.verb == "describe"]
    fields = {field for card in cards for field in card.gives} | {"embeddings", "quality"}
    if name in fields:
        hint = f"Analyzer(want={{{name!r}}}) computes it"
    elif name in _ALWAYS:
        hint = f"{_ALWAYS[name]} computes it"
    else:
        hint = f"known fields are {', '.join(sorted(fields | set(_ALWAYS)))}"
    return FieldAbsent(f"these faces have no {name!r}; {hint}")


class Faces:
    """The faces of one picture. Every field has one row a face.

    A field that was not computed is absent: asking for it raises `FieldAbsent`, which says what
    would compute it. A picture without faces has fields of length 0, which is not the same.

    Args:
        boxes: x1, y1, x2, y2 in pixels, float32, n x 4.
        **fields: anything indexable by row with length n: ``scores`` (n, in [0, 1]),
            ``keypoints`` (`Landmarks` of scheme "5"), ``embeddings`` (`Embeddings`), ``quality``
            (n, in [0, 1]), and what describers give.

    Raises:
        ValueError: a field's length differs from the number of boxes.
    """

    __slots__ = ("_fields",)

    def __init__(self, boxes: Float32[np.ndarray, "n 4"], **fields: Any) -> None:
        for name, values in fields.items():
            if len(values) != len(boxes):
                raise ValueError(f"{len(values)} rows of {name!r} for {len(boxes)} faces")
        self._fields: dict[str, Any] = {"boxes": boxes, **fields}

    @classmethod
    def none(cls) -> Faces:
        """A picture in which a detector found nobody."""
        return cls(
            np.empty((0, 4), np.float32),
            scores=np.empty(0, np.float32),
            keypoints=Landmarks(np.empty((0, 5, 2), np.float32), "5"),
        )

    @property
    def fields(self) -> frozenset[str]:
        """Names of the fields that have been computed."""
        return frozenset(self._fields)

    @property
    def boxes(self) -> Float32[np.ndarray, "n 4"]:
        return self._fields["boxes"]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        if name not in self._fields:
            raise _absent(name)
        return self._fields[name]

    def __len__(self) -> int:
        return len(self.boxes)

    def __iter__(self) -> Iterator[Face]:
        return (Face(self, row) for row in range(len(self)))

    @overload
    def __getitem__(self, rows: int | np.integer) -> Face: ...
    @overload
    def __getitem__(self, rows: slice | np.ndarray) -> Faces: ...
    def __getitem__(self, rows: int | np.integer | slice | np.ndarray) -> Face | Faces:
        if isinstance(rows, int | np.integer):
            return Face(self, range(len(self))[rows])
        return Faces(**{name: values[rows] for name, values in self._fields.items()})

    def with_fields(self, **fields: Any) -> Faces:
        """The same faces with more fields; a field of the same name is replaced."""
        return Faces(**{**self._fields, **fields})

    def only(self, names: Iterable[str]) -> Faces:
        """The same faces with no other fields than these, and their boxes.

        Raises:
            FieldAbsent: one of them was not computed.
        """
        return Faces(self.boxes, **{name: getattr(self, name) for name in names if name != "boxes"})

    def __repr__(self) -> str:
        return f"Faces({len(self)}; {', '.join(sorted(self._fields))})"


class Face:
    """One row of `Faces`, a view: its fields go by the same names."""

    __slots__ = ("_faces", "row")

    def __init__(self, faces: Faces, row: int) -> None:
        self._faces = faces
        self.row = row

    @property
    def box(self) -> Float32[np.ndarray, " 4"]:
        """x1, y1, x2, y2 in pixels."""
        return self._faces.boxes[self.row]

    @property
    def score(self) -> float:
        """The detector's confidence, in [0, 1]."""
        return float(self._faces.scores[self.row])

    @property
    def points(self) -> Float32[np.ndarray, "5 2"]:
        """The five keypoints' (x, y) in pixels."""
        return self._faces.keypoints.points[self.row]

    def __getattr__(self, name: str) -> Any:
        values = getattr(self._faces, name)
        if isinstance(values, np.ndarray):
            return values[self.row]
        return values[self.row : self.row + 1]

    def __repr__(self) -> str:
        x1, y1, x2, y2 = (round(float(v)) for v in self.box)
        return f"Face({x1}, {y1}, {x2}, {y2})"
