"""Videos made for tests: faces of the sample album (of nobody) that move by known paths."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from lineament.core.image import Image
from lineament.core.media import read_image
from lineament.measure.tracking import Labelled

Place = tuple[float, float] | None
"""Centre of a face, pixels; None where it is out of sight."""


@dataclass(frozen=True, eq=False)
class Actor:
    """A face that moves.

    Attributes:
        person: of the album, such as ``p10``.
        photo: which of that person's plain photos, from 0.
        height: of the face, pixels.
        path: where it is in the frame of this number.
    """

    person: str
    photo: int
    height: int
    path: Callable[[int], Place]


@cache
def plain_photos(album: Path) -> dict[str, list[tuple[Path, tuple[float, ...]]]]:
    """Each person's plain photos of the album, with the box of the face in it."""
    rows = json.loads((album / "labels.json").read_text(encoding="utf-8"))["photos"]
    found: dict[str, list[tuple[Path, tuple[float, ...]]]] = {}
    for row in rows:
        if row["kind"] == "plain" and "duplicate_of" not in row:
            face = row["faces"][0]
            found.setdefault(face["person"], []).append((album / row["file"], tuple(face["box"])))
    return found


@cache
def cut_out(album: Path, person: str, photo: int, height: int) -> tuple[np.ndarray, np.ndarray]:
    """A face with some of what is around it, at a size, and an oval that fades it out."""
    from PIL import Image as Pillow

    path, (x1, y1, x2, y2) = plain_photos(album)[person][photo]
    image = read_image(path)
    scale = height / (y2 - y1)
    margin = 0.25 * (y2 - y1)
    part = image.cut(*(round(v) for v in (x1 - margin, y1 - margin, x2 + margin, y2 + margin)))
    size = (round(part.width * scale), round(part.height * scale))
    pixels = np.asarray(part.resize(size, Pillow.Resampling.BICUBIC, reducing_gap=2.0))
    y, x = np.mgrid[-1 : 1 : size[1] * 1j, -1 : 1 : size[0] * 1j]
    return pixels, np.clip(6 * (1 - np.hypot(x, y)), 0, 1)[..., None]


@dataclass(frozen=True, eq=False)
class Scene:
    """Actors before a background; later ones stand in front of earlier ones.

    Attributes:
        album: folder of the sample album.
        actors: who moves.
        frames: how many there are.
        size: width and height, pixels.
        seed: of the background, a smooth pattern.
        posts: upright bars in front of everybody, as first and last column.
    """

    album: Path
    actors: Sequence[Actor]
    frames: int
    size: tuple[int, int] = (640, 360)
    seed: int = 0
    posts: Sequence[tuple[int, int]] = ()

    def background(self) -> np.ndarray:
        from PIL import Image as Pillow

        rough = np.random.default_rng(self.seed).integers(40, 200, (5, 8, 3), dtype=np.uint8)
        return np.array(Pillow.fromarray(rough).resize(self.size, Pillow.Resampling.BICUBIC))

    def play(self) -> Iterator[tuple[Image, Labelled]]:
        """Each frame, and who is to be seen in it and where: person numbers and face boxes."""
        ground = self.background()
        for number in range(self.frames):
            pixels, boxes = ground.copy(), dict[int, np.ndarray]()
            for actor in self.actors:
                place = actor.path(number)
                if place is None:
                    continue
                face, oval = cut_out(self.album, actor.person, actor.photo, actor.height)
                box = self._paste(pixels, face, oval, place, actor.height)
                boxes = {who: b for who, b in boxes.items() if not _covered(b, box)}
                boxes[int(actor.person[1:])] = box
            for left, right in self.posts:
                pixels[:, left:right] = (90, 70, 50)
                post = np.asarray([left, 0, right, self.size[1]], float)
                boxes = {who: b for who, b in boxes.items() if not _covered(b, post)}
            ids = np.asarray(list(boxes), np.int64)
            yield Image(pixels), Labelled(ids, np.asarray(list(boxes.values())).reshape(-1, 4))

    def _paste(
        self, pixels: np.ndarray, face: np.ndarray, oval: np.ndarray, place: Place, height: int
    ) -> np.ndarray:
        assert place is not None
        high, wide = face.shape[:2]
        x, y = round(place[0] - wide / 2), round(place[1] - high / 2)
        left, top = max(0, x), max(0, y)
        right, bottom = min(pixels.shape[1], x + wide), min(pixels.shape[0], y + high)
        if left < right and top < bottom:
            cut = np.s_[top - y : bottom - y, left - x : right - x]
            under = pixels[top:bottom, left:right]
            under[:] = np.rint(face[cut] * oval[cut] + under * (1 - oval[cut])).astype(np.uint8)
        margin = height * 0.25
        return np.asarray([x + margin, y + margin, x + wide - margin, y + high - margin])


def _covered(box: np.ndarray, front: np.ndarray) -> bool:
    """Whether so much of a face lies behind something that nobody need find it."""
    low, high = np.maximum(box[:2], front[:2]), np.minimum(box[2:], front[2:])
    hidden = np.prod(np.maximum(high - low, 0))
    return bool(hidden > 0.4 * np.prod(box[2:] - box[:2]))


def line(
    start: Sequence[float], end: Sequence[float], first: int, last: int
) -> Callable[[int], Place]:
    """A straight path from frame `first` to frame `last`; out of sight before and after."""

    def at(frame: int) -> Place:
        if not first <= frame <= last:
            return None
        t = (frame - first) / max(1, last - first)
        return start[0] + t * (end[0] - start[0]), start[1] + t * (end[1] - start[1])

    return at
