"""How long a face takes in each embedder, and how many bytes it has, as shares of the default's.

One face a call on one thread, all embedders in turn, so that each round meets the same machine. It
is the processor's time that is taken, which other programs do not enter but through its caches, and
a ratio is the median of the rounds' own ratios.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

import numpy as np
from jaxtyping import Float64

from lineament.bench.context import Context, Outcome, Protocol, Table
from lineament.bench.faces import embedders
from lineament.core.cards import method
from lineament.core.crops import Crops
from lineament.core.protocols import Embedder
from lineament.measure.evidence import Result
from lineament.measure.interval import bootstrap

BESIDE = "sface"
"""The default of every command, which another embedder would stand in for."""
WARM, TIMED = 5, 100
"""Rounds before the clock runs, and with it."""
DATA = "one crop a call, one thread, processor time"


def run(context: Context) -> Outcome:
    """Time every embedder asked for beside the default one."""
    slugs = embedders(context.methods, context.say)
    slugs = [BESIDE, *(slug for slug in slugs if slug != BESIDE)]
    networks = {slug: method(slug, "embed").load()(threads=1) for slug in slugs}
    taken = in_turn(networks, context.seed)
    bytes_of = {s: sum(w.size for w in method(s, "embed").card.weights) for s in slugs}
    rows, results = [], []
    for slug in slugs:
        ratio, (low, high) = over(taken[slug], taken[BESIDE])
        size = bytes_of[slug] / bytes_of[BESIDE]
        rows.append(
            (
                slug,
                f"{1000 * float(np.median(taken[slug])):.2f}",
                f"{ratio:.3f} ({low:.3f} to {high:.3f})",
                f"{bytes_of[slug]:,}",
                f"{size:.3f}",
            )
        )
        if slug != BESIDE:
            results += [
                _result(
                    slug, "time of a face", ratio, (low, high), f"{1 / ratio:.1f} times as fast."
                ),
                _result(slug, "bytes of the weights", size, None, f"{bytes_of[slug]:,} bytes."),
            ]
    table = Table(
        f"Embedders on {DATA}; medians of {TIMED} rounds in turn",
        ("embedder", "ms a face#", f"over {BESIDE}'s#", "bytes#", f"over {BESIDE}'s#"),
        rows,
    )
    return Outcome([table], results)


def in_turn(
    networks: Mapping[str, Embedder], seed: int = 0
) -> dict[str, Float64[np.ndarray, " rounds"]]:
    """Seconds of the processor of each round in each embedder."""
    draw = np.random.default_rng(seed)
    crops = {slug: _noise(network, draw) for slug, network in networks.items()}
    taken = {slug: np.empty(WARM + TIMED) for slug in networks}
    for number in range(WARM + TIMED):
        for slug, network in networks.items():
            started = time.process_time()
            network(crops[slug])
            taken[slug][number] = time.process_time() - started
    return {slug: each[WARM:] for slug, each in taken.items()}


def over(
    ours: Float64[np.ndarray, " rounds"], theirs: Float64[np.ndarray, " rounds"]
) -> tuple[float, tuple[float, float]]:
    """Median ratio of two times of the same rounds, with its interval over rounds."""
    ratios = ours / theirs
    interval = bootstrap(lambda rows: float(np.median(ratios[rows])), np.arange(len(ratios)))
    return float(np.median(ratios)), interval.pair


def _noise(network: Embedder, draw: np.random.Generator) -> Crops:
    side = network.template.size
    pixels = draw.integers(0, 256, (1, side, side, 3), np.uint8)
    return Crops(pixels, np.zeros((1, 2, 3), np.float32), network.template.name)


def _result(
    slug: str, what: str, ratio: float, interval: tuple[float, float] | None, note: str
) -> Result:
    return Result(
        method=slug,
        protocol="embedder-speed",
        data=DATA,
        data_hash="",
        metric=f"{what} over {BESIDE}'s",
        ours=ratio,
        interval=interval,
        baseline=BESIDE,
        baseline_value=1.0,
        higher_is_better=False,
        note=note,
    )


PROTOCOL = Protocol("embedder-speed", "time and bytes of embedders beside the default one", run)
