"""OULU-NPU: printed and replayed faces before the cameras of six phones, in four protocols.

Layout: ``Protocols/Protocol_1/Train.txt``, ``Dev.txt``, ``Test.txt`` (protocols 3 and 4 have six
folds: ``Train_1.txt`` ...), and ``Train_files/2_1_05_3.avi``. A line is ``+1,2_1_05_1``: the label
(+1 live, below 0 an attack) and the video, named phone, session, person, file. File 1 is live, 2
and 3 are printed, 4 and 5 replayed.

Source: Z. Boulkenafet et al., "OULU-NPU: a mobile face presentation attack database with
real-world variations", FG 2017, sections III and IV.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from lineament.core.errors import BadInput
from lineament.measure.sets.nouns import Terms, need_files
from lineament.measure.sets.presentations import LIVE, Presentations
from lineament.measure.sets.text import Line, read_lines

TERMS = Terms(
    name="OULU-NPU",
    where="its authors, on request (sites.google.com/site/oulunpudatabase)",
    terms="non-commercial research, under a signed agreement",
)
KINDS = (LIVE, "print", "replay")
SPLITS = {"train": "Train", "dev": "Dev", "test": "Test"}
FOLDED = (3, 4)
"""Protocols of six folds: each leaves one phone out."""

_VIDEO = re.compile(r"([1-6])_([1-3])_(\d{1,2})_([1-5])")


def read_oulu(folder: Path, protocol: int, split: str, fold: int | None = None) -> Presentations:
    """Read one list of OULU-NPU. The conditions are phone and session.

    Args:
        folder: holds ``Protocols`` and the videos.
        protocol: 1 (light), 2 (attack instrument), 3 (phone) or 4 (all of these).
        split: ``train``, ``dev`` or ``test``.
        fold: 1 to 6 for protocols 3 and 4, else None.

    Raises:
        MissingFile: it is not there; the message says where to get it, and its terms.
        BadInput: the list does not follow its format, or there is no such list.
    """
    folds = range(1, 7) if protocol in FOLDED else (None,)
    if protocol not in (1, 2, 3, 4) or split not in SPLITS or fold not in folds:
        raise BadInput(f"OULU-NPU has no protocol {protocol}, {split}, fold {fold}")
    name = SPLITS[split]
    suffix = "" if fold is None else f"_{fold}"
    path = folder / "Protocols" / f"Protocol_{protocol}" / f"{name}{suffix}.txt"
    need_files(TERMS, path)
    rows = [_read_line(line) for line in read_lines(path, ",")]
    if not rows:
        raise BadInput("the list is empty", str(path))
    videos, kinds, people, conditions = zip(*rows, strict=True)
    return Presentations(
        tuple(folder / f"{name}_files" / f"{video}.avi" for video in videos),
        np.asarray(kinds, np.int64),
        np.asarray(people, np.int64),
        conditions,
        KINDS,
    )


def _read_line(line: Line) -> tuple[str, int, int, str]:
    line.expect(2)
    label, video = line.integer(0, -2, 1), line.words[1]
    parts = _VIDEO.fullmatch(video)
    if not parts:
        raise line.bad(f"{video[:40]!r} is not phone_session_person_file")
    phone, session, person, file = map(int, parts.groups())
    if label == 0 or (label > 0) != (file == 1):
        raise line.bad(f"label {label} for file {file}: file 1 is live, and no other")
    return video, file // 2, person, f"phone {phone}, session {session}"
