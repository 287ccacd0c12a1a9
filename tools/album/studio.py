"""Portraits of people who do not exist: a person, a pose, a look."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
import onnxruntime

from album.generator import AXES, FRAME, Array, Find, Generator

Rng = np.random.Generator

#: Rows of the seeded draw: 24 people, chosen by eye to be of many kinds and unlike each other.
PEOPLE = (177, 256, 141, 110, 266, 91, 257, 155, 270, 124, 244, 119)
PEOPLE += (148, 13, 162, 112, 103, 109, 30, 199, 230, 268, 249, 251)


class Detector:
    """YuNet by OpenCV's own decoding: the truth does not come from the code that it tests."""

    def __init__(self, find: Find) -> None:
        path = str(find("face_detection_yunet_2023mar.onnx"))
        self._side = 512
        self._net = cv2.FaceDetectorYN.create(path, "", (self._side, self._side), 0.4)

    def __call__(self, picture: Array) -> tuple[Array, Array] | None:
        """Box (4,) and points (5, 2) of the one face of a square picture; None if not just one."""
        small = cv2.resize(picture, (self._side, self._side), interpolation=cv2.INTER_AREA)
        _, rows = self._net.detect(np.ascontiguousarray(small[..., ::-1]))
        if rows is None or len(rows) > 1:
            return None
        row = rows[0] * (len(picture) / self._side)
        return np.concatenate([row[:2], row[:2] + row[2:4]]), row[4:14].reshape(5, 2)


@dataclass
class Portrait:
    """One generated picture, its face box, and its matte when somebody asks for it."""

    person: int
    pixels: Array
    box: Array
    matting: Callable[[Array], Array]

    @cached_property
    def matte(self) -> Array:
        """(FRAME, FRAME) float32 in 0..1: how much of each pixel is the person."""
        return self.matting(self.pixels)

    @property
    def cut_off(self) -> float:
        """The share of the frame's top, and of its sides above the shoulders, that is person."""
        upper = self.matte[: int(0.7 * FRAME)]
        return float(np.concatenate([upper[0], upper[:, 0], upper[:, -1]]).mean())


class Studio:
    """Takes portraits: a person, a pose, a look."""

    def __init__(self, find: Find, samples: int = 160) -> None:
        self._generator = Generator(find)
        self._detector = Detector(find)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._matting = onnxruntime.InferenceSession(str(find("modnet.onnx")), options)
        self._directions = self._learn_directions(samples)

    def _learn_directions(self, samples: int) -> dict[str, Array]:
        """Yaw, pitch and smile as directions of the style space, one standard deviation long."""
        generator, coordinates, measures = self._generator, [], []
        for draw in range(samples):
            if found := self._detector(generator.picture(generator.style(draw))):
                right, left, nose, mouth_r, mouth_l = found[1]
                eyes, mouth = (right + left) / 2, (mouth_r + mouth_l) / 2
                height = np.linalg.norm(mouth - eyes)
                yaw = (nose - (eyes + mouth) / 2)[0] / height
                pitch = (nose - eyes)[1] / (mouth - eyes)[1]
                smile = np.linalg.norm(mouth_l - mouth_r) / np.linalg.norm(left - right)
                coordinates.append(generator.coordinates[draw])
                measures.append((yaw, pitch, smile))
        x, y = np.array(coordinates), np.array(measures)
        slopes = np.linalg.solve(x.T @ x + 20 * np.eye(AXES), x.T @ (y - y.mean(axis=0)))
        slopes /= np.linalg.norm(slopes, axis=0)
        return dict(zip(("yaw", "pitch", "smile"), slopes.T @ generator.axes, strict=True))

    def _matte(self, pixels: Array) -> Array:
        small = cv2.resize(pixels, (512, 512), interpolation=cv2.INTER_AREA)
        tensor = (small.astype(np.float32) / 127.5 - 1).transpose(2, 0, 1)[None]
        matte = np.asarray(self._matting.run(None, {"input": tensor})[0])[0, 0]
        # Only the person in the middle: the matte takes in bystanders too.
        _, parts = cv2.connectedComponents((matte > 0.05).astype(np.uint8))
        matte *= parts == parts[280, 256]
        return cv2.resize(matte, (FRAME, FRAME), interpolation=cv2.INTER_LINEAR)

    def portrait(self, person: int, rng: Rng, turn: float = 0.7) -> Portrait:
        """A new picture of a person of `PEOPLE`. `turn`: spread of the yaw, in its own scale."""
        for _ in range(8):  # again where the background shows somebody else, which happens
            pixels = self._generator.picture(self._look(person, rng, turn))
            if found := self._detector(pixels):
                return Portrait(person, pixels, found[0], self._matte)
        raise RuntimeError(f"no portrait of person {person} has just one face: choose another")

    def standing_clear(self, person: int, rng: Rng, turn: float = 0.4) -> Portrait:
        """A portrait to be cut out: of up to four, the one that the frame cuts off least."""
        tries = []
        for _ in range(4):
            tries.append(self.portrait(person, rng, turn))
            if tries[-1].cut_off < 0.1:
                break
        return min(tries, key=lambda portrait: portrait.cut_off)

    def _look(self, person: int, rng: Rng, turn: float) -> Array:
        """(LAYERS, 512): the style of a person, in a pose and light of the moment."""
        style = self._generator.style(PEOPLE[person])

        def anything() -> Array:
            return rng.standard_normal(AXES) @ self._generator.axes

        style[:2] += 0.35 * anything()  # hair, hat, background
        style[2:5] += 0.1 * anything()  # identity lives here and in 5 to 11: hardly moved
        style[11:] += 0.4 * anything()  # colour and light
        turned, nodded, smiled = rng.standard_normal(3) * (turn, 0.5, 1.0)
        style[:8] += np.clip(turned, -1.4, 1.4) * self._directions["yaw"]
        style[:5] += np.clip(nodded, -1.2, 1.2) * self._directions["pitch"]
        style[2:8] += np.clip(smiled, -1.7, 1.7) * self._directions["smile"]
        return style
