"""The faces of many pictures as one batch, and back."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np

from lineament.core.crops import Crops, Template, align
from lineament.core.faces import Faces
from lineament.core.image import Image
from lineament.core.landmarks import Landmarks


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


def all_landmarks(found: Sequence[Faces]) -> Landmarks:
    """The landmarks of all faces of all pictures, of which there is at least one picture."""
    points = np.concatenate([faces.landmarks.points for faces in found])
    return Landmarks(points, found[0].landmarks.scheme)


class Formula:
    """A describer that is computed and has no network.

    Args:
        threads: none are used.
    """

    seconds = 0.0

    def __init__(self, *, threads: int | None = None) -> None:
        del threads
