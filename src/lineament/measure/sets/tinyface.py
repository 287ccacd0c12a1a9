"""TinyFace: people known from a few low-resolution pictures, searched among 153,428 strangers.

Layout: ``Testing_Set`` with the folders ``Probe``, ``Gallery_Match`` and ``Gallery_Distractor``,
and the lists ``probe_img_ID_pairs.mat`` (``probe_set``, ``probe_ids``) and
``gallery_match_img_ID_pairs.mat`` (``gallery_set``, ``gallery_ids``). MATLAB's files are read by
`matlab`. Source: Z. Cheng, X. Zhu, S. Gong, "Low-resolution face recognition", ACCV 2018, section
3, and the evaluation code that comes with the set.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int64

from lineament.core.errors import BadInput
from lineament.core.media import SUFFIXES
from lineament.measure.sets.matlab import read_matlab
from lineament.measure.sets.nouns import Terms, need_files
from lineament.measure.sets.text import Line

TERMS = Terms(
    name="TinyFace",
    where="its authors' page (qmul-tinyface.github.io)",
    terms="non-commercial research and education",
)


@dataclass(frozen=True, eq=False)
class TinyFace:
    """The test set: closed-set identification, every probe having its person in the gallery.

    Attributes:
        folder: ``Testing_Set``.
        probes: paths in it; 3,728.
        probe_people: the person of each.
        gallery: paths in it; 4,443, several of a person.
        gallery_people: the person of each.
        distractors: paths in it, in order of name; they belong to the gallery and to nobody.
    """

    folder: Path
    probes: tuple[str, ...]
    probe_people: Int64[np.ndarray, " p"]
    gallery: tuple[str, ...]
    gallery_people: Int64[np.ndarray, " g"]
    distractors: tuple[str, ...]


def read_tinyface(folder: Path) -> TinyFace:
    """Read a folder of TinyFace, or its ``Testing_Set``.

    Raises:
        MissingFile: it is not there; the message says where to get it, and its terms.
        BadInput: a list does not follow its format, or a probe's person is not in the gallery.
    """
    folder = folder / "Testing_Set" if (folder / "Testing_Set").is_dir() else folder
    probes, probe_people = _read_list(folder, "probe", "Probe", "probe")
    gallery, gallery_people = _read_list(folder, "gallery_match", "Gallery_Match", "gallery")
    strangers = set(probe_people.tolist()) - set(gallery_people.tolist())
    if strangers:
        raise BadInput(f"person {min(strangers)} has probes and no gallery", str(folder))
    others = folder / "Gallery_Distractor"
    if not others.is_dir():
        raise TERMS.missing(others)
    distractors = sorted(
        f"Gallery_Distractor/{entry.name}"
        for entry in os.scandir(others)
        if Path(entry.name).suffix.lower() in SUFFIXES
    )
    return TinyFace(folder, probes, probe_people, gallery, gallery_people, tuple(distractors))


def _read_list(
    folder: Path, file: str, pictures: str, field: str
) -> tuple[tuple[str, ...], Int64[np.ndarray, " n"]]:
    path = folder / f"{file}_img_ID_pairs.mat"
    need_files(TERMS, path)
    content = read_matlab(path)
    names, people = content.get(f"{field}_set"), content.get(f"{field}_ids")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise BadInput(f"{field}_set is not a list of names", str(path))
    if not isinstance(people, np.ndarray) or people.dtype.kind not in "iuf":
        raise BadInput(f"{field}_ids is not a list of numbers", str(path))
    if people.size != len(names) or not names:
        raise BadInput(f"{people.size} people for {len(names)} pictures", str(path))
    if not np.array_equal(people, np.floor(people)):
        raise BadInput(f"{field}_ids are not whole numbers", str(path))
    line = Line(path, 1, ())
    inside = tuple(f"{pictures}/{line.inside(name)}" for name in names)
    return inside, people.ravel(order="F").astype(np.int64)
