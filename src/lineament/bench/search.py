"""Search among a million faces: brute force, exact, approximate, and the limit of the memory.

Templates are random unit vectors, the hardest case for any index, with neighbours planted near
some of them: the queries are noisy copies.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from jaxtyping import Int8

from lineament.bench.context import Context, Outcome, Protocol, Table
from lineament.core.embeddings import Embeddings, encode
from lineament.know.search import VectorIndex
from lineament.measure.evidence import Result

COUNT, DIMENSION, QUERIES, NEIGHBOURS = 1_000_000, 128, 1_000, 10
SPACE = "bench@0"


def templates(count: int, dimension: int, seed: int) -> Int8[np.ndarray, "n d"]:
    """Codes of random directions."""
    rng = np.random.default_rng(seed)
    parts = []
    for start in range(0, count, 65_536):
        rows = rng.standard_normal((min(65_536, count - start), dimension), dtype=np.float32)
        parts.append(encode(rows / np.linalg.norm(rows, axis=1, keepdims=True)))
    return np.concatenate(parts)


def plant(codes: Int8[np.ndarray, "n d"], queries: int, seed: int) -> Embeddings:
    """Queries whose cosine to one of the templates each is about 0.7, as between two photos."""
    rng = np.random.default_rng(seed + 1)
    rows = codes[rng.choice(len(codes), queries, replace=False)].astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    noise = rng.standard_normal(rows.shape).astype(np.float32)
    rows += noise / np.linalg.norm(noise, axis=1, keepdims=True)
    return Embeddings.normalised(rows, SPACE)


def brute_force(
    codes: Int8[np.ndarray, "n d"], queries: Embeddings, k: int
) -> tuple[np.ndarray, np.ndarray]:
    """The k largest inner products by plain numpy: rows, and the products."""
    best = np.full((len(queries), k), -np.inf, np.float32)
    rows = np.full((len(queries), k), -1, np.int64)
    wanted = queries.vectors.T
    for start in range(0, len(codes), 50_000):
        block = (codes[start : start + 50_000].astype(np.float32) @ wanted).T
        scores = np.concatenate([best, block], axis=1)
        numbers = np.arange(start, start + block.shape[1])
        places = np.concatenate([rows, np.broadcast_to(numbers, block.shape)], axis=1)
        top = np.argpartition(-scores, k, axis=1)[:, :k]
        best, rows = np.take_along_axis(scores, top, 1), np.take_along_axis(places, top, 1)
    order = np.argsort(-best, axis=1, kind="stable")
    return np.take_along_axis(rows, order, 1), np.take_along_axis(best, order, 1)


def bench_search(count: int = COUNT, seed: int = 0) -> dict[str, Any]:
    """Measure on one core; times are medians in milliseconds a query."""
    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        return _measure(count, seed)
    finally:
        faiss.omp_set_num_threads(threads)


def _measure(count: int, seed: int) -> dict[str, Any]:
    codes = templates(count, DIMENSION, seed)
    queries = plant(codes, QUERIES, seed)
    truth, _ = brute_force(codes, queries, NEIGHBOURS)
    ids = np.arange(count)
    started = time.perf_counter()
    index = VectorIndex.build(ids, codes, SPACE)
    exact_build = time.perf_counter() - started
    exact_bytes = index.nbytes / count
    near_build = _seconds(index.prepare)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "index"
        index.save(path, "")
        disk = path.stat().st_size / count
    modes: dict[str, dict[str, float]] = {}
    for name, exact in (("exact", True), ("approximate", False)):

        def ask(rows: Embeddings, exact: bool = exact) -> tuple[np.ndarray, np.ndarray]:
            return index.search(rows, NEIGHBOURS, exact=exact)

        found, _ = ask(queries)
        modes[name] = {
            "single": 1000 * _median([lambda i=i: ask(queries[i : i + 1]) for i in range(40)]),
            "batched": 1000 * _seconds(lambda: ask(queries)) / QUERIES,
            "top1": float(np.mean(found[:, 0] == truth[:, 0])),
            "recall": float(
                np.mean([len(set(a) & set(b)) for a, b in zip(found, truth, strict=True)])
                / NEIGHBOURS
            ),
        }
    return {
        "count": count,
        "modes": modes,
        "numpy": 1000 * _median([lambda i=i: brute_force(codes, queries[i : i + 1], NEIGHBOURS)
                                 for i in range(3)]),
        "memory_limit": 1000 * _median([lambda: codes.view(np.uint64).sum() for _ in range(9)]),
        "build": {"exact": exact_build, "approximate": near_build},
        "bytes_a_face": {
            "exact, memory": exact_bytes,
            "approximate, memory": index.nbytes / count,
            "index on disk": disk,
        },
    }


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _median(works: list[Callable[[], object]]) -> float:
    return statistics.median(_seconds(work) for work in works)


def run(context: Context) -> Outcome:
    """A million faces on one core."""
    figures = bench_search(seed=context.seed)
    modes, size = figures["modes"], figures["bytes_a_face"]
    rows = [
        ("reading the codes once (limit)", f"{figures['memory_limit']:.1f}", "", "", "", ""),
        ("numpy, all products", f"{figures['numpy']:.1f}", "", "100", "100", ""),
    ]
    for name, m in modes.items():
        rows.append(
            (
                f"Lineament, {name}",
                f"{m['single']:.1f}",
                f"{m['batched']:.2f}",
                f"{100 * m['top1']:.1f}",
                f"{100 * m['recall']:.2f}",
                f"{figures['build'][name]:.1f}",
            )
        )
    search = Table(
        f"{figures['count']:,} random templates of {DIMENSION} numbers, planted queries, one core",
        ("search", "ms a query#", "ms batched#", "top-1 %#", "recall@10 %#", "build s#"),
        rows,
    )
    bytes_table = Table(
        "Bytes a face", ("where", "bytes#"), [(k, f"{v:.1f}") for k, v in size.items()]
    )
    common = {"method": "search", "protocol": "search", "data_hash": "", "seed": context.seed}
    common["data"] = f"{figures['count']:,} random-plus-planted templates of {DIMENSION} numbers"
    facts = [
        ("exact: top-1 equal to brute force", modes["exact"]["top1"], "brute force", 1.0, True),
        ("approximate: recall@10", modes["approximate"]["recall"], "required", 0.99, True),
        ("exact: ms a query", modes["exact"]["single"], "numpy", figures["numpy"], False),
        (
            "approximate: ms a query",
            modes["approximate"]["single"],
            "exact",
            modes["exact"]["single"],
            False,
        ),
        (
            "exact: ms a query over the time to read the codes once",
            modes["exact"]["batched"],
            "reading the codes once",
            figures["memory_limit"],
            False,
        ),
        ("bytes a face, index on disk", size["index on disk"], "float32 vectors", 512.0, False),
    ]
    results = [
        Result(
            **common,
            metric=metric,
            ours=ours,
            baseline=baseline,
            baseline_value=value,
            higher_is_better=higher,
        )
        for metric, ours, baseline, value, higher in facts
    ]
    return Outcome([search, bytes_table], results)


PROTOCOL = Protocol("search", "one in a million: exact and approximate search", run)
