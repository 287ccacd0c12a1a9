"""From one markup of faces to another: 478 points to 106, 68 and 5, 106 to 68, and so on.

Markups differ in more than their number of points. Where two name the same place (a corner of the
eye), the point is taken over; where a markup spaces points along a curve (the jaw, a brow, the
ridge of the nose), the curve is walked by length; where neither fits, the mean of the points around
the place stands in. What is left is each markup's own idea of a point, and stays as an offset that
a measurement can even out but a conversion cannot know.

The jaw of 68 and 106 is what a viewer sees as the outline of the face, so it is the outline of all
478 points, not a line of fixed vertices: on a turned face that line runs across the cheek.

Sources of the facts: the vertices of MediaPipe's canonical face model and its rings around eyes,
lips, brows and face; the 68 points of C. Sagonas et al., "300 Faces in-the-Wild Challenge", ICCV
workshops 2013; the 106 points as the set Landmarks-106 orders them (`measure.sets.landmarks106`).
Where several vertices could stand for a point of 68, or none did, half of UCLA-68 was looked at,
the faces of odd number, and all of it to choose the outline over a fixed line; measurements there
are made on the other half. For the sides of the nose in 106 it was CelebA, by the answers of a
network. Landmarks-106 gave the order of its points and their places on a mean face, no more, and
AFLW2000-3D had no part in any of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float, Float32, Float64

from lineament.core.landmarks import Landmarks

Parts = Sequence[Sequence[int]]
"""For each point of a markup the points of another whose mean it is."""

FIVE: dict[str, Parts] = {
    "68": (range(36, 42), range(42, 48), (30,), (48,), (54,)),
    "106": (range(51, 57), range(61, 67), (74,), (86,), (90,)),
    "478": (
        (33, 160, 158, 133, 153, 144),
        (362, 385, 387, 263, 373, 380),
        (4,),
        (61,),
        (291,),
    ),
}
"""Scheme "5" of each other: an eye is the mean of six points around it."""

_EYES: Parts = tuple((vertex,) for eye in FIVE["478"][:2] for vertex in eye)
_NOSE_BASE: Parts = ((240,), (97,), (2,), (326,), (460,))
_OUTER_LIPS: Parts = (
    ((61,), (39, 40), (37,), (0,), (267,), (269, 270), (291,))
    + ((321, 405), (314,), (17,), (84,), (91, 181))
)  # fmt: skip
_INNER_LIPS: Parts = ((78,), (82,), (13,), (312,), (308,), (317,), (14,), (87,))

_BROWS = (((70, 63, 105, 66, 107), (46, 53, 52, 65, 55)),
          ((336, 296, 334, 293, 300), (285, 295, 282, 283, 276)))  # fmt: skip
"""Upper and lower edge of each brow, from the picture's left to its right."""
_RIDGE = (168, 6, 197, 195, 5, 4)
"""From between the eyes to the tip of the nose."""
_EARS, _CHIN = (127, 356), 152
_FURTHER = 1.03
"""How much further down from an ear the jaw of 68 lies than the mesh ends."""

_68_OF_106: Parts = (
    *((k,) for k in (*range(33, 38), *range(42, 47))),  # the upper edges of the brows
    *((k,) for k in (*range(71, 75), *range(81, 86))),
    *((k,) for k in (*range(51, 57), *range(61, 67))),
    *((k,) for k in (86, 92, 87, 88, 89, 93, 90, 94, 105, 91, 104, 95)),
    *((k,) for k in (96, 98, 99, 100, 97, 103, 102, 101)),
)

_EYES_106: Parts = (
    *_EYES[:6], (159,), (145,), FIVE["478"][0], (468,),
    *_EYES[6:], (386,), (374,), FIVE["478"][1], (473,),
)  # fmt: skip
_NOSE_106: Parts = ((193, 245), (417, 465), (209,), (429,), (64,), (294,), *_NOSE_BASE)
_MOUTH_106: Parts = (
    ((61,), (37,), (0,), (267,), (291,), (17,), (39, 40), (269, 270), (321, 405), (91, 181))
    + ((78,), (308,), (82,), (13,), (312,), (87,), (14,), (317,), (84,), (314,))
)  # fmt: skip


def convert(landmarks: Landmarks, scheme: str) -> Landmarks:
    """The same faces in another markup.

    Raises:
        ValueError: there is no way from one to the other; the message names those there are.
    """
    if scheme == landmarks.scheme:
        return landmarks
    way = WAYS.get((landmarks.scheme, scheme))
    if way is None:
        ways = ", ".join(f"{a} to {b}" for a, b in WAYS)
        raise ValueError(f"no way from {landmarks.scheme!r} to {scheme!r}; there are {ways}")
    return Landmarks(way(landmarks.points).astype(np.float32), scheme)


def mesh_to_5(points: Float32[np.ndarray, "n 478 2"]) -> Float32[np.ndarray, "n 5 2"]:
    """478 points to scheme "5". Eyes are the middles of their rims, not of the irises."""
    return means(points, FIVE["478"])


def points_68_to_5(points: Float32[np.ndarray, "n 68 2"]) -> Float32[np.ndarray, "n 5 2"]:
    """68 points to scheme "5"."""
    return means(points, FIVE["68"])


def points_106_to_5(points: Float32[np.ndarray, "n 106 2"]) -> Float32[np.ndarray, "n 5 2"]:
    """106 points to scheme "5"."""
    return means(points, FIVE["106"])


def mesh_to_68(points: Float32[np.ndarray, "n 478 2"]) -> Float32[np.ndarray, "n 68 2"]:
    """478 points to the 68 of 300-W: the jaw in 16 equal steps of the outline, eight a side; a brow
    in four of its upper edge; the ridge in three; rims of eyes and lips by vertices."""
    brows = [evenly(points[:, upper], 5) for upper, _ in _BROWS]
    curves = [_jaw(points, 8, _FURTHER), *brows, evenly(points[:, _RIDGE], 4)]
    rest = means(points, (*_NOSE_BASE, *_EYES, *_OUTER_LIPS, *_INNER_LIPS))
    return np.concatenate([*curves, rest], axis=1).astype(np.float32)


def mesh_to_106(points: Float32[np.ndarray, "n 478 2"]) -> Float32[np.ndarray, "n 106 2"]:
    """478 points to 106: as `mesh_to_68`, with both edges of the brows, and the irises."""
    edges = [
        evenly(points[:, edge], 5)[:, part]
        for (upper, lower), inner in zip(_BROWS, (slice(1, 5), slice(0, 4)), strict=True)
        for edge, part in ((upper, slice(None)), (lower, inner))
    ]
    ridge = evenly(points[:, _RIDGE], 4)
    sides, mouth = means(points, _NOSE_106), means(points, _MOUTH_106)
    parts = [_jaw(points, 16), *edges, means(points, _EYES_106), ridge, sides, mouth]
    return np.concatenate(parts, axis=1).astype(np.float32)


def points_106_to_68(points: Float32[np.ndarray, "n 106 2"]) -> Float32[np.ndarray, "n 68 2"]:
    """106 points to 68. The contour of 106 begins one step higher up than the jaw of 68 does."""
    jaw = [evenly(points[:, 1:17], 9), evenly(points[:, 16:32], 9)[:, 1:]]
    return np.concatenate([*jaw, means(points, _68_OF_106)], axis=1).astype(np.float32)


WAYS: dict[tuple[str, str], Callable[..., np.ndarray]] = {
    ("478", "106"): mesh_to_106,
    ("478", "68"): mesh_to_68,
    ("478", "5"): mesh_to_5,
    ("106", "68"): points_106_to_68,
    ("106", "5"): points_106_to_5,
    ("68", "5"): points_68_to_5,
}
"""Every way, by the schemes that it leads from and to."""


def means(points: Float32[np.ndarray, "n k 2"], parts: Parts) -> Float32[np.ndarray, "n m 2"]:
    """The mean of each of these groups of points."""
    mixing = np.zeros((len(parts), points.shape[1]), np.float32)
    for row, part in enumerate(parts):
        mixing[row, list(part)] = 1 / len(part)
    return mixing @ points


def evenly(curves: Float[np.ndarray, "n v 2"], count: int) -> Float64[np.ndarray, "n count 2"]:
    """Points at equal steps along each curve, its ends included; `count` is at least 2."""
    return _at(curves, _lengths(curves)[:, -1:] * np.linspace(0, 1, count))


def _lengths(curves: Float[np.ndarray, "n v 2"]) -> Float64[np.ndarray, "n v"]:
    """How far along its curve each vertex lies."""
    steps = np.linalg.norm(np.diff(curves.astype(np.float64), axis=1), axis=2)
    return np.concatenate([np.zeros((len(curves), 1)), steps.cumsum(axis=1)], axis=1)


def _at(
    curves: Float[np.ndarray, "n v 2"], lengths: Float64[np.ndarray, "n k"]
) -> Float64[np.ndarray, "n k 2"]:
    """The points at some lengths along each curve."""
    along = _lengths(curves)
    before = (along[:, None, 1:-1] <= lengths[:, :, None]).sum(axis=2)
    start, end = (np.take_along_axis(along, before + k, axis=1) for k in (0, 1))
    share = np.clip((lengths - start) / np.maximum(end - start, 1e-12), 0, 1)[:, :, None]
    a, b = (np.take_along_axis(curves, (before + k)[:, :, None], axis=1) for k in (0, 1))
    return a * (1 - share) + b * share


def _jaw(
    points: Float32[np.ndarray, "n 478 2"], steps: int, further: float = 1.0
) -> Float64[np.ndarray, "n 2*{steps}+1 2"]:
    """The outline from the right ear to the left: so many equal steps to the chin, and on.

    `further` stretches it down from the ears.
    """
    outline = _outline(points, further)
    along = _lengths(outline)
    chin = np.linalg.norm(outline - points[:, _CHIN, None], axis=2).argmin(axis=1)
    middle = np.take_along_axis(along, chin[:, None], axis=1)
    shares = np.linspace(0, 1, steps + 1)
    lengths = [middle * shares, (middle + (along[:, -1:] - middle) * shares)[:, 1:]]
    return _at(outline, np.concatenate(lengths, axis=1))


_SWEEP = np.linspace(-0.99 * np.pi, 0.99 * np.pi, 181)
_TOWARDS = np.stack([np.sin(_SWEEP), np.cos(_SWEEP)])
"""Directions from nearly up, by the picture's left and down, to nearly up: x and y."""


def _outline(
    points: Float32[np.ndarray, "n 478 2"], further: float
) -> Float64[np.ndarray, "n s 2"]:
    """The convex outline of each face below the ears, from the right ear by the chin to the left.

    In each direction the vertex that reaches farthest, the face upright: from between the eyes
    straight down to the chin, which holds in profile too. Vertices above an ear are first brought
    down to its height, so that the outline begins there.
    """
    way = points[:, _CHIN].astype(np.float64) - points[:, _RIDGE[0]]
    length = np.linalg.norm(way, axis=1, keepdims=True)
    down = np.where(length > 0, way / np.where(length > 0, length, 1), (0.0, 1.0))
    turn = np.stack([down[:, ::-1] * (1, -1), down], axis=2)  # columns: across the face, down it
    upright = points @ turn
    half = len(_SWEEP) // 2
    farthest = []
    for ear, towards in zip(_EARS, (_TOWARDS[:, :half], _TOWARDS[:, half:]), strict=True):
        below = upright.copy()
        below[:, :, 1] = np.maximum(upright[:, :, 1], upright[:, ear, None, 1])
        best = (below @ towards).argmax(axis=1)
        side = np.take_along_axis(below, best[:, :, None], axis=1)
        start = upright[:, ear, None, 1]
        side[:, :, 1] = start + further * (side[:, :, 1] - start)
        farthest.append(side)
    return np.concatenate(farthest, axis=1) @ turn.transpose(0, 2, 1)
