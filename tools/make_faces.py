"""Make a folder of faces of nobody to learn from: no person, no label, no terms but Apache-2.0.

Each face is a draw of MobileStyleGAN's (Belousov, arXiv:2104.04767) with two styles: one for the
coarse layers, which place and turn the head, one for the fine ones, which colour and light it
(StyleGAN's mixing, arXiv:1812.04948, section 3.1). Faces that are there already are not made again.

Usage::

    python tools/make_faces.py faces --count 3000      # then: lineament train ... --faces faces
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import openvino
from PIL import Image as Pil

from album.generator import LAYERS, Array, Find, one_style_per_layer
from make_album import finder

SEED = 7
COARSE = 8
"""Layers that take the first style."""
SIDE = 256
"""Of the pictures kept, pixels; a quarter of what is drawn."""
DRAWS = 2000
"""Styles whose mean is the middle of the style space."""


class Mixer:
    """Faces by number.

    Args:
        find: how a weight's file name becomes a path.
    """

    def __init__(self, find: Find) -> None:
        core = openvino.Core()
        core.set_property("CPU", {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32"})

        def read(name: str) -> openvino.Model:
            return core.read_model(find(f"{name}.xml"), find(f"{name}.bin"))

        self._mapping = core.compile_model(read("MappingNetwork"), "CPU")
        synthesis = one_style_per_layer(read("SynthesisNetwork"))
        self._synthesis = core.compile_model(synthesis, "CPU")
        draws = np.random.default_rng(0).standard_normal((DRAWS, 1, 512)).astype(np.float32)
        self._mean = np.concatenate([self._mapping(draw)[0] for draw in draws]).mean(axis=0)

    def __call__(self, number: int) -> Array:
        """The face of a number: 1024 x 1024 x 3, uint8 RGB."""
        rng = np.random.default_rng((SEED, number))
        draws = rng.standard_normal((2, 1, 512)).astype(np.float32)
        first, second = (self._mapping(draw)[0][0] - self._mean for draw in draws)
        styles = np.empty((LAYERS, 512), np.float32)
        styles[:COARSE] = self._mean + rng.uniform(0.8, 1.05) * first
        styles[COARSE:] = self._mean + 0.85 * second
        values = self._synthesis(styles)[0][0]
        return ((values.clip(-1, 1) + 1) * 127.5).round().astype(np.uint8).transpose(1, 2, 0)


def fill(folder: Path, numbers: range, face: Callable[[int], Array]) -> None:
    """Write the faces of some numbers that the folder does not hold yet."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        path = folder / f"{number:05d}.jpg"
        if not path.exists():
            partial = path.with_suffix(".part")
            small = Pil.fromarray(face(number)).resize((SIDE, SIDE), Pil.Resampling.BOX)
            small.save(partial, "JPEG", quality=95)
            partial.replace(path)


def main() -> None:
    """Read the command line and make the faces."""
    parser = argparse.ArgumentParser(description="Make a folder of generated faces.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=3000)
    parser.add_argument("--weights", type=Path, help="folder that holds the weights already")
    arguments = parser.parse_args()
    fill(arguments.folder, range(arguments.count), Mixer(finder(arguments.weights)))


if __name__ == "__main__":
    main()
