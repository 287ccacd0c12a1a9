"""Make a folder of generated faces at a fraction of the cost of `make_faces.py`; a little softer.

The generator draws 1024 x 1024 pixels, of which 256 x 256 are kept. Most of its time goes into what
is averaged away again. So it is cut where its maps are 128 x 128, and a linear map of the 512
numbers that stand there (as they are, and as the next style weighs them) gives four pixels of the
small picture. The map is the least-squares fit over faces that were drawn in full; it is kept
beside the faces. A face has the same number here and in `make_faces.py`.

Usage::

    python tools/make_quick_faces.py faces --first 3000 --count 16000
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import openvino

from album.generator import Array, Find, one_style_per_layer
from make_album import finder
from make_faces import SIDE, Mixer, fill

MAPS = ("LeakyRelu_542", "Mul_556")
"""The last maps of 128 x 128, before and after the next layer's style weighs them."""
CELLS = SIDE // 2
"""Side of these maps; each cell gives 2 x 2 pixels."""
EXAMPLES = range(50_000, 50_060)
"""Faces that the map is fitted to; none of them is among those made."""
SHARE = 4
"""One cell of so many is looked at in each."""
RIDGE = 1e-6
"""Of the fit, as a share of the features' mean energy."""


class QuickMixer(Mixer):
    """Faces by number, 256 x 256.

    Args:
        find: how a weight's file name becomes a path.
        kept: file of the linear map, made where it is absent.
    """

    def __init__(self, find: Find, kept: Path) -> None:
        super().__init__(find)
        self._cut = _cut(find)
        if not kept.is_file():
            kept.parent.mkdir(parents=True, exist_ok=True)
            np.save(kept, self._fit())
        self._map = np.load(kept).astype(np.float32)
        self._synthesis = self._draw

    def _fit(self) -> Array:
        """The map, 513 x 12, from faces drawn in full."""
        full, seen = self._synthesis, []
        self._synthesis = lambda styles: seen.append(styles) or full(styles)
        gram, product = np.zeros((513, 513)), np.zeros((513, 12))
        for number in EXAMPLES:
            picture = self(number).astype(np.float64) / 127.5 - 1
            rows = np.random.default_rng(number).permutation(CELLS**2)[: CELLS**2 // SHARE]
            features = self._features(seen.pop())[:, rows].astype(np.float64)
            gram += features @ features.T
            product += features @ _cells(picture)[rows]
        self._synthesis = full
        return np.linalg.solve(gram + RIDGE * np.trace(gram) / 513 * np.eye(513), product)

    def _features(self, styles: Array) -> Array:
        """513 x cells: both maps, and a row of ones."""
        maps = self._cut(styles)
        ones = np.ones((1, CELLS**2), np.float32)
        return np.concatenate([maps[0][0].reshape(256, -1), maps[1][0].reshape(256, -1), ones])

    def _draw(self, styles: Array) -> tuple[tuple[Array]]:
        """As the whole network answers, at a quarter of its side: 3 x 256 x 256 in -1 to 1."""
        values = (self._map.T @ self._features(styles)).reshape(2, 2, 3, CELLS, CELLS)
        return ((values.transpose(2, 3, 0, 4, 1).reshape(3, SIDE, SIDE),),)


def _cells(picture: Array) -> Array:
    """Cells x 12: the 2 x 2 pixels of each cell of a picture brought to 256 x 256."""
    step = len(picture) // SIDE
    small = picture.reshape(SIDE, step, SIDE, step, 3).mean(axis=(1, 3))
    return small.reshape(CELLS, 2, CELLS, 2, 3).transpose(0, 2, 1, 3, 4).reshape(-1, 12)


def _cut(find: Find) -> openvino.CompiledModel:
    core = openvino.Core()
    core.set_property("CPU", {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32"})
    network = core.read_model(find("SynthesisNetwork.xml"), find("SynthesisNetwork.bin"))
    network = one_style_per_layer(network)
    last = network.get_results()[0]
    nodes = {node.get_friendly_name(): node for node in network.get_ops()}
    network.add_outputs([nodes[name].output(0) for name in MAPS])
    network.remove_result(last)
    return core.compile_model(network, "CPU")


def main() -> None:
    """Read the command line and make the faces."""
    parser = argparse.ArgumentParser(description="Make a folder of generated faces, quickly.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--first", type=int, default=3000, help="number of the first face")
    parser.add_argument("--count", type=int, default=16_000)
    parser.add_argument("--weights", type=Path, help="folder that holds the weights already")
    arguments = parser.parse_args()
    quick = QuickMixer(finder(arguments.weights), arguments.folder / "map.npy")
    numbers = range(arguments.first, arguments.first + arguments.count)
    fill(arguments.folder, numbers, quick)


if __name__ == "__main__":
    main()
