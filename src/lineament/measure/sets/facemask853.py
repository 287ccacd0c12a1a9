"""FaceMask-853: 853 scenes, 4,072 faces in boxes, with a mask, without, or with one worn wrong.

Layout: ``images/NAME.png`` (or ``.jpg``) and ``annotations/NAME.xml`` (Pascal VOC). The classes go
by their English names, which the original has, or by Spanish ones, which a copy has.

Source: "Face Mask Detection", by andrewmvd on Kaggle, 2020.
"""

from __future__ import annotations

import xml.etree.ElementTree as Xml
from pathlib import Path

import numpy as np

from lineament.core.errors import BadInput
from lineament.measure.sets.nouns import BoxedScenes, Terms, need_files

TERMS = Terms(
    name="FaceMask-853",
    where="Kaggle, 'Face Mask Detection' by andrewmvd",
    terms="public domain (CC0), by its uploader",
)
CLASSES = ("without mask", "with mask", "mask worn incorrectly")

_NAMES = {
    "without_mask": 0,
    "with_mask": 1,
    "mask_weared_incorrect": 2,
    "sin_mascarilla": 0,
    "con_mascarilla": 1,
    "mascarilla_mal_puesta": 2,
}
_SIDES = ("xmin", "ymin", "xmax", "ymax")


def read_facemask853(folder: Path) -> BoxedScenes:
    """Read the folder: scenes in order of name, boxes in the files' own pixels.

    Raises:
        MissingFile: it is not there; the message says where to get it, and its terms.
        BadInput: an annotation is no such file, a box is not one, or a class is unknown.
    """
    need_files(TERMS, folder / "images", folder / "annotations")
    paths = tuple(sorted(p for p in (folder / "images").iterdir() if p.suffix in (".jpg", ".png")))
    if not paths:
        raise TERMS.missing(folder / "images")
    found = [_read_boxes(folder / "annotations" / f"{path.stem}.xml") for path in paths]
    boxes = tuple(np.asarray(b, np.float32).reshape(-1, 4) for b, _ in found)
    return BoxedScenes(paths, boxes, tuple(np.asarray(c, np.int64) for _, c in found), CLASSES)


def _read_boxes(path: Path) -> tuple[list[list[float]], list[int]]:
    need_files(TERMS, path)
    try:
        objects = list(Xml.parse(path).iter("object"))
        boxes = [[float(one.findtext(f"bndbox/{side}", "")) for side in _SIDES] for one in objects]
    except (Xml.ParseError, ValueError) as error:
        raise BadInput(f"not a readable annotation: {error}", str(path)) from error
    names = [one.findtext("name", "") for one in objects]
    for box, name in zip(boxes, names, strict=True):
        if not (np.isfinite(box).all() and box[0] < box[2] and box[1] < box[3]):
            raise BadInput(f"{box} is no box", str(path))
        if name not in _NAMES:
            raise BadInput(f"the class {name[:40]!r} is unknown", str(path))
    return boxes, [_NAMES[name] for name in names]
