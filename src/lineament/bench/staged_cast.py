"""Whose faces are in staged videos: the sample album's people (of nobody), or some of LFW's.

Of each person some photos go on the stage, and one is kept for a gallery.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lineament.analyze import Analyzer, main_face
from lineament.bench.staged import Portrait, portrait
from lineament.core.embeddings import Embeddings
from lineament.core.media import content_hash, read_image
from lineament.measure.sets.lfw import read_lfw

PHOTOS = 4
"""Of each person."""
PEOPLE = 24
_LEAST = 60
"""Height of a face that can go on the stage, pixels."""


@dataclass(frozen=True, eq=False)
class Cast:
    """People who can go on the stage.

    Attributes:
        data: whose faces they are, in words.
        digest: of their photos.
        portraits: of each person.
        kept: a row for each person, of a photo that is not on the stage.
    """

    data: str
    digest: str
    portraits: Sequence[Sequence[Portrait]]
    kept: Embeddings


def album_cast(folder: Path, analyzer: Analyzer) -> Cast:
    """The people of the sample album."""
    labels = folder / "labels.json"
    photos: defaultdict[str, list[Path]] = defaultdict(list)
    for row in json.loads(labels.read_text(encoding="utf-8"))["photos"]:
        if row["kind"] == "plain" and "duplicate_of" not in row:
            photos[row["faces"][0]["person"]].append(folder / row["file"])
    people = [photos[name][:PHOTOS] for name in sorted(photos)]
    return _cast("the sample album's faces (of nobody)", content_hash(labels), people, analyzer)


def lfw_cast(folder: Path, analyzer: Analyzer) -> Cast:
    """Some people of LFW who have pictures enough."""
    lfw = read_lfw(folder)
    rng = np.random.default_rng(0)
    counts = np.bincount(lfw.people)
    chosen = rng.permutation(np.flatnonzero(counts >= PHOTOS))[:PEOPLE]
    people = [
        [lfw.paths[row] for row in rng.permutation(np.flatnonzero(lfw.people == who))[:PHOTOS]]
        for who in np.sort(chosen)
    ]
    total = hashlib.sha256()
    for path in (path for photos in people for path in photos):
        total.update(path.read_bytes())
    return _cast(f"faces of {len(people)} people of LFW", total.hexdigest(), people, analyzer)


def _cast(data: str, digest: str, people: list[list[Path]], analyzer: Analyzer) -> Cast:
    """Those of whom there are two faces at least."""
    portraits, kept = [], []
    for photos in people:
        images = [read_image(path) for path in photos]
        faces = [main_face(found) if len(found) else None for found in analyzer(images)]
        usable = [
            (image, face)
            for image, face in zip(images, faces, strict=True)
            if face is not None and face.box[3] - face.box[1] >= _LEAST
        ]
        if len(usable) > 1:
            portraits.append([portrait(image, face.box) for image, face in usable[:-1]])
            kept.append(usable[-1][1].embeddings)
    return Cast(data, digest, portraits, Embeddings.join(kept))
