"""Portraits become photos: crops, backdrops, groups, crowds."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from PIL import Image as Pil

from album.generator import FRAME, Array
from album.scenes import mountains, plaster
from album.studio import Portrait, Rng

SIZES = ((368, 460), (384, 384), (460, 368), (345, 460), (416, 416))


@dataclass
class Photo:
    """A picture, upright, and who is where on it: (person, box xyxy px)."""

    kind: str
    pixels: Array
    faces: list[tuple[int, Array]] = field(default_factory=list)

    def turned(self, quarters: int) -> Photo:
        """The photo with its pixels turned counter-clockwise by quarter turns."""
        pixels, faces = self.pixels, self.faces
        for _ in range(quarters):
            width = pixels.shape[1]
            pixels = np.rot90(pixels)
            faces = [(p, np.array([b[1], width - b[2], b[3], width - b[0]])) for p, b in faces]
        return Photo(self.kind, np.ascontiguousarray(pixels), faces)


def crop(portrait: Portrait, window: Array, size: tuple[int, int], kind: str) -> Photo:
    """The part of a portrait inside `window` (xyxy px), at `size` (width, height)."""
    picture = Pil.fromarray(portrait.pixels)
    left, top, right, bottom = map(float, window)
    pixels = np.array(picture.resize(size, Pil.Resampling.LANCZOS, (left, top, right, bottom)))
    scale = np.array(size) / (window[2:] - window[:2])
    box = (portrait.box.reshape(2, 2) - window[:2]) * scale
    return Photo(kind, pixels, [(portrait.person, box.clip(0, size).ravel())])


def close(portrait: Portrait, rng: Rng, kind: str = "plain") -> Photo:
    """Head and shoulders; the whole face is in."""
    size = SIZES[rng.integers(len(SIZES))]
    extent = np.array(size) / max(size) * FRAME * rng.uniform(0.8, 1.0)
    low = np.maximum(portrait.box[2:] + 16 - extent, 0)
    high = np.maximum(np.minimum(FRAME - extent, portrait.box[:2] - 16), low)
    corner = rng.uniform(low, high)
    return crop(portrait, np.concatenate([corner, np.minimum(corner + extent, FRAME)]), size, kind)


def cut(portrait: Portrait, rng: Rng, side: int) -> Photo:
    """A face that the left, top, right or bottom edge (`side` 0..3) cuts off."""
    window, visible = np.array([0.0, 0.0, FRAME, FRAME]), rng.uniform(0.55, 0.75)
    axis = side % 2
    near, far = portrait.box[axis], portrait.box[axis + 2]
    window[side] = far - visible * (far - near) if side < 2 else near + visible * (far - near)
    extent = window[2:] - window[:2]
    width, height = (extent / extent.max() * 420).round().astype(int)
    return crop(portrait, window, (int(width), int(height)), "cut")


def backdrop(portrait: Portrait, size: tuple[int, int]) -> Array:
    """What lies behind the person, spread over the whole canvas out of focus; float 0..255."""
    small = cv2.resize(portrait.pixels, (64, 64), interpolation=cv2.INTER_AREA).astype(np.float32)
    matte = cv2.resize(portrait.matte, (64, 64), interpolation=cv2.INTER_AREA)
    known = (cv2.dilate(matte, np.ones((5, 5))) < 0.05).astype(np.float32)
    known[:2] += 1e-2  # the top rows stand in where a person fills the frame
    filled = np.zeros_like(small)
    for sigma in (32, 16, 8, 4, 2):  # coarse colour first; finer wherever the background is seen
        weight = cv2.GaussianBlur(known, (0, 0), sigma)[..., None]
        colour = cv2.GaussianBlur(small * known[..., None], (0, 0), sigma) / (weight + 1e-6)
        trust = np.clip(weight * 4, 0, 1)
        filled = filled * (1 - trust) + colour * trust if sigma < 32 else colour
    width, height = size
    return cv2.resize(filled, (width, height), interpolation=cv2.INTER_CUBIC).clip(0, 255)


def cutout(portrait: Portrait, side: int) -> tuple[Array, Array, int]:
    """A person at `side` px, completed where the generator's frame cuts them off.

    Returns float RGB, matte with a last axis of 1, and the margin above and beside the frame in
    px. Hair that touches the top goes on as a mirror image under an arch, shoulders under a
    falling line: no straight edge shows.
    """
    pad = round(side * 0.16)
    rgb = cv2.resize(portrait.pixels, (side, side), interpolation=cv2.INTER_AREA)
    rgb = cv2.copyMakeBorder(rgb, pad, 0, pad, pad, cv2.BORDER_REFLECT_101).astype(np.float32)
    matte = cv2.resize(portrait.matte, (side, side), interpolation=cv2.INTER_AREA)
    matte = ((matte - 0.1) / 0.8).clip(0, 1)
    above = np.arange(side) < 0.8 * side  # of the shoulders: hair fades out at the sides
    ramp = (np.minimum(np.arange(side), np.arange(side)[::-1]) / (0.06 * side)).clip(0, 1)
    matte[above] *= ramp
    matte = cv2.copyMakeBorder(matte, pad, 0, pad, pad, cv2.BORDER_REPLICATE)
    for step in range(1, pad + 1):
        drop = round(0.4 * step + side * 0.3 * (step / pad) ** 2)
        for column in (pad - step, pad + side - 1 + step):
            matte[:, column] = np.concatenate([np.zeros(drop), matte[: len(matte) - drop, column]])
    touching = np.flatnonzero(matte[pad] > 0.5)
    centre, half = touching.mean() if len(touching) else 0.0, len(touching) / 2
    arch = max(min(pad, 1.5 * half**2 / side), 1.0)  # the sagitta of a round head
    height = np.arange(pad, 0, -1)[:, None] / arch
    across = np.abs(np.arange(matte.shape[1]) - centre) / max(half, 1)
    matte[:pad] *= (across**2 + height**2 < 1).astype(np.float32)
    return rgb, cv2.GaussianBlur(matte, (0, 0), 0.8)[..., None], pad


def place(photo: Photo, portrait: Portrait, left: float, top: float, side: int) -> None:
    """Put a person on a float photo so that the generator's frame lies at (left, top)."""
    rgb, matte, pad = cutout(portrait, side)
    height, width = photo.pixels.shape[:2]
    x, y = round(left) - pad, round(top) - pad
    x0, y0, x1, y1 = max(x, 0), max(y, 0), min(x + rgb.shape[1], width), min(y + len(rgb), height)
    part = np.s_[y0 - y : y1 - y, x0 - x : x1 - x]
    under = photo.pixels[y0:y1, x0:x1]
    photo.pixels[y0:y1, x0:x1] = under + (rgb[part] - under) * matte[part]
    box = portrait.box * side / FRAME + np.tile([round(left), round(top)], 2)
    photo.faces.append((portrait.person, box.clip(0, [width, height] * 2)))


def wide(portrait: Portrait, rng: Rng, kind: str = "plain") -> Photo:
    """The person smaller and off centre, before their own background."""
    size = ((496, 372), (384, 460), (516, 344))[rng.integers(3)]
    photo = Photo(kind, backdrop(portrait, size))
    side = round(min(size) * rng.uniform(0.72, 0.92))
    left = rng.uniform(0, size[0] - side)
    place(photo, portrait, left, size[1] - side, side)
    return photo


def group(portraits: list[Portrait], rng: Rng) -> Photo:
    """People side by side; from five on in two rows, the second behind a wall."""
    count = len(portraits)
    front = count if count < 5 else count // 2 + 1
    width, pitch = {2: 480, 3: 600}.get(count, 720), 0.84
    side = round(width * 0.98 / (pitch * (front - 1) + 1))
    height = round(side * (1.25 if front == count else 2.05))
    photo = Photo("group", backdrop(portraits[0], (width, height)))
    for row, members in ((1, portraits[front:]), (0, portraits[:front])):
        floor = round(height - 0.88 * side * row)
        start = (width - side * (pitch * (len(members) - 1) + 1)) / 2
        for index in rng.permutation(len(members)):
            own = round(side * rng.uniform(0.92, 1.02))
            place(photo, members[index], start + pitch * side * index, floor - own, own)
        if members and row:
            build_wall(photo, floor, rng)
    return photo


def crowd(portraits: list[Portrait], rng: Rng) -> Photo:
    """People far away, behind a wall: faces of 24 to 40 px in a large scene."""
    width, height = size = (960, 640)
    photo = Photo("tiny", mountains(size, rng))
    edge = round(height * rng.uniform(0.72, 0.8))
    places = rng.permutation(np.linspace(0.12, 0.84, len(portraits) + 2))[: len(portraits)]
    for portrait, where in zip(portraits, places, strict=True):
        face = portrait.box[2] - portrait.box[0]
        side = round(rng.uniform(25, 38) * FRAME / face)
        place(photo, portrait, where * width, edge - side * 0.97, side)
    build_wall(photo, edge, rng)
    return photo


def build_wall(photo: Photo, edge: int, rng: Rng) -> None:
    """Hide everything below row `edge` behind a wall."""
    height, width = photo.pixels.shape[:2]
    wall = plaster((width, height), rng) * 0.75
    wall[edge : edge + 5] *= 1.25
    photo.pixels[edge:] = wall[edge:]
