"""All fields of one face: time against the networks' own, and against each field by itself.

Each photo of one megapixel is a portrait of the sample album on a blurred ground of its own. It is
timed from its JPEG bytes to the described face, one at a time, with networks of one thread. The
limit is the sum of the networks' own time, with the embedder's as published (`bench.as_published`);
everything else (decoding, cutting, aligning, pasting masks back) is overhead. It is stated over the
sessions that really ran as well.

The baseline asks for every field by itself, as a user of separate tools would: each of them finds
the face again.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64

from lineament.analyze import Analyzer
from lineament.bench.as_published import EMBEDDER, slowness
from lineament.bench.context import Context, Outcome, Protocol, Table
from lineament.core.cards import methods
from lineament.core.errors import LicenceNotAccepted, MissingFile
from lineament.core.media import decode, encode_jpeg, read_image
from lineament.measure.evidence import Result
from lineament.measure.interval import bootstrap

PHOTOS = 20
SIDES = (1152, 868)
"""Width and height of a photo: one megapixel."""
PORTRAIT = 640
"""Pixels that the portrait's square takes of it."""
METRIC = "time of all fields over the sum of the networks' own time, less 1"
OWN = "time of all fields outside the networks, as a share of that inside"


def run(context: Context) -> Outcome:
    """Time all fields together, and one by one."""
    if context.album is None:
        raise MissingFile("the sample album is needed: run this in a checkout")
    photos = one_megapixel_photos(context.album)
    rows, results = [], []
    for name, fields in (("free weights", free_fields()), ("all weights", all_fields())):
        context.say(f"fields: {name}")
        try:
            together = time_fields(photos, fields)
            apart = sum(time_fields(photos, [field])[:, 0] for field in fields)
        except LicenceNotAccepted as error:
            context.say(f"left out: {error}")
            continue
        wall, inside, published = together.T
        overhead = wall.sum() / published.sum() - 1
        rows.append(
            (
                name,
                str(len(fields)),
                f"{1000 * wall.mean():.1f}",
                f"{1000 * inside.mean():.1f}",
                f"{1000 * published.mean():.1f}",
                f"{100 * overhead:.1f}",
                f"{1000 * np.mean(apart):.1f}",
            )
        )
        common: dict[str, Any] = {
            "method": "analyzer",
            "protocol": "fields",
            "data": f"{len(photos)} photos of one megapixel, a portrait of the album each",
            "data_hash": "",
            "higher_is_better": False,
            "seed": context.seed,
        }
        results += [
            Result(
                **common,
                metric=f"{metric} ({name})",
                ours=float(wall.sum() / limit.sum() - 1),
                interval=bootstrap(
                    lambda i, w=wall, s=limit: float(w[i].sum() / s[i].sum() - 1),
                    np.arange(len(photos)),
                    seed=context.seed,
                ).pair,
                baseline="each field by itself, over the same sum",
                baseline_value=float(np.sum(apart) / limit.sum() - 1),
                note=f"{note}; fields: {', '.join(fields)}",
            )
            for metric, limit, note in (
                (METRIC, published, "required: under 0.20"),
                (OWN, inside, "a faster embedder makes the same work around it a larger share"),
            )
        ]
    table = Table(
        f"All fields of one face in a photo of {SIDES[0]} x {SIDES[1]}, networks of one thread",
        (
            "methods",
            "fields#",
            "ms#",
            "networks' ms#",
            "as published#",
            "overhead %#",
            "ms one by one#",
        ),
        rows,
    )
    return Outcome([table], results)


def all_fields() -> list[str]:
    """Every field that a describer gives."""
    cards = [m.card for m in methods().values() if m.card.verb == "describe" and m.card.entry]
    return sorted({field for card in cards for field in card.gives} | {"embeddings", "quality"})


def free_fields() -> list[str]:
    """Those whose default methods have weights that allow commercial use."""
    return [field for field in all_fields() if _is_free(field)]


def _is_free(field: str) -> bool:
    return all(weight.commercial for weight in Analyzer.weights_of({field}))


def one_megapixel_photos(album: Path) -> list[bytes]:
    """Portraits of the album, each on a ground made of itself, as JPEG."""
    from PIL import Image as Pillow
    from PIL import ImageFilter

    rows = json.loads((album / "labels.json").read_text(encoding="utf-8"))["photos"]
    files = [row["file"] for row in rows if row["kind"] == "plain" and len(row["faces"]) == 1]
    photos = []
    for file in files[:PHOTOS]:
        portrait = Pillow.fromarray(read_image(album / file).pixels)
        ground = portrait.resize(SIDES).filter(ImageFilter.GaussianBlur(60))
        place = ((SIDES[0] - PORTRAIT) // 2, (SIDES[1] - PORTRAIT) // 2)
        ground.paste(portrait.resize((PORTRAIT, PORTRAIT)), place)
        photos.append(encode_jpeg(np.asarray(ground), 92))
    return photos


def time_fields(photos: Sequence[bytes], fields: Sequence[str]) -> Float64[np.ndarray, "n 3"]:
    """Seconds from bytes to described faces, those inside the networks, and those that the networks
    as published would take, of each photo."""
    analyzer = Analyzer.of(embedder=EMBEDDER, want=fields, threads=1)
    embedder = analyzer.embedder
    analyzer([decode(photos[0])])
    rows = []
    for photo in photos:
        embedding = embedder.seconds if embedder else 0.0
        start, before = time.perf_counter(), analyzer.seconds
        analyzer([decode(photo)])
        wall, inside = time.perf_counter() - start, analyzer.seconds - before
        rows.append((wall, inside, (embedder.seconds if embedder else 0.0) - embedding))
    wall, inside, embedding = np.asarray(rows).T
    saved = (slowness(embedder) - 1) * embedding if embedder else 0.0
    return np.stack([wall, inside, inside + saved], axis=1)


PROTOCOL = Protocol(
    "fields", "all fields of one face: time against the networks' own", run, version=2
)
"""`lineament bench fields`."""
