"""Make ``examples/album``: photos of nobody, with the truth about who is on them.

Every face is drawn by MobileStyleGAN (Belousov, arXiv:2104.04767). A person is one point of its
style space. A picture of that person is a small move away from the point: turned, smiling, with
other hair or another background. The generator takes one style for all its layers; here each layer
gets its own (as in StyleGAN2, arXiv:1912.04958, section 5), so that coarse layers can turn a head
and fine ones can change the light while the layers between keep who it is.

The turn, the nod and the smile are directions of that space, learnt by ridge regression on what a
face detector measures on random faces. Hair and background move along principal
axes (GANSpace, arXiv:2004.02546). Groups are cut out by MODNet (arXiv:2011.11961).

Usage::

    python tools/make_album.py                     # weights are fetched
    python tools/make_album.py --weights FOLDER    # weights lie in FOLDER
"""

from __future__ import annotations

import argparse
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pillow_heif
from PIL import Image as Pil

from album.compose import Photo, close, crowd, cut, group, wide
from album.darkroom import MARK, develop, save
from album.generator import SEED, Find
from album.scenes import SCENES
from album.studio import PEOPLE, Rng, Studio
from album.weights import WEIGHTS

#: Who stands together, by index into `PEOPLE`.
GROUPS = ((8, 18), (5, 16), (3, 14, 20), (9, 21, 22), (0, 12, 13), (4, 15, 7, 19))
GROUPS += ((6, 17, 10, 23), (1, 2, 11, 14, 16), (5, 8, 12, 19, 20, 22))
CROWDS = ((0, 4, 6, 18), (9, 10, 21), (2, 15, 17, 23, 7))
FOLDERS = ("", "2018/lake", "2019/summer", "2019/winter", "2020/garden", "2021/wedding", "phone")


@dataclass(frozen=True)
class Order:
    """One file to make: what is on it and how it is stored.

    `variant` tells files of a kind apart: the take of a plain photo (3 is the wide one), the
    quarter turns of a rotated one (6: by EXIF orientation), the cut side, the scene.
    """

    kind: str
    people: tuple[int, ...] = ()
    suffix: str = ".jpg"
    variant: int = 0


def orders() -> list[Order]:
    """Everything on the album, in the order in which it is numbered."""
    everyone = range(len(PEOPLE))
    special = {(3, 0): ".webp", (11, 1): ".heic", (14, 2): ".avif", (20, 3): ".png"}
    album = [
        Order("plain", (p,), special.get((p, v), ".jpg"), v) for p in everyone for v in range(4)
    ]
    album += [Order("dark", (p,)) for p in (1, 6, 10, 13, 16, 21)]
    album += [Order("rotated", (p,), variant=v) for p, v in ((2, 1), (7, 2), (12, 3), (18, 1))]
    album += [Order("rotated", (p,), variant=6) for p in (9,)]
    album += [Order("cut", (p,), variant=v) for p, v in ((0, 0), (5, 1), (8, 2), (15, 3), (19, 0))]
    album += [Order("grey", (p,)) for p in (17,)]
    album += [Order("group", people) for people in GROUPS]
    album += [Order("tiny", people) for people in CROWDS]
    album += [Order("no-face", variant=v) for v in range(2 * len(SCENES))]
    album += [Order("truncated", (4,)), Order("text")]
    return [album[i] for i in np.random.default_rng(SEED).permutation(len(album))]


def take(order: Order, studio: Studio, rng: Rng) -> Photo:
    """The finished photo of one order."""
    if order.kind == "no-face":
        size = ((512, 384), (480, 480), (400, 512))[rng.integers(3)]
        return develop(Photo("no-face", SCENES[order.variant % len(SCENES)](size, rng)), rng)
    apart = order.kind in ("group", "tiny") or (order.kind == "plain" and order.variant == 3)
    shoot = studio.standing_clear if apart else studio.portrait
    portraits = [shoot(person, rng) for person in order.people]
    if order.kind == "group":
        photo = group(portraits, rng)
    elif order.kind == "tiny":
        photo = crowd(portraits, rng)
    elif order.kind == "cut":
        photo = cut(portraits[0], rng, order.variant)
    elif apart:
        photo = wide(portraits[0], rng)
    else:
        photo = close(portraits[0], rng, order.kind)
    photo = develop(photo, rng)
    return photo.turned(order.variant) if order.kind == "rotated" and order.variant < 4 else photo


def write(order: Order, path: Path, photo: Photo) -> None:
    """Store one photo the way its order says."""
    sideways = order.kind == "rotated" and order.variant == 6
    pixels = np.rot90(photo.pixels) if sideways else photo.pixels
    if order.kind == "grey":
        pixels = np.array(Pil.fromarray(pixels).convert("L"))
    save(
        path,
        np.ascontiguousarray(pixels),
        50 if path.suffix in (".avif", ".heic") else 74,
        6 if sideways else 1,
    )
    if order.kind == "truncated":
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def label(name: str, kind: str, photo: Photo | None = None) -> dict[str, Any]:
    """The truth about one file; `photo` is None where nothing can be decoded."""
    if photo is None:
        return {"file": name, "kind": kind, "width": None, "height": None, "faces": []}
    height, width = photo.pixels.shape[:2]
    faces = [
        {"person": f"p{person + 1:02d}", "box": [round(float(v), 1) for v in box]}
        for person, box in photo.faces
    ]
    return {"file": name, "kind": kind, "width": width, "height": height, "faces": faces}


def fill(order: Order, number: int, name: str, path: Path, studio: Studio) -> dict[str, Any]:
    """Make one file; its label."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if order.kind == "text":
        path.write_text(f"This is a text in a file named like a photo. {MARK}\n", encoding="utf-8")
        return label(name, "broken")
    photo = take(order, studio, np.random.default_rng((SEED, number)))
    write(order, path, photo)
    if order.kind == "truncated":
        return label(name, "broken")
    return label(name, "plain" if order.kind == "grey" else order.kind, photo)


def make(studio: Studio, folder: Path) -> None:
    """Write the whole album and its labels into `folder`."""
    album, labels = orders(), []
    for number, order in enumerate(album):
        place = FOLDERS[number * len(FOLDERS) // len(album)]
        name = f"{place}/IMG_{number + 1:04d}{order.suffix}".lstrip("/")
        labels.append(fill(order, number, name, folder / name, studio))
    original = next(row for row in labels if row["kind"] == "plain")
    copy = {"file": f"phone/IMG_{len(album) + 1:04d}.jpg", "duplicate_of": original["file"]}
    shutil.copyfile(folder / original["file"], folder / copy["file"])
    lines = ",\n".join(json.dumps(row) for row in [*labels, original | copy])
    text = f'{{"about": "{MARK}", "photos": [\n{lines}\n]}}\n'
    (folder / "labels.json").write_text(text, encoding="utf-8")


def main() -> None:
    """Read the command line and make the album."""
    parser = argparse.ArgumentParser(description="Make the sample album of generated faces.")
    parser.add_argument("--weights", type=Path, help="folder that holds the weights already")
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "examples/album")
    arguments = parser.parse_args()
    pillow_heif.register_heif_opener()
    for old in (*arguments.out.rglob("IMG_*"), *arguments.out.glob("labels.json")):
        old.unlink()
    arguments.out.mkdir(parents=True, exist_ok=True)
    make(Studio(finder(arguments.weights)), arguments.out)


def finder(folder: Path | None) -> Find:
    """How a weight's file name becomes a path: from `folder`, or fetched and checked."""
    if folder:
        return lambda file: folder / file
    from lineament.core.cards import weights
    from lineament.core.weights import fetch

    records = {weight.file: weight for weight in (*weights().values(), *WEIGHTS)}
    return lambda file: fetch(records[file])


if __name__ == "__main__":
    main()
