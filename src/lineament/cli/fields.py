"""The fields of a face as the command prints them: JSON for scripts, short words for people."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from lineament.cli.output import numbers
from lineament.core.cards import methods
from lineament.core.embeddings import Embeddings
from lineament.core.errors import BadInput
from lineament.core.faces import Face
from lineament.core.landmarks import Landmarks
from lineament.core.masks import Masks
from lineament.core.named_scores import NamedScores

ANGLES = {"pose": ("pitch", "yaw", "roll"), "gaze": ("pitch", "yaw")}
"""Fields of radians, and their names; people and scripts get degrees."""
LABELLED = ("sex", "expression")
"""Named scores of classes that exclude each other: the likeliest one is the label."""


def wanted_fields(text: str) -> frozenset[str]:
    """The fields of a comma-separated list.

    Raises:
        BadInput: one of them is unknown; the message lists those there are.
    """
    known = {"embeddings", "quality"}
    known |= {f for m in methods().values() if m.card.verb == "describe" for f in m.card.gives}
    asked = {word.strip() for word in text.split(",") if word.strip()}
    if strange := sorted(asked - known):
        raise BadInput(f"no field {strange[0]!r}; there are {', '.join(sorted(known))}")
    return frozenset(asked)


def face_json(face: Face, fields: Iterable[str], scale: float) -> dict[str, Any]:
    """A face with all its fields; lengths in pixels of the file, angles in degrees."""
    row: dict[str, Any] = {
        "box": numbers(face.box / scale),
        "score": round(face.score, 4),
        "keypoints": numbers(face.points / scale),
        "landmarks": numbers(face.points / scale),
        "scheme": "5",
    }
    for name in sorted(fields):
        value = getattr(face, name)
        row[name] = _json(name, value, scale)
        if isinstance(value, Landmarks):
            row["scheme"] = value.scheme
    return row


def face_words(face: Face, name: str) -> str:
    """One field in a cell of a table."""
    value = getattr(face, name)
    match value:
        case Landmarks():
            return f"{value.points.shape[1]} points"
        case Embeddings():
            return f"{value.vectors.shape[1]} numbers"
        case Masks():
            shares = sorted(_areas(value).items(), key=lambda item: -item[1])
            return ", ".join(f"{part} {share:.0%}" for part, share in shares[:3])
        case NamedScores() if name in LABELLED:
            return f"{value.best()[0]} {value.values[0].max():.0%}"
        case NamedScores():
            strong = np.argsort(-value.values[0])[:3]
            return ", ".join(f"{value.names[i]} {value.values[0, i]:.0%}" for i in strong)
    if name in ANGLES:
        return " ".join(f"{angle:+.0f}°" for angle in np.degrees(value))
    if np.ndim(value):
        return f"{np.size(value)} numbers"
    return f"{float(value):.2f}" if name != "age" else f"{float(value):.0f}"


def _json(name: str, value: Any, scale: float) -> Any:
    match value:
        case Landmarks():
            return numbers(value.points[0] / scale)
        case Embeddings():
            return numbers(value.vectors[0], 6)
        case Masks():
            return {"area": {part: round(share, 4) for part, share in _areas(value).items()}}
        case NamedScores():
            scores = dict(zip(value.names, numbers(value.values[0], 4), strict=True))
            return {"label": value.best()[0], "scores": scores} if name in LABELLED else scores
    if name in ANGLES:
        degrees = np.degrees(np.asarray(value, np.float64))
        return {part: round(float(v), 2) for part, v in zip(ANGLES[name], degrees, strict=True)}
    return numbers(value, 4) if np.ndim(value) else round(float(value), 3)


def _areas(masks: Masks) -> dict[str, float]:
    """Share of the looked-at region that each class covers."""
    return dict(zip(masks.names, masks.area().values[0].tolist(), strict=True))
