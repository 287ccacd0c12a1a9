"""A stage for videos with known truth: pictures of faces that move before a background.

Nobody labelled these videos: who is where in each frame is known because it was put there. A
person's picture turns slowly from one photo of theirs into the next, so that their looks change as
they move; those who stand further to the front cover those behind. What a face's box encloses is
the detector's own convention, taken from the still photo.

Such a video is easier than a recording in some ways (no profile, no motion blur of its own, flat
light) and harder in others (faces pass closely and often). It tells trackers apart; it does not say
how well they do on recordings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float64, UInt8

from lineament.core.image import Image
from lineament.core.video_writer import VideoWriter
from lineament.measure.tracking import Labelled

SIZE = (640, 360)
"""Width and height of a staged video, pixels."""
ASKED = 0.6
"""Least share of a face that is to be seen for it to be asked for. Less of one may be found, and
need not be."""
_SIDE = 192
"""Side of a portrait, pixels."""
_AROUND = 1.5
"""Side of a portrait, in heights of its face."""
_TURN = 1.6
"""Seconds from one photo of a person to the next."""
_WOOD = (90, 70, 50)


@dataclass(frozen=True, eq=False)
class Portrait:
    """A face with some of what is around it.

    Attributes:
        pixels: RGB, square.
        box: of the face, x1, y1, x2, y2, in sides of the square.
    """

    pixels: UInt8[np.ndarray, "s s 3"]
    box: Float64[np.ndarray, " 4"]


@dataclass(frozen=True)
class Place:
    """Where a face stands: its middle and its height, pixels."""

    x: float
    y: float
    height: float


Course = Callable[[float], Place | None]
"""Where a face is at a time, in seconds; None where it is away."""


@dataclass(frozen=True, eq=False)
class Actor:
    """Somebody on the stage.

    Attributes:
        person: number, from 0.
        looks: portraits of them, at least one.
        course: where they are.
    """

    person: int
    looks: Sequence[Portrait]
    course: Course


@dataclass(frozen=True, eq=False)
class Shot:
    """One setting; a cut lies between two.

    Attributes:
        start: seconds from which it is shown.
        actors: those in front come later.
        seed: of the background, a smooth pattern.
        posts: upright bars before everybody, as first and last column.
        camera: by how many pixels (x, y) all is shifted at a time.
        blur: radius in pixels by which all is blurred at a time.
    """

    start: float
    actors: Sequence[Actor]
    seed: int
    posts: Sequence[tuple[int, int]] = ()
    camera: Callable[[float], tuple[float, float]] = lambda seconds: (0.0, 0.0)
    blur: Callable[[float], float] = lambda seconds: 0.0


@dataclass(frozen=True, eq=False)
class Play:
    """A staged video.

    Attributes:
        shots: in turn; the first begins at 0.
        times: of the frames, seconds, rising.
    """

    shots: Sequence[Shot]
    times: Sequence[float]


@dataclass(frozen=True, eq=False)
class Truth:
    """Who is to be seen in a frame.

    Attributes:
        asked: those who must be found.
        ignored: boxes of those who are covered for the most part.
    """

    asked: Labelled
    ignored: Float64[np.ndarray, "k 4"]


def portrait(image: Image, box: Float[np.ndarray, " 4"]) -> Portrait:
    """A face cut out of its photo.

    Args:
        image: the photo.
        box: of the face, as a detector gives it.
    """
    from PIL import Image as Pillow

    box = box.astype(np.float64)
    side = _AROUND * (box[3] - box[1])
    corner = (box[:2] + box[2:] - side) / 2
    part = image.cut(*(round(v) for v in (*corner, *(corner + side))))
    pixels = part.resize((_SIDE, _SIDE), Pillow.Resampling.BICUBIC, reducing_gap=2.0)
    return Portrait(np.asarray(pixels), (box - np.tile(corner, 2)) / side)


def film(play: Play, path: Path) -> list[Truth]:
    """Play it, and encode it as a video file; the truth of each frame."""
    truths = []
    with VideoWriter(path, threads=1) as writer:
        for (pixels, truth), seconds in zip(frames(play), play.times, strict=True):
            writer.write(Image(pixels), seconds)
            truths.append(truth)
    return truths


def frames(play: Play) -> Iterator[tuple[UInt8[np.ndarray, "h w 3"], Truth]]:
    """Each frame with its truth."""
    grounds = [_background(shot.seed) for shot in play.shots]
    starts = [shot.start for shot in play.shots]
    for seconds in play.times:
        now = int(np.searchsorted(starts, seconds, side="right")) - 1
        yield _frame(play.shots[now], grounds[now], seconds)


def _background(seed: int) -> UInt8[np.ndarray, "h w 3"]:
    """Larger than a frame by half, for the camera to move over."""
    from PIL import Image as Pillow

    rough = np.random.default_rng(seed).integers(40, 200, (7, 12, 3), dtype=np.uint8)
    size = (SIZE[0] * 3 // 2, SIZE[1] * 3 // 2)
    return np.array(Pillow.fromarray(rough).resize(size, Pillow.Resampling.BICUBIC))


def _frame(
    shot: Shot, ground: UInt8[np.ndarray, "_ _ 3"], seconds: float
) -> tuple[UInt8[np.ndarray, "h w 3"], Truth]:
    from PIL import Image as Pillow
    from PIL import ImageFilter

    width, height = SIZE
    dx, dy = (round(v) for v in shot.camera(seconds))
    left = int(np.clip(width // 4 - dx, 0, width // 2))
    top = int(np.clip(height // 4 - dy, 0, height // 2))
    pixels = ground[top : top + height, left : left + width].copy()
    covers: list[tuple[int, Float64[np.ndarray, " 4"]]] = []
    for actor in shot.actors:
        if place := actor.course(seconds):
            moved = Place(place.x + dx, place.y + dy, place.height)
            covers.append((actor.person, _paste(pixels, _look(actor, seconds), moved)))
    for first, last in shot.posts:
        pixels[:, max(0, first + dx) : max(0, last + dx)] = _WOOD
        covers.append((-1, np.asarray([first + dx, 0, last + dx, height], np.float64)))
    if radius := shot.blur(seconds):
        blurred = Pillow.fromarray(pixels).filter(ImageFilter.GaussianBlur(radius))
        pixels = np.asarray(blurred)
    return pixels, _truth(covers)


def _look(actor: Actor, seconds: float) -> Portrait:
    """The actor's picture at a time: photo after photo, each turning into the next."""
    turn, share = divmod(seconds / _TURN, 1)
    share = float(np.clip(2 * share - 0.5, 0, 1))  # each is shown for itself half of the time
    this, after = (actor.looks[(int(turn) + k) % len(actor.looks)] for k in (0, 1))
    if share in (0, 1):
        return this if share == 0 else after
    blend = (1 - share) * this.pixels + share * after.pixels
    return Portrait(np.rint(blend).astype(np.uint8), (1 - share) * this.box + share * after.box)


def _paste(
    pixels: UInt8[np.ndarray, "h w 3"], look: Portrait, place: Place
) -> Float64[np.ndarray, " 4"]:
    """Lay a portrait over the frame, faded out by an oval; the box of its face."""
    from PIL import Image as Pillow

    side = max(2, round(place.height / (look.box[3] - look.box[1])))
    face = Pillow.fromarray(look.pixels).resize((side, side), Pillow.Resampling.BILINEAR)
    middle = (look.box[:2] + look.box[2:]) / 2
    x, y = round(place.x - side * middle[0]), round(place.y - side * middle[1])
    left, top = max(0, x), max(0, y)
    right, bottom = min(pixels.shape[1], x + side), min(pixels.shape[0], y + side)
    if left < right and top < bottom:
        cut = np.s_[top - y : bottom - y, left - x : right - x]
        reach = np.linspace(-1, 1, side)
        oval = np.clip(6 * (1 - np.hypot(reach, reach[:, None])), 0, 1)[cut][..., None]
        under = pixels[top:bottom, left:right]
        under[:] = np.rint(np.asarray(face)[cut] * oval + under * (1 - oval)).astype(np.uint8)
    return look.box * side + np.asarray([x, y, x, y])


def _truth(covers: Sequence[tuple[int, Float64[np.ndarray, " 4"]]]) -> Truth:
    """What is asked for, when boxes are laid over one another in this order."""
    width, height = SIZE
    owner = np.full((height, width), -1)
    for row, (_, box) in enumerate(covers):
        owner[_within(box)] = row
    seen = [
        np.count_nonzero(owner[_within(box)] == row) / max(1.0, float(np.prod(box[2:] - box[:2])))
        for row, (_, box) in enumerate(covers)
    ]
    faces = [row for row, (person, _) in enumerate(covers) if person >= 0]
    asked = [row for row in faces if seen[row] >= ASKED]
    ignored = [row for row in faces if 0 < seen[row] < ASKED]
    return Truth(
        Labelled(np.asarray([covers[row][0] for row in asked], np.int64), _boxes(covers, asked)),
        _boxes(covers, ignored),
    )


def _within(box: Float64[np.ndarray, " 4"]) -> tuple[slice, slice]:
    """The frame's rows and columns that a box takes."""
    x1, x2 = np.clip(np.rint(box[[0, 2]]), 0, SIZE[0]).astype(int)
    y1, y2 = np.clip(np.rint(box[[1, 3]]), 0, SIZE[1]).astype(int)
    return slice(y1, y2), slice(x1, x2)


def _boxes(
    covers: Sequence[tuple[int, Float64[np.ndarray, " 4"]]], rows: Sequence[int]
) -> Float64[np.ndarray, "k 4"]:
    return np.asarray([covers[row][1] for row in rows], np.float64).reshape(-1, 4)


def glide(*marks: tuple[float, Place]) -> Course:
    """A course through places at given times, straight between them; away before and after."""

    def at(seconds: float) -> Place | None:
        for (start, a), (end, b) in pairwise(marks):
            if start <= seconds <= end:
                share = (seconds - start) / (end - start)
                x, y, height = (
                    (1 - share) * u + share * v
                    for u, v in ((a.x, b.x), (a.y, b.y), (a.height, b.height))
                )
                return Place(x, y, height)
        return None

    return at
