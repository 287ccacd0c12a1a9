"""Detection: average precision on FaceMask-853's scenes, and faces found in LFW's pictures.

Published scores of detectors come from WIDER FACE; these scenes are other data, so that the
authors' figures are no claim that this could reproduce.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from lineament.bench.context import Context, Outcome, Protocol, Table
from lineament.core.cards import method, methods
from lineament.core.errors import LicenceNotAccepted
from lineament.core.faces import Faces
from lineament.core.media import read_image
from lineament.core.protocols import Detector
from lineament.measure.detection import average_precision
from lineament.measure.evidence import Result
from lineament.measure.sets.facemask853 import read_facemask853

Boxes = Float32[np.ndarray, "n 4"]


@dataclass(frozen=True)
class Scores:
    """What a detector did on the scenes: AP at IoU 0.5, and its times in milliseconds."""

    ap50: float
    network: float
    whole: float


def run(context: Context) -> Outcome:
    """Measure each detector plain, and the default one with the search around it."""
    folder = context.set_folder("facemask853")
    scenes = read_facemask853(folder)
    paths, truth = scenes.paths, scenes.boxes
    digest = scenes.digest()
    found: dict[str, Scores] = {}
    for name, make in chains(context.methods).items():
        context.say(f"facemask853: {name}")
        try:
            detector = make()
        except LicenceNotAccepted as error:
            context.say(f"left out: {error}")
            continue
        found[name] = measure(detector, paths, truth)
    plain = found["yunet"]
    table = Table(
        f"{len(paths)} scenes, {sum(map(len, truth)):,} faces (FaceMask-853)",
        ("detector", "AP50 %#", "ms a scene#", "of it network ms#"),
        [
            (name, f"{100 * s.ap50:.2f}", f"{s.whole:.1f}", f"{s.network:.1f}")
            for name, s in found.items()
        ],
    )
    results = [
        Result(
            method=name.partition(" ")[0],
            protocol="facemask853",
            data=f"FaceMask-853, {len(paths)} scenes",
            data_hash=digest,
            metric="AP50" + (f" ({name.partition(' ')[2]})" if " " in name else ""),
            ours=scores.ap50,
            baseline="yunet, plain" if name != "yunet" else "centerface, plain",
            baseline_value=plain.ap50 if name != "yunet" else found["centerface"].ap50,
        )
        for name, scores in found.items()
    ]
    return Outcome([table], results)


def chains(asked: Sequence[str]) -> dict[str, Callable[[], Detector]]:
    """Detectors to compare, made when their turn comes."""
    from lineament.see.upright import Search

    slugs = [m.card.slug for m in methods().values() if m.card.verb == "detect"]
    plain = {slug: method(slug).load() for slug in slugs if not asked or slug in asked}
    yunet = method("yunet", "detect").load()
    return {
        "yunet": yunet,
        "centerface": method("centerface", "detect").load(),
        **plain,
        "yunet with upright search": lambda: Search(yunet()),
        "yunet with upright search and small faces": lambda: Search(yunet(), small_faces=True),
    }


def measure(detector: Detector, paths: Sequence[Path], truth: Sequence[Boxes]) -> Scores:
    """Run a detector over the scenes, one at a time."""
    found: list[Faces] = []
    seconds = 0.0
    for path in paths:
        image = read_image(path)
        started = time.perf_counter()
        found += detector([image])
        seconds += time.perf_counter() - started
    ap = average_precision(
        [faces.boxes for faces in found], [faces.scores for faces in found], truth, 0.5
    )
    count = len(paths) / 1000
    return Scores(ap, detector.seconds / count, seconds / count)


PROTOCOL = Protocol("facemask853", "AP50 on FaceMask-853's scenes", run, ("facemask853",))
