"""Search: the stored faces most like a new one, exactly or, in very large galleries, nearly so.

Both modes work on codes, one signed byte a number, of stored faces and of the queries alike. Inner
products of codes are whole numbers, so "exact" has one meaning: the ids of the largest products.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from jaxtyping import Float32, Int8, Int64

from lineament.core.embeddings import code_scale
from lineament.core.errors import SpaceMismatch

_MAGIC = b"lineament index 1\n"
_CANDIDATES = 1000
"""Faces that the approximate mode compares exactly, after a glance at all of them. On a million
random vectors, the hardest case there is, this finds 99.8 % of the ten nearest."""
_SMALLEST_APPROXIMATE = 50_000
"""Below so many faces the exact mode is as fast."""
_TRAINING = 32_768
"""Faces that the approximate mode learns its codebooks from."""


class VectorIndex:
    """Codes in memory, ready to be searched. Derived: it can be made again from the gallery.

    Exact search is FAISS's flat scan over the bytes. The approximate mode looks at all faces
    through a product quantiser of half a byte for two numbers (FAISS fast-scan) and compares the
    best `_CANDIDATES` exactly.

    Args:
        ids: of the faces, n.
        codes: their embeddings, n x d.
        space: of the embeddings.
    """

    def __init__(
        self, ids: Int64[np.ndarray, " n"], codes: Int8[np.ndarray, "n d"], space: str
    ) -> None:
        self.ids = ids
        self.codes = np.ascontiguousarray(codes)
        self.space = space
        self._exact: Any = None
        self._glance: Any = None

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def dimension(self) -> int:
        return self.codes.shape[1]

    def search(
        self, queries: Int8[np.ndarray, "q d"], k: int, *, space: str, exact: bool = True
    ) -> tuple[Int64[np.ndarray, "q k"], Float32[np.ndarray, "q k"]]:
        """The `k` most similar faces of each query, best first.

        Args:
            queries: codes of the faces to look for.
            k: how many; fewer come back where the gallery holds fewer.
            space: of the queries.
            exact: False searches faster in large galleries and may miss a few.

        Returns:
            Face ids and cosines in [-1, 1].

        Raises:
            SpaceMismatch: the queries are of another space.
        """
        if space != self.space:
            raise SpaceMismatch(f"a gallery of {self.space} cannot be searched with {space}")
        k = min(k, len(self))
        if k == 0:
            return np.empty((len(queries), 0), np.int64), np.empty((len(queries), 0), np.float32)
        if exact or len(self) < _SMALLEST_APPROXIMATE:
            products, rows = self._exact_index().search(queries.astype(np.float32), k)
        else:
            products, rows = self._search_glance(queries, k)
        cosines = np.clip(products / code_scale(self.dimension) ** 2, -1, 1)
        return self.ids[rows], cosines.astype(np.float32)

    @property
    def prepared_approximate(self) -> bool:
        """Whether the approximate mode is ready, or will not be used at this size."""
        return self._glance is not None or len(self) < _SMALLEST_APPROXIMATE

    def prepare(self, *, exact: bool = True) -> None:
        """Build what the next search of this mode needs, so that it is not timed."""
        if exact:
            self._exact_index()
        elif not self.prepared_approximate:
            self._glance_index()

    def _exact_index(self) -> Any:
        if self._exact is None:
            kind = faiss.ScalarQuantizer.QT_8bit_direct_signed
            index = faiss.IndexScalarQuantizer(self.dimension, kind, faiss.METRIC_INNER_PRODUCT)
            for start in range(0, len(self), 65_536):
                index.add(self.codes[start : start + 65_536].astype(np.float32))
            self._exact = index
        return self._exact

    def _glance_index(self) -> Any:
        if self._glance is None:
            index = faiss.IndexPQFastScan(
                self.dimension, self.dimension // 2, 4, faiss.METRIC_INNER_PRODUCT
            )
            step = max(1, len(self) // _TRAINING)
            index.train(self.codes[::step].astype(np.float32))
            for start in range(0, len(self), 65_536):
                index.add(self.codes[start : start + 65_536].astype(np.float32))
            self._glance = index
        return self._glance

    def _search_glance(
        self, queries: Int8[np.ndarray, "q d"], k: int
    ) -> tuple[Float32[np.ndarray, "q k"], Int64[np.ndarray, "q k"]]:
        wanted = min(len(self), max(_CANDIDATES, 20 * k))
        _, rough = self._glance_index().search(queries.astype(np.float32), wanted)
        products = np.empty((len(queries), k), np.float32)
        rows = np.empty((len(queries), k), np.int64)
        for i, query in enumerate(queries.astype(np.float32)):
            near = rough[i][rough[i] >= 0]
            scores = self.codes[near].astype(np.float32) @ query
            best = np.argsort(-scores, kind="stable")[:k]
            products[i], rows[i] = scores[best], near[best]
        return products, rows

    def save(self, path: Path, stamp: str) -> None:
        """Write the index beside its gallery, whole or not at all.

        Args:
            path: of the file.
            stamp: the state of the gallery that this index stands for.
        """
        glance = b"" if self._glance is None else faiss.serialize_index(self._glance).tobytes()
        body = b"".join((self.ids.tobytes(), self.codes.tobytes(), glance))
        header = {
            "space": self.space,
            "stamp": stamp,
            "faces": len(self),
            "dimension": self.dimension,
            "hash": hashlib.blake2b(body).hexdigest(),
        }
        partial = path.with_name(path.name + ".part")
        with partial.open("wb") as file:
            file.write(_MAGIC + json.dumps(header).encode() + b"\n" + body)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)

    @classmethod
    def load(cls, path: Path, stamp: str) -> VectorIndex | None:
        """The index of this state of the gallery, or None where the file is missing, stale or
        damaged: then it is to be made again."""
        try:
            data = path.read_bytes()
            if not data.startswith(_MAGIC):
                return None
            end = data.index(b"\n", len(_MAGIC))
            header = json.loads(data[len(_MAGIC) : end])
            body = memoryview(data)[end + 1 :]
            if header["stamp"] != stamp or hashlib.blake2b(body).hexdigest() != header["hash"]:
                return None
            n, d = header["faces"], header["dimension"]
            index = cls(
                np.frombuffer(body[: 8 * n], np.int64),
                np.frombuffer(body[8 * n : (8 + d) * n], np.int8).reshape(n, d),
                header["space"],
            )
            if rest := body[(8 + d) * n :]:
                index._glance = faiss.deserialize_index(np.frombuffer(rest, np.uint8))
            return index
        except (OSError, ValueError, KeyError, TypeError):
            return None
