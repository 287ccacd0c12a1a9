"""Search: exact and approximate against brute force, beside the time it takes to read the bytes.

The gallery is a million random directions, which have no structure that an index could use, with
ten faces planted at cosines of 0.5 to 0.9 around each query of the first half. The second half of
the queries are strangers. No search can be faster than one reading of what it compares with.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, Int8, Int64

from lineament.bench.context import Context, Outcome, Protocol, Table
from lineament.core.embeddings import Embeddings, encode
from lineament.know.search import VectorIndex
from lineament.measure.evidence import Result

COUNT = 1_000_000
DIMENSION = 128
QUERIES = 200
K = 10
PLANTED = np.linspace(0.9, 0.5, K)
ROUNDS = 15
_BLOCK = 1 << 16

Find = Callable[[np.ndarray], np.ndarray]
"""Queries, q x d, to the rows of their K best, q x K."""


def bench_search(count: int = COUNT, seed: int = 0) -> dict[str, Any]:
    """Measure all searches on the same faces and queries.

    Args:
        count: faces, at least 10 for each of the planted queries.
        seed: of the directions.

    Returns:
        ``read_ms``: time to read all codes once; ``rows``: a dictionary for each search, with
        times in milliseconds a query, recalls in [0, 1], seconds to build, and bytes a face.
    """
    codes, queries = synthetic_gallery(count, seed)
    ids = np.arange(count)
    matrix, decode_seconds = _timed(lambda: codes.astype(np.float32))
    exact, exact_seconds = _timed(lambda: VectorIndex.build(ids, codes, "synthetic"))
    sketched = VectorIndex.build(ids, codes, "synthetic")
    _, sketch_seconds = _timed(sketched.prepare)
    cells, cells_seconds = _timed(lambda: _inverted_file(matrix))
    finds: dict[str, Find] = {
        "brute force, numpy float32": lambda q: brute_force(matrix, q),
        "exact": lambda q: exact.search(Embeddings(q, "synthetic"), K)[0],
        "approximate": lambda q: sketched.search(Embeddings(q, "synthetic"), K, exact=False)[0],
        "inverted file, 64 of 1024 cells": lambda q: cells.search(encode(q).astype(np.float32), K)[
            1
        ],
    }
    built = [decode_seconds, exact_seconds, exact_seconds + sketch_seconds, cells_seconds]
    memory = [4.0 * DIMENSION, exact.nbytes / count, sketched.nbytes / count, 8.0 + DIMENSION]
    disk = [None, _file_size(exact) / count, _file_size(sketched) / count, None]
    single, read_ms = _single_times(finds, queries, codes)
    truth = brute_force(matrix, queries)
    rows = []
    for place, (name, find) in enumerate(finds.items()):
        found, seconds = _timed(lambda find=find: find(queries))
        rows.append(
            {
                "search": name,
                "single_ms": single[name],
                "batched_ms": 1000 * seconds / len(queries),
                "recall_at_1": recall(found[:, :1], truth[:, :1]),
                "recall_at_10": recall(found, truth),
                "recall_at_10_strangers": recall(found[QUERIES // 2 :], truth[QUERIES // 2 :]),
                "build_s": built[place],
                "memory_bytes_a_face": memory[place],
                "disk_bytes_a_face": disk[place],
            }
        )
    return {
        "count": count,
        "dimension": DIMENSION,
        "queries": QUERIES,
        "seed": seed,
        "cores": os.cpu_count(),
        "read_ms": read_ms,
        "rows": rows,
    }


def synthetic_gallery(
    count: int, seed: int
) -> tuple[Int8[np.ndarray, "n d"], Float32[np.ndarray, "q d"]]:
    """Codes of random faces with the planted ones among them, and the queries."""
    rng = np.random.default_rng(seed)
    queries = _directions(rng, QUERIES)
    codes = np.empty((count, DIMENSION), np.int8)
    for start in range(0, count, _BLOCK):
        codes[start : start + _BLOCK] = encode(_directions(rng, min(_BLOCK, count - start)))
    centres = np.repeat(queries[: QUERIES // 2], K, axis=0)
    cosines = np.tile(PLANTED, QUERIES // 2)[:, None]
    aside = _directions(rng, len(centres))
    aside -= (aside * centres).sum(axis=1, keepdims=True) * centres
    aside /= np.linalg.norm(aside, axis=1, keepdims=True)
    planted = cosines * centres + np.sqrt(1 - cosines**2) * aside
    codes[rng.choice(count, len(planted), replace=False)] = encode(planted.astype(np.float32))
    return codes, queries


def brute_force(
    matrix: Float32[np.ndarray, "n d"], queries: Float32[np.ndarray, "q d"], k: int = K
) -> Int64[np.ndarray, "q k"]:
    """Rows of the k largest inner products, best first."""
    best = np.empty((len(queries), k), np.int64)
    for start in range(0, len(queries), 50):
        scores = queries[start : start + 50] @ matrix.T
        rows = np.argpartition(scores, -k, axis=1)[:, -k:]
        order = np.argsort(-np.take_along_axis(scores, rows, axis=1), axis=1)
        best[start : start + 50] = np.take_along_axis(rows, order, axis=1)
    return best


def recall(found: Int64[np.ndarray, "q k"], truth: Int64[np.ndarray, "q k"]) -> float:
    """Share of the true ones that were found, whatever their order."""
    return float((found[:, :, None] == truth[:, None, :]).any(axis=1).mean())


def _directions(rng: np.random.Generator, count: int) -> Float32[np.ndarray, "n d"]:
    values = rng.standard_normal((count, DIMENSION), dtype=np.float32)
    return values / np.linalg.norm(values, axis=1, keepdims=True)


def _inverted_file(matrix: Float32[np.ndarray, "n d"]) -> Any:
    import faiss

    kind = faiss.ScalarQuantizer.QT_8bit_direct_signed
    metric = faiss.METRIC_INNER_PRODUCT
    coarse = faiss.IndexFlatIP(DIMENSION)
    index: Any = faiss.IndexIVFScalarQuantizer(coarse, DIMENSION, 1024, kind, metric, False)
    index.train(matrix[:: max(1, len(matrix) // 40_000)])
    index.add(matrix)
    index.nprobe = 64
    return index


def _single_times(
    finds: dict[str, Find], queries: np.ndarray, codes: np.ndarray
) -> tuple[dict[str, float], float]:
    """Median milliseconds of each search and of a reading, taken in turn so that a drift of the
    machine's speed meets all alike."""
    words = codes.view(np.int64)
    times: dict[str, list[float]] = {name: [] for name in (*finds, "read")}
    for number in range(ROUNDS + 1):
        query = queries[number % QUERIES : number % QUERIES + 1]
        for name, find in finds.items():
            times[name].append(_timed(lambda find=find, query=query: find(query))[1])
        times["read"].append(_timed(words.sum)[1])
    # The first round warms caches up.
    medians = {name: 1000 * statistics.median(values[1:]) for name, values in times.items()}
    return medians, medians.pop("read")


def _timed(work: Callable[[], Any]) -> tuple[Any, float]:
    started = time.perf_counter()
    done = work()
    return done, time.perf_counter() - started


def _file_size(index: VectorIndex) -> int:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "index"
        index.save(path, "bench")
        return path.stat().st_size


def table(figures: dict[str, Any]) -> Table:
    """The figures as a person reads them."""
    return Table(
        f"{figures['count']:,} faces of {figures['dimension']} numbers, {figures['queries']} "
        f"queries, {figures['cores']} cores; reading all codes once: {figures['read_ms']:.1f} ms",
        (
            "search",
            "ms, one query#",
            "ms each of many#",
            "recall@1#",
            "recall@10#",
            "build s#",
            "memory B a face#",
            "disk B a face#",
        ),
        [
            (
                row["search"],
                f"{row['single_ms']:.2f}",
                f"{row['batched_ms']:.2f}",
                f"{row['recall_at_1']:.4f}",
                f"{row['recall_at_10']:.4f}",
                f"{row['build_s']:.2f}",
                f"{row['memory_bytes_a_face']:.0f}",
                f"{row['disk_bytes_a_face']:.0f}" if row["disk_bytes_a_face"] else "-",
            )
            for row in figures["rows"]
        ],
    )


def run(context: Context) -> Outcome:
    """A million faces."""
    context.say(f"search: {COUNT:,} faces")
    figures = bench_search(COUNT, context.seed)
    brute, exact, approximate, _ = figures["rows"]
    data = f"{COUNT:,} random directions of {DIMENSION} numbers with planted neighbours"
    common: dict[str, Any] = {
        "method": "gallery",
        "protocol": "search",
        "data": data,
        "data_hash": "",
        "seed": context.seed,
    }
    results = [
        Result(
            **common,
            metric="exact search: share of queries whose best face is brute force's",
            ours=exact["recall_at_1"],
            baseline="numpy brute force over the same codes",
            baseline_value=1.0,
            note="required: 1",
        ),
        Result(
            **common,
            metric="exact search, ms a query",
            ours=exact["single_ms"],
            baseline=brute["search"],
            baseline_value=brute["single_ms"],
            higher_is_better=False,
            note=f"reading all codes once takes {figures['read_ms']:.1f} ms",
        ),
        Result(
            **common,
            metric="approximate search, recall@10",
            ours=approximate["recall_at_10"],
            baseline="exact search",
            baseline_value=exact["recall_at_10"],
            note="required: at least 0.99",
        ),
        Result(
            **common,
            metric="approximate search, ms a query",
            ours=approximate["single_ms"],
            baseline="exact search",
            baseline_value=exact["single_ms"],
            higher_is_better=False,
        ),
        Result(
            **common,
            metric="bytes a face in the index's file",
            ours=exact["disk_bytes_a_face"],
            baseline="float32 vectors",
            baseline_value=4.0 * DIMENSION,
            higher_is_better=False,
            note=f"{approximate['disk_bytes_a_face']:.0f} with the sketch of approximate search",
        ),
    ]
    return Outcome([table(figures)], results)


PROTOCOL = Protocol("search", "search of a million faces: time, recall, bytes", run)
