"""Search: the faces most like a face, over the stored codes themselves.

A search has two steps. A coarse scan of all faces gives candidates, and the candidates are scored
with the query's own floats. The scan decides which kind of search it is:

- exact: integer inner products of the codes with the query rounded to integers (FAISS, 8-bit
  signed scalar codes). By Cauchy and Schwarz the rounding moves a score by no more than its own
  length times a code's, so it is known when no face outside the candidates can belong to the
  answer; until then more candidates are asked for.
- approximate: a sketch of half a byte for every two numbers (product quantisation scanned in
  registers; Andre et al., "Cache locality is not enough", VLDB 2015). It reads a quarter of the
  bytes. Graphs and inverted files were tried and fall behind the exact scan on directions without
  structure: `lineament bench search` shows an inverted file beside it.

The file of an index is derived from a gallery. It carries the gallery's revision, and one that is
stale, cut short or damaged is never used.
"""

from __future__ import annotations

import json
import os
import tempfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Float32, Int8, Int64

from lineament.core.embeddings import Embeddings, code_scale, require_same_space

SKETCH_FROM = 100_000
"""Faces from which a sketch pays; below, an exact scan takes less than a millisecond."""
_SIGN = np.uint8(128)  # FAISS keeps a signed byte v as v + 128
_TRAINING_ROWS = 8192
_MAGIC = b"lineament index 1\n"


class VectorIndex:
    """Codes of faces in memory, each under its face id, searched by cosine.

    The codes are those of `Embeddings.to_codes`: exactness rests on their length.

    Args:
        space: of the embeddings that the codes stand for.
        dimension: d, numbers in a code.
    """

    def __init__(self, space: str, dimension: int) -> None:
        self.space = space
        self.dimension = dimension
        self.ids: Int64[np.ndarray, " n"] = np.empty(0, np.int64)
        # FAISS's type hints describe its C++ interface, not the one that Python sees.
        self._scan: Any = _signed_codes(dimension)
        self._sketch: Any = None

    @classmethod
    def build(
        cls, ids: Int64[np.ndarray, " n"], codes: Int8[np.ndarray, "n d"], space: str
    ) -> VectorIndex:
        """An index of these faces. Raises ValueError where an id occurs twice."""
        index = cls(space, codes.shape[1])
        index.add(ids, codes)
        return index

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def nbytes(self) -> int:
        """Memory of ids, codes and sketch, in bytes."""
        return self.ids.nbytes + self._scan.codes.size() + self._sketch_nbytes

    @property
    def _sketch_nbytes(self) -> int:
        return self._sketch.codes.size() if self._sketch else 0

    def add(self, ids: Int64[np.ndarray, " n"], codes: Int8[np.ndarray, "n d"]) -> None:
        """Take in faces. Raises ValueError where an id is there already or occurs twice."""
        joined = np.concatenate([self.ids, ids])
        if len(np.unique(joined)) < len(joined):
            raise ValueError("a face id can be in an index only once")
        if codes.shape != (len(ids), self.dimension):
            raise ValueError(f"{len(ids)} codes of {self.dimension} expected, not {codes.shape}")
        self._scan.add_sa_codes(np.ascontiguousarray(codes).view(np.uint8) ^ _SIGN)
        if self._sketch is not None:
            self._sketch.add(codes.astype(np.float32))
        self.ids = joined

    def remove(self, ids: Int64[np.ndarray, " n"]) -> int:
        """Drop faces; ids that are not here are passed over. Returns how many went."""
        gone = np.isin(self.ids, ids)
        rows = np.flatnonzero(gone)
        if len(rows):
            self._scan.remove_ids(rows)
            self._sketch = None
            self.ids = self.ids[~gone]
        return len(rows)

    def search(
        self, queries: Embeddings, k: int, *, exact: bool = True
    ) -> tuple[Int64[np.ndarray, "q k"], Float32[np.ndarray, "q k"]]:
        """The k faces most like each query, best first; of equals, the lower id first.

        Args:
            queries: q embeddings of this index's space.
            k: faces to find, above 0; fewer come back where the index holds fewer.
            exact: compare with every face. Otherwise candidates come from the sketch, once there
                are `SKETCH_FROM` faces; `prepare` makes it, and so does the first such search.

        Returns:
            Face ids, and cosines: the query's inner product with the code, divided by
            `code_scale(d)` and clipped to [-1, 1].

        Raises:
            SpaceMismatch: the queries are of another space.
        """
        require_same_space(self.space, queries.space)
        k = min(k, len(self))
        if not len(queries) or not k:
            return np.empty((len(queries), k), np.int64), np.empty((len(queries), k), np.float32)
        if not exact:
            self.prepare()
        find = self._exact if exact or self._sketch is None else self._approximate
        rows, scores = find(queries.vectors, k)
        return self.ids[rows], np.clip(scores, -1, 1).astype(np.float32)

    def prepare(self) -> bool:
        """Make the sketch that approximate searches use; whether there was one to make."""
        if self._sketch is not None or len(self) < SKETCH_FROM:
            return False
        self._sketch = _sketch_of(self._scan)
        return True

    def _exact(
        self, vectors: Float32[np.ndarray, "q d"], k: int
    ) -> tuple[Int64[np.ndarray, "q k"], Float[np.ndarray, "q k"]]:
        steps = 127 / np.abs(vectors).max(axis=1, keepdims=True)
        rounded = np.rint(vectors * steps)
        scale = code_scale(self.dimension)
        longest = 1.001 * scale + self.dimension**0.5 / 2
        slack = np.linalg.norm(vectors * steps - rounded, axis=1) * longest
        rows = np.empty((len(vectors), k), np.int64)
        scores = np.empty((len(vectors), k))
        open_ = np.arange(len(vectors))
        count = min(2 * k + 64, len(self))
        while True:
            coarse, found = self._scan.search(rounded[open_], count)
            rows[open_], scores[open_] = self._best(vectors[open_], found, k)
            if count == len(self):
                return rows, scores
            # What was not found scores at most this; it must stay below the last of the k best.
            beyond = (coarse[:, -1] + slack[open_]) / (steps[open_, 0] * scale)
            open_ = open_[beyond >= scores[open_, -1] - 1e-6]
            if not len(open_):
                return rows, scores
            count = min(4 * count, len(self))

    def _approximate(
        self, vectors: Float32[np.ndarray, "q d"], k: int
    ) -> tuple[Int64[np.ndarray, "q k"], Float[np.ndarray, "q k"]]:
        count = min(max(100 * k, len(self) // 1000), len(self))
        _, found = self._sketch.search(vectors, count)
        return self._best(vectors, found, k)

    def _best(
        self, vectors: Float32[np.ndarray, "q d"], found: Int64[np.ndarray, "q m"], k: int
    ) -> tuple[Int64[np.ndarray, "q k"], Float[np.ndarray, "q k"]]:
        """The k best of each query's candidates, scored without rounding."""
        rows = np.empty((len(vectors), k), np.int64)
        scores = np.empty((len(vectors), k))
        for i, candidates in enumerate(found):
            codes = self._scan.reconstruct_batch(candidates)
            cosines = codes.astype(np.float64) @ vectors[i] / code_scale(self.dimension)
            best = np.lexsort((self.ids[candidates], -cosines))[:k]
            rows[i], scores[i] = candidates[best], cosines[best]
        return rows, scores

    def save(self, path: Path, revision: str) -> None:
        """Write the index in one step: a reader meets the old file or the new, never half of one.

        Args:
            path: of the file; a temporary one is made beside it.
            revision: of the gallery that the index was built from.

        Raises:
            OSError: the file cannot be written.
        """
        import faiss

        codes = faiss.vector_to_array(self._scan.codes)
        sketch = faiss.serialize_index(self._sketch) if self._sketch else np.empty(0, np.uint8)
        parts = [self.ids.tobytes(), codes.tobytes(), sketch.tobytes()]
        head = self._head(revision) | {"count": len(self), "check": _checksum(len(self), *parts)}
        handle, name = tempfile.mkstemp(prefix=f"{path.name}.", suffix=".tmp", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.writelines([_MAGIC, json.dumps(head).encode() + b"\n", *parts])
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise

    @classmethod
    def load(cls, path: Path, space: str, dimension: int, revision: str) -> VectorIndex | None:
        """The index in a file, or None where it is missing, stale or damaged."""
        import faiss

        index = cls(space, dimension)
        try:
            with path.open("rb") as file:
                magic, head = file.readline(64), json.loads(file.readline(4096))
                payload = file.read()
            count, check = head.pop("count"), head.pop("check")
            if magic != _MAGIC or head != index._head(revision):
                return None
            if check != _checksum(count, payload):
                return None
            index.ids = np.frombuffer(payload, np.int64, count).copy()  # lets the payload go
            codes = np.frombuffer(payload, np.uint8, count * dimension, index.ids.nbytes)
            index._scan.add_sa_codes(codes.reshape(count, dimension))
            sketch = np.frombuffer(payload, np.uint8, offset=index.ids.nbytes + codes.nbytes)
            index._sketch = faiss.deserialize_index(sketch) if len(sketch) else None
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RuntimeError):
            return None
        return index

    def _head(self, revision: str) -> dict[str, Any]:
        return {"space": self.space, "dimension": self.dimension, "revision": revision}


def _signed_codes(dimension: int) -> Any:
    import faiss

    kind = faiss.ScalarQuantizer.QT_8bit_direct_signed
    return faiss.IndexScalarQuantizer(dimension, kind, faiss.METRIC_INNER_PRODUCT)


def _sketch_of(scan: Any) -> Any:
    """Two numbers to a codebook of 16; trained on rows spread evenly, so always the same."""
    import faiss

    count, dimension = scan.ntotal, scan.d
    books = dimension // 2 if dimension % 2 == 0 else dimension
    sketch: Any = faiss.IndexPQFastScan(dimension, books, 4, faiss.METRIC_INNER_PRODUCT)
    rows = np.linspace(0, count - 1, min(count, _TRAINING_ROWS)).astype(np.int64)
    sketch.train(scan.reconstruct_batch(rows))
    for start in range(0, count, 1 << 16):
        block = scan.reconstruct_n(start, min(1 << 16, count - start))
        sketch.add(block)
    return sketch


def _checksum(count: int, *parts: bytes) -> int:
    value = count
    for part in parts:
        value = zlib.crc32(part, value)
    return value
