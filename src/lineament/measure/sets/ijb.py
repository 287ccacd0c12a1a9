"""IJB-B and IJB-C: people as templates of many pictures and frames, for 1:1 and 1:N.

Reads the lists in the form in which nearly all published figures were measured: ``IJBC/loose_crop``
with the pictures and ``IJBC/meta`` with

- ``ijbc_face_tid_mid.txt``: picture, template, medium;
- ``ijbc_name_5pts_score.txt``: picture, five points, score of the detector, in the same order;
- ``ijbc_template_pair_label.txt``: template, template, 1 for one person, else 0;
- ``ijbc_1N_gallery_G1.csv``, ``..._G2.csv`` (IJB-B: ``S1``, ``S2``), ``ijbc_1N_probe_mixed.csv``:
  template, subject, after a line of titles.

Source: C. Whitelam et al., "IARPA Janus Benchmark-B face dataset", CVPR Workshops 2017; B. Maze et
al., "IARPA Janus Benchmark-C", ICB 2018; the lists are of
github.com/deepinsight/insightface, recognition/_evaluation_/ijb.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float32, Int32, Int64

from lineament.core.errors import BadInput
from lineament.measure.sets.nouns import Terms, need_files
from lineament.measure.sets.text import read_lines

TERMS = Terms(
    name="IJB-B and IJB-C",
    where="NIST's face challenges page (nist.gov/programs-projects/face-challenges), on request; "
    "the lists: github.com/deepinsight/insightface, recognition/_evaluation_/ijb",
    terms="research, under the agreement that NIST asks for; not to be passed on",
)
_GALLERIES = {"ijbb": ("S1", "S2"), "ijbc": ("G1", "G2")}
_HIGHEST = 2**31 - 1


@dataclass(frozen=True, eq=False)
class Enrolled:
    """Templates with their people: a gallery, or the probes.

    Attributes:
        templates: numbers, each once, in the order of the list.
        subjects: the person of each.
    """

    templates: Int64[np.ndarray, " t"]
    subjects: Int64[np.ndarray, " t"]


@dataclass(frozen=True, eq=False)
class Ijb:
    """IJB-B or IJB-C as arrays.

    Attributes:
        folder: of the pictures.
        names: of the pictures in it, n.
        points: five points of each, in pixels of the picture: right eye (image left), left eye,
            nose, right and left corner of the mouth.
        scores: of the detector for each.
        templates: of each.
        media: of each; a video's frames share one.
        pairs: rows of two templates.
        same: whether a pair shows one person.
        galleries: the two of 1:N, whose people do not overlap; empty where the lists are absent.
        probes: of 1:N; None where the list is absent.
    """

    folder: Path
    names: tuple[str, ...]
    points: Float32[np.ndarray, "n 5 2"]
    scores: Float32[np.ndarray, " n"]
    templates: Int64[np.ndarray, " n"]
    media: Int64[np.ndarray, " n"]
    pairs: Int32[np.ndarray, "p 2"]
    same: Bool[np.ndarray, " p"]
    galleries: tuple[Enrolled, ...]
    probes: Enrolled | None

    def path(self, number: int) -> Path:
        """Of a picture."""
        return self.folder / self.names[number]


def read_ijb(folder: Path, name: str = "ijbc") -> Ijb:
    """Read a folder of IJB-B or IJB-C (``.../IJBB``, ``.../IJBC``).

    IJB-C has 469,375 pictures and 15,658,489 pairs: half a minute, and at most 0.9 GB of memory.

    Args:
        folder: holds ``loose_crop`` and ``meta``.
        name: ``ijbb`` or ``ijbc``.

    Raises:
        MissingFile: it is not there; the message says where to get it, and its terms.
        BadInput: a list does not follow its format, or two lists contradict each other.
    """
    if name not in _GALLERIES:
        raise BadInput(f"{name!r} is neither ijbb nor ijbc")
    meta = folder / "meta"
    lists = [f"{name}_{rest}.txt" for rest in ("face_tid_mid", "name_5pts_score")]
    pairs_file = meta / f"{name}_template_pair_label.txt"
    need_files(TERMS, *(meta / file for file in lists), pairs_file)
    names, templates, media = _read_media(meta / lists[0])
    points, scores = _read_points(meta / lists[1], names)
    pairs, same = _read_pairs(pairs_file, templates)
    galleries = [meta / f"{name}_1N_gallery_{part}.csv" for part in _GALLERIES[name]]
    probes = meta / f"{name}_1N_probe_mixed.csv"
    known = {int(template) for template in np.unique(templates)}
    return Ijb(
        folder / "loose_crop",
        names,
        points,
        scores,
        templates,
        media,
        pairs,
        same,
        tuple(_read_enrolled(path, known) for path in galleries if path.is_file()),
        _read_enrolled(probes, known) if probes.is_file() else None,
    )


def _read_media(
    path: Path,
) -> tuple[tuple[str, ...], Int64[np.ndarray, " n"], Int64[np.ndarray, " n"]]:
    names, numbers = [], []
    for line in read_lines(path):
        line.expect(3)
        names.append(line.name(0))
        numbers.append((line.integer(1, 0, _HIGHEST), line.integer(2, 0, _HIGHEST)))
    if not names:
        raise BadInput("the list is empty", str(path))
    templates, media = np.asarray(numbers, np.int64).T
    return tuple(names), np.ascontiguousarray(templates), np.ascontiguousarray(media)


def _read_points(
    path: Path, names: tuple[str, ...]
) -> tuple[Float32[np.ndarray, "n 5 2"], Float32[np.ndarray, " n"]]:
    rows = np.empty((len(names), 11), np.float32)
    count = 0
    for line in read_lines(path):
        line.expect(12)
        if count == len(names) or line.name(0) != names[count]:
            raise line.bad("not the picture that the list of media has in this place")
        rows[count] = line.floats(1, 12)
        count += 1
    if count != len(names):
        raise BadInput(f"{count:,} pictures; the list of media has {len(names):,}", str(path))
    return rows[:, :10].reshape(-1, 5, 2), rows[:, 10].copy()


def _read_pairs(
    path: Path, templates: Int64[np.ndarray, " n"]
) -> tuple[Int32[np.ndarray, "p 2"], Bool[np.ndarray, " p"]]:
    try:  # 15 million lines: numpy reads them many times as fast as a loop does
        with warnings.catch_warnings():  # an empty list is one
            warnings.simplefilter("error", UserWarning)
            table = np.loadtxt(path, np.int32, comments=None, ndmin=2)
    except (ValueError, OverflowError, UserWarning):
        table = np.empty((0, 0), np.int32)
    if table.shape[1] != 3 or not len(table):
        raise _first_fault(path)
    unknown = ~np.isin(table[:, :2], templates).all(axis=1) | ~np.isin(table[:, 2], (0, 1))
    if unknown.any():
        row = ", ".join(map(str, table[np.argmax(unknown)]))
        raise BadInput(f"pair {row}: a template without pictures, or no label", str(path))
    return np.ascontiguousarray(table[:, :2]), table[:, 2] == 1


def _first_fault(path: Path) -> BadInput:
    """What is wrong with a list of pairs, and in which line."""
    for line in read_lines(path):
        line.expect(3)
        for index in range(3):
            line.integer(index, 0, _HIGHEST)
    return BadInput("the list is empty", str(path))


def _read_enrolled(path: Path, known: set[int]) -> Enrolled:
    """Template and subject, first of all columns; a template has a line for each picture."""
    subjects: dict[int, int] = {}
    for number, line in enumerate(read_lines(path, ",")):
        if number == 0:
            continue
        template, subject = (line.integer(index, 0, _HIGHEST) for index in (0, 1))
        if template not in known:
            raise line.bad(f"template {template} has no pictures")
        if subjects.setdefault(template, subject) != subject:
            raise line.bad(f"template {template} is of two people")
    if not subjects:
        raise BadInput("the list is empty", str(path))
    rows = np.asarray(list(subjects.items()), np.int64)
    return Enrolled(rows[:, 0].copy(), rows[:, 1].copy())
