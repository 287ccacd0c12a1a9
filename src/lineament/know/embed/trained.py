"""Embedders out of files that `lineament train` wrote (`core.trained`)."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from jaxtyping import Float32, UInt8

from lineament.core.cards import method
from lineament.core.errors import BadInput
from lineament.core.sessions import Session
from lineament.core.trained import Trained
from lineament.know.embed.network import OnnxEmbedder
from lineament.learn.recognition.crops import shrunk


class TrainedEmbedder(OnnxEmbedder):
    """A network of a file, which says itself how large a square it sees.

    Args:
        file: ONNX, as `lineament train` writes it.
        flip: also embed each mirrored crop and add the two vectors before normalising.
        threads: of the network; None lets ONNX Runtime choose.

    Raises:
        WeightError: the file is absent, damaged, or of another making.
        UnknownMethod: it is of a method that is not here.
        BadInput: it makes no embeddings.
    """

    def __init__(self, file: Path, *, flip: bool = False, threads: int | None = None) -> None:
        self._file = file
        super().__init__(flip=flip, threads=threads)
        about = Trained.of(self._session.metadata, str(file))
        self.card = method(about.method).card
        view = about.view
        if view.kind != "aligned" or about.outputs[0].field != "embeddings":
            raise BadInput("makes no embeddings: give it to --using, not to --embedder", str(file))
        self._size = view.size
        mean, std = (np.asarray(x, np.float32)[:, None, None] for x in (view.mean, view.std))
        self.offset, self.gain = 255 * mean, 1 / (255 * std)
        grey = np.full((1, view.size, view.size, 3), 128, np.uint8)
        self.dimension = self._embed(grey).shape[1]
        self._space = f"{about.method}@{hashlib.sha256(file.read_bytes()).hexdigest()[:8]}"

    def _open(self, threads: int | None) -> Session:
        return Session(self._file, threads=threads)

    @property
    def space(self) -> str:
        """Method and file."""
        return self._space

    def _embed(self, pixels: UInt8[np.ndarray, "n h w 3"]) -> Float32[np.ndarray, "n d"]:
        return super()._embed(shrunk(pixels, self._size))
