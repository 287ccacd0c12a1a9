"""What methods themselves say of the main face of each picture of a set, without a probe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from lineament.bench.context import Context
from lineament.bench.probes import placed_points
from lineament.core.cards import method, methods
from lineament.core.errors import LicenceNotAccepted
from lineament.core.faces import Faces
from lineament.core.landmarks import Landmarks
from lineament.core.media import read_image
from lineament.core.named_scores import NamedScores
from lineament.core.protocols import Describer

_BATCH = 32


@dataclass(frozen=True, eq=False)
class Said:
    """Fields of the main faces, one row a picture.

    Attributes:
        fields: by name.
        milliseconds: a face, inside the networks.
    """

    fields: dict[str, Any]
    milliseconds: float


def who_says(context: Context, field: str) -> list[str]:
    """Slugs of methods that read this field off a picture and its five points: those asked for, or
    all. One whose terms have not been accepted is left out, with a line about it."""
    fit = [
        slug
        for slug, found in methods().items()
        if found.card.verb == "describe"
        and found.card.entry
        and field in found.card.gives
        and found.card.needs == ("keypoints",)
        and (not context.methods or slug in context.methods)
    ]
    usable = []
    for slug in fit:
        try:
            _open(slug)
            usable.append(slug)
        except LicenceNotAccepted as error:
            context.say(f"left out: {error}")
    return usable


@cache
def said_by(slug: str, paths: tuple[Path, ...]) -> Said:
    """What a method says of each picture's main face, or of the set's usual place where none is
    found."""
    describer = _open(slug)
    points = placed_points(paths).points
    before = describer.seconds
    rows: list[dict[str, Any]] = []
    for start in range(0, len(paths), _BATCH):
        some = slice(start, start + _BATCH)
        images = [read_image(path) for path in paths[some]]
        found = [
            Faces(np.concatenate([p.points.min(1), p.points.max(1)], axis=1), keypoints=p)
            for p in points[some]
        ]
        rows += [dict(said) for said in describer(images, found)]
    seconds = describer.seconds - before
    fields = {name: _join([row[name] for row in rows]) for name in rows[0]}
    return Said(fields, 1000 * seconds / len(paths))


@cache
def _open(slug: str) -> Describer:
    return method(slug, "describe").load()(threads=1)


def _join(parts: Sequence[Any]) -> Any:
    if isinstance(parts[0], NamedScores):
        return NamedScores(np.concatenate([part.values for part in parts]), parts[0].names)
    if isinstance(parts[0], Landmarks):
        return Landmarks(np.concatenate([part.points for part in parts]), parts[0].scheme)
    return np.concatenate(parts)
