"""NoW: how close a face in 3D, made from one picture, comes to a scan of that person.

Layout (``final_release_version``): ``imagepathsvalidation.txt`` with lines such as
``FaMoS_180424_03335_TA/multiview_neutral/IMG_0041.jpg``; ``iphone_pictures/`` and that path;
``detected_face/`` and that path with ``.npy``, a box as a dict; ``scans/PERSON/*.obj``; and
``scans_lmks_onlypp/PERSON/*.pp``, seven points picked on the scan in MeshLab. The list may also lie
beside the folder's parent, where it is downloaded apart. Boxes are read without unpickling.

Source: S. Sanyal et al., "Learning to regress 3D face shape and expression from an image without
3D supervision", CVPR 2019, section 5; github.com/soubhiksanyal/now_evaluation.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, Float64

from lineament.core.errors import BadInput
from lineament.measure.sets.nouns import Terms, need_files
from lineament.measure.sets.npy import read_npy
from lineament.measure.sets.plain_pickle import unboxed
from lineament.measure.sets.text import Line, read_lines

TERMS = Terms(
    name="NoW",
    where="its authors' page, after registration (now.is.tue.mpg.de)",
    terms="non-commercial research, under its licence; pictures may not be passed on",
)
CHALLENGES = ("multiview_neutral", "multiview_expressions", "multiview_occlusions", "selfie")
_LIST = "imagepathsvalidation.txt"
_POINTS = 7
_MAX_BYTES = 2**16
_PICKED = re.compile(r"<point\b[^<>]*>")


@dataclass(frozen=True, eq=False)
class Now:
    """The validation part: its scans are public, those of the test are not.

    Attributes:
        folder: ``final_release_version``.
        names: of the pictures below ``iphone_pictures``; person, challenge, file.
        boxes: of the face in each, left, top, right, bottom in pixels.
        scans: the scan of each picture's person.
        picked: the file of its seven points; see `read_picked_points`.
    """

    folder: Path
    names: tuple[str, ...]
    boxes: Float32[np.ndarray, "n 4"]
    scans: tuple[Path, ...]
    picked: tuple[Path, ...]

    def path(self, number: int) -> Path:
        """Of a picture."""
        return self.folder / "iphone_pictures" / self.names[number]

    @property
    def people(self) -> tuple[str, ...]:
        """Of each picture."""
        return tuple(name.split("/")[0] for name in self.names)

    @property
    def challenges(self) -> tuple[str, ...]:
        """Of each picture; see `CHALLENGES`."""
        return tuple(name.split("/")[1] for name in self.names)


def read_now(folder: Path) -> Now:
    """Read a folder of NoW (``final_release_version``, or one that holds it).

    Raises:
        MissingFile: it is not there; the message says where to get it, and its terms.
        BadInput: a list, a box or a person's folder does not follow its format.
    """
    places = [folder, folder / "final_release_version", folder / "NoW_Dataset"]
    places.append(places[2] / "final_release_version")
    homes = [place for place in places if (place / "iphone_pictures").is_dir()]
    lists = [place / _LIST for place in [*places, folder.parent] if (place / _LIST).is_file()]
    if not homes or not lists:
        raise TERMS.missing(folder / ("iphone_pictures" if lists else _LIST))
    home = homes[0]
    names = [_name(line) for line in read_lines(lists[0])]
    if not names:
        raise BadInput("the list is empty", str(lists[0]))
    people = sorted({name.split("/")[0] for name in names})
    scans = {person: _only(home / "scans" / person, "*.obj") for person in people}
    picked = {person: _only(home / "scans_lmks_onlypp" / person, "*.pp") for person in people}
    return Now(
        home,
        tuple(names),
        np.asarray([_read_box(home / "detected_face" / name) for name in names], np.float32),
        tuple(scans[name.split("/")[0]] for name in names),
        tuple(picked[name.split("/")[0]] for name in names),
    )


def read_picked_points(path: Path) -> Float64[np.ndarray, "7 3"]:
    """The seven points of a scan, in the scan's unit (millimetres).

    Raises:
        MissingFile: there is no such file.
        BadInput: it does not hold seven points.
    """
    need_files(TERMS, path)
    with path.open("rb") as file:
        text = file.read(_MAX_BYTES).decode("utf-8", errors="replace")
    points = []
    for tag in _PICKED.findall(text):
        values = dict(re.findall(r'\b([xyz])="([^"]{1,40})"', tag))
        try:
            points.append([float(values[axis]) for axis in "xyz"])
        except (KeyError, ValueError):
            raise BadInput(f"not a point: {tag[:80]!r}", str(path)) from None
    if len(points) != _POINTS or not np.isfinite(points).all():
        raise BadInput(f"{len(points)} points instead of {_POINTS} finite ones", str(path))
    return np.asarray(points)


def _name(line: Line) -> str:
    name = line.inside(" ".join(line.words))
    parts = name.split("/")
    if len(parts) != 3 or parts[1] not in CHALLENGES:
        raise line.bad(f"{name[:80]!r} is not person/challenge/picture")
    return name


def _only(folder: Path, pattern: str) -> Path:
    found = sorted(folder.glob(pattern)) if folder.is_dir() else []
    if not found:
        raise TERMS.missing(folder / pattern)
    if len(found) > 1:
        raise BadInput(f"{len(found)} files {pattern} where one belongs", str(folder))
    return found[0]


def _read_box(picture: Path) -> list[float]:
    path = picture.with_suffix(".npy")
    need_files(TERMS, path)
    content: Any = read_npy(path)
    if not isinstance(content, list) or len(content) != 1 or not isinstance(content[0], dict):
        raise BadInput("a box as a dict expected", str(path))
    # Python 2 wrote these: its text is bytes.
    sides = {_text(key): unboxed(value) for key, value in content[0].items()}
    try:
        box = [float(sides[side]) for side in ("left", "top", "right", "bottom")]
    except (KeyError, TypeError, ValueError):
        raise BadInput("a box with left, top, right and bottom expected", str(path)) from None
    if not np.isfinite(box).all() or box[0] >= box[2] or box[1] >= box[3]:
        raise BadInput(f"a box of {box}", str(path))
    return box


def _text(key: object) -> str:
    return key.decode("latin-1") if isinstance(key, bytes) else str(key)
