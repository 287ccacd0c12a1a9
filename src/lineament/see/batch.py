"""The faces of many pictures as one batch, and back."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Any, Protocol, TypeVar, runtime_checkable

from lineament.core.crops import Crops, Template, align
from lineament.core.faces import Faces
from lineament.core.image import Image


@runtime_checkable
class _Rows(Protocol):
    """Anything that gives some of its rows."""

    def __getitem__(self, rows: slice, /) -> Any: ...


R = TypeVar("R", bound=_Rows)


def align_all(images: Sequence[Image], found: Sequence[Faces], template: Template) -> Crops:
    """Aligned crops of all faces of all pictures, in order.

    Raises:
        ValueError: there are no pictures.
    """
    pairs = zip(images, found, strict=True)
    return Crops.join([align(image, faces.keypoints, template) for image, faces in pairs])


def split(values: R, found: Sequence[Faces]) -> list[R]:
    """Rows for all faces of all pictures, given back picture by picture."""
    offsets = accumulate(map(len, found), initial=0)
    return [values[start:end] for start, end in pairwise(offsets)]
