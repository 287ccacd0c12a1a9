"""What MediaPipe itself finds on pictures of the album: the reference of our landmarker's test.

    python -m venv reference && reference/bin/pip install . mediapipe==1.2.2
    reference/bin/python tools/mediapipe_reference.py tests/see/data/mediapipe_album.npz

For each face: the square that MediaPipe looked at (its detector's box, enlarged and turned as its
graph does), and the points, in 32nds of a pixel, and the blendshapes that it gave. MediaPipe does
not hand its squares out, and its detector's boxes only in whole pixels, so BlazeFace is run and
decoded here; its faces are matched to MediaPipe's by the eyes. Other pictures may be named.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from zipfile import ZipFile

import cv2
import mediapipe as mp
import numpy as np
from mediapipe.tasks.python import BaseOptions, vision

from lineament.core.media import read_image
from lineament.core.tflite import read_tflite, to_onnx
from lineament.core.weights import fetch
from lineament.see.landmarks.face_landmarker import CARD

ALBUM = Path(__file__).parents[1] / "examples" / "album"
PICTURES = (
    "IMG_0001.jpg",
    "IMG_0020.jpg",
    "2018/lake/IMG_0038.jpg",
    "2021/wedding/IMG_0102.jpg",
    "phone/IMG_0120.jpg",
)
SIZE = 128
SCORE, OVERLAP = 0.5, 0.5


class BlazeFace:
    """MediaPipe's short-range face detector, decoded as its face detector graph does."""

    def __init__(self, task: Path) -> None:
        import onnxruntime

        graph = read_tflite(ZipFile(task).read("face_detector.tflite"))
        network = onnxruntime.InferenceSession(to_onnx(graph).SerializeToString())
        self.run = partial(network.run, None)
        grids = [(16, 2), (8, 6)]
        self.anchors = np.concatenate([self._grid(cells, each) for cells, each in grids])

    @staticmethod
    def _grid(cells: int, each: int) -> np.ndarray:
        y, x = np.mgrid[:cells, :cells]
        return np.repeat(np.stack([x, y], 2).reshape(-1, 2) + 0.5, each, axis=0) / cells

    def __call__(self, pixels: np.ndarray) -> list[np.ndarray]:
        """Of each face x1, y1, x2, y2 and six points, as 8 x 2, in the picture's pixels."""
        height, width = pixels.shape[:2]
        side = max(width, height)
        shift = np.array([width - side, height - side]) / 2
        matrix = np.array([[1.0, 0, -shift[0]], [0, 1, -shift[1]]]) * SIZE / side
        crop = cv2.warpAffine(pixels, matrix, (SIZE, SIZE), flags=cv2.INTER_LINEAR)
        values = crop[None].astype(np.float32) / 127.5 - 1
        raw, logits = (np.asarray(out)[0] for out in self.run({"input0": values}))
        scores = 1 / (1 + np.exp(-np.clip(logits[:, 0], -100, 100)))
        points = (raw.reshape(-1, 8, 2) / SIZE)[scores >= SCORE]
        scores, anchors = scores[scores >= SCORE], self.anchors[scores >= SCORE]
        centres, halves = points[:, 0] + anchors, points[:, 1] / 2
        points[:, 0], points[:, 1] = centres - halves, centres + halves
        points[:, 2:] += anchors[:, None]
        return [face * side + shift for face in merged(points, scores)]


def merged(points: np.ndarray, scores: np.ndarray) -> list[np.ndarray]:
    """Candidates that overlap, averaged by their scores: MediaPipe's weighted suppression."""
    left, faces = np.argsort(-scores), []
    while len(left):
        low = np.maximum(points[left[0], 0], points[left, 0])
        high = np.minimum(points[left[0], 1], points[left, 1])
        shared = np.prod(np.maximum(high - low, 0), axis=1)
        area = np.prod(points[left, 1] - points[left, 0], axis=1)
        same = shared / (area[0] + area - shared) > OVERLAP
        chosen = left[same]
        weights = scores[chosen] / scores[chosen].sum()
        faces.append(np.einsum("n,nij->ij", weights, points[chosen]))
        left = left[~same]
    return faces


def square(face: np.ndarray) -> np.ndarray:
    """Centre, width, height and angle of what the landmarker looks at."""
    across = face[3] - face[2]
    return np.array(
        [*(face[0] + face[1]) / 2, *1.5 * (face[1] - face[0]), np.arctan2(across[1], across[0])]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("pictures", type=Path, nargs="*")
    arguments = parser.parse_args()
    task = fetch(CARD.weights[0])
    options = vision.FaceLandmarkerOptions(
        base_options=BaseOptions(model_asset_path=str(task)),
        output_face_blendshapes=True,
        num_faces=10,
    )
    detector, columns = BlazeFace(task), {"names": [], "squares": [], "points": [], "scores": []}
    pictures = arguments.pictures or [ALBUM / name for name in PICTURES]
    with vision.FaceLandmarker.create_from_options(options) as landmarker:
        for path in pictures:
            pixels = np.ascontiguousarray(read_image(path).pixels)
            size = np.array(pixels.shape[1::-1])
            found = landmarker.detect(mp.Image(image_format=mp.ImageFormat.SRGB, data=pixels))
            faces = detector(pixels)
            for landmarks, blendshapes in zip(
                found.face_landmarks, found.face_blendshapes, strict=True
            ):
                points = np.array([(p.x, p.y) for p in landmarks]) * size
                eyes = points[[468, 473]]
                nearest = min(faces, key=lambda face: np.abs(face[2:4] - eyes).sum())
                name = path.relative_to(ALBUM) if path.is_relative_to(ALBUM) else path
                columns["names"].append(str(name))
                columns["squares"].append(square(nearest))
                columns["points"].append(points)
                columns["scores"].append([category.score for category in blendshapes])
    arguments.out.parent.mkdir(exist_ok=True)
    np.savez_compressed(
        arguments.out,
        names=np.array(columns["names"]),
        squares=np.array(columns["squares"], np.float32),
        points=np.round(np.array(columns["points"]) * 32).astype(np.int16),
        scores=np.array(columns["scores"], np.float16),
    )


if __name__ == "__main__":
    main()
