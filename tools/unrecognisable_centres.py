"""Find where embedders put unrecognisable faces: ``src/lineament/know/unrecognisable_centres``.

The faces are those of the sample album, who are nobody. Each is spoilt by the severest rung of six
suites that leave no feature of a face sharp or clean, once each, and embedded; the mean is the
centre. Light and coverings are left out: what they leave of a face may still be recognised. No
picture of a real person goes in, so every test set may judge the outcome.

Usage::

    python tools/unrecognisable_centres.py              # every embedder that may be used here
    python tools/unrecognisable_centres.py SLUG ...     # these
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from lineament.bench.degraded import CANVAS, cut
from lineament.bench.faces import embedders
from lineament.core.cards import method
from lineament.core.crops import Crops, align
from lineament.core.embeddings import Embeddings
from lineament.core.media import read_image
from lineament.know.unrecognisable import UnrecognisableCentre, write_centre
from lineament.measure.degrade.suites import suite

ALBUM = Path(__file__).parents[1] / "examples" / "album"
KINDS = ("plain", "group")
SPOILT_BY = (
    "resolution",
    "gaussian blur",
    "motion blur",
    "gaussian noise",
    "low light",
    "jpeg",
)


def album_canvases(album: Path = ALBUM) -> UInt8[np.ndarray, "n h w 3"]:
    """The faces of the album's plain and group photos, on the canvas that suites damage."""
    photos = json.loads((album / "labels.json").read_text(encoding="utf-8"))["photos"]
    images = [read_image(album / photo["file"]) for photo in photos if photo["kind"] in KINDS]
    found = method("yunet", "detect").load()()(images)
    pairs = zip(images, found, strict=True)
    return Crops.join([align(image, faces.keypoints, CANVAS) for image, faces in pairs]).pixels


def spoilt_canvases(clean: UInt8[np.ndarray, "n h w 3"]) -> UInt8[np.ndarray, "m h w 3"]:
    """Every face spoilt by the severest rung of each suite, with a seed of 0."""
    points = np.repeat(np.asarray([CANVAS.points], np.float32), len(clean), axis=0)
    suites = [suite(name) for name in SPOILT_BY]
    return np.concatenate([each(clean, points, each.levels[-1]) for each in suites])


def measure(slug: str, clean: UInt8[np.ndarray, "n h w 3"]) -> UnrecognisableCentre:
    """The centre of one embedder's space."""
    embedder = method(slug, "embed").load()()

    def embed(canvases: UInt8[np.ndarray, "n h w 3"]) -> Embeddings:
        return embedder(cut(canvases, embedder.template))

    rungs = ", ".join(suite(name).label(suite(name).levels[-1]) for name in SPOILT_BY)
    return UnrecognisableCentre.of(
        embed(spoilt_canvases(clean)),
        embed(clean),
        f"{len(clean)} generated faces of the sample album, each spoilt by {rungs}",
    )


def main(asked: Sequence[str]) -> None:
    clean = album_canvases()
    for slug in embedders(asked):
        centre = measure(slug, clean)
        spoilt, good = np.degrees(centre.spoilt).round(), np.degrees(centre.clean).round()
        print(f"{slug}: spoilt faces at {spoilt} degrees, clean ones at {good}")
        print(f"  wrote {write_centre(centre).name}")


if __name__ == "__main__":
    main(sys.argv[1:])
