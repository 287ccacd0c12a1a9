"""All fields of one face: time against the networks' own, and against each field by itself.

Each photo of one megapixel is a portrait of the sample album on a blurred ground of its own. It is
timed from its JPEG bytes to the described face, one at a time, with networks of one thread. The
limit is the sum of the sessions' own time; everything else (decoding, cutting, aligning, pasting
masks back) is overhead.

The baseline asks for every field by itself, as a user of separate tools would: each of them finds
the face again.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from lineament.analyze import Analyzer
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
METRIC = "time of all fields over the sum of the sessions' own time, less 1"


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
        wall, inside = together.T
        overhead = wall.sum() / inside.sum() - 1
        rows.append(
            (
                name,
                str(len(fields)),
                f"{1000 * wall.mean():.1f}",
                f"{1000 * inside.mean():.1f}",
                f"{100 * overhead:.1f}",
                f"{1000 * np.mean(apart):.1f}",
            )
        )
        results.append(
            Result(
                method="analyzer",
                protocol="fields",
                data=f"{len(photos)} photos of one megapixel, a portrait of the album each",
                data_hash="",
                metric=f"{METRIC} ({name})",
                ours=float(overhead),
                interval=bootstrap(
                    lambda i, w=wall, s=inside: float(w[i].sum() / s[i].sum() - 1),
                    np.arange(len(photos)),
                    seed=context.seed,
                ).pair,
                baseline="each field by itself, over the same sum",
                baseline_value=float(np.sum(apart) / inside.sum() - 1),
                higher_is_better=False,
                seed=context.seed,
                note=f"required: under 0.20; fields: {', '.join(fields)}",
            )
        )
    table = Table(
        f"All fields of one face in a photo of {SIDES[0]} x {SIDES[1]}, networks of one thread",
        ("methods", "fields#", "ms#", "networks' ms#", "overhead %#", "ms one by one#"),
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


def time_fields(photos: Sequence[bytes], fields: Sequence[str]) -> Float64[np.ndarray, "n 2"]:
    """Seconds from bytes to described faces, and those inside the networks, of each photo."""
    analyzer = Analyzer.of(want=fields, threads=1)
    analyzer([decode(photos[0])])
    rows = []
    for photo in photos:
        start, before = time.perf_counter(), analyzer.seconds
        analyzer([decode(photo)])
        rows.append((time.perf_counter() - start, analyzer.seconds - before))
    return np.asarray(rows)


PROTOCOL = Protocol("fields", "all fields of one face: time against the networks' own", run)
"""`lineament bench fields`."""
