"""The command `clean`: strangers out of folders of people, and folders of one person as one."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, Int64

from lineament.analyze import Analyzer, main_face
from lineament.cli.describe import analyzer_of
from lineament.cli.output import print_json, print_table, progress
from lineament.core.errors import BadInput, NoFace, UnreadableImage
from lineament.core.media import read_image
from lineament.know.calibration import calibration_of
from lineament.learn.data.cleaning import (
    GONE,
    Limits,
    calibrated_limits,
    dominant,
    originals,
    united,
)
from lineament.learn.data.people import read_people
from lineament.measure.sets.nouns import LabeledPictures

DOUBTFUL, COPY, UNREAD = -2, -3, -4
"""In place of the person of a picture that goes; `GONE` is a stranger in the folder."""
FATES = {GONE: "stranger", DOUBTFUL: "doubtful", COPY: "copy", UNREAD: "no face"}


def clean(options: Namespace) -> int:
    """Say which pictures are not of their folder's person, and which folders are one person's.

    No picture is moved or deleted: ``--list`` writes down what stays. A doubtful folder's person
    may be that of another, larger one.
    """
    if options.list and options.list.exists():
        raise BadInput("is there already, and is not written over", str(options.list))
    pictures = read_people(options.folder)
    assert pictures.people is not None
    analyzer = analyzer_of(options, options.embedder, {"embeddings"})
    assert analyzer.embedder is not None
    calibration = calibration_of(analyzer.embedder.space)
    vectors, seen = _embedded(pictures, analyzer, show=not options.json)
    people = np.full(len(pictures.paths), UNREAD, np.int64)
    if seen.any():
        folders = pictures.people[seen]
        rate = options.false_match_rate
        limits = calibrated_limits(vectors, folders, calibration, rate)
        people[seen] = _judged(vectors, folders, limits)
    outcome = _Outcome(options.folder, pictures, pictures.people, people)
    if options.list:
        _write(options.list, outcome.listing())
    if options.json:
        print_json(outcome.rows())
    else:
        outcome.print()
    return 0


def _write(path: Path, text: str) -> None:
    try:
        # A file's name need not be text.
        path.write_text(text, encoding="utf-8", errors="surrogateescape")
    except OSError as error:
        raise BadInput(f"cannot be written: {error.strerror or error}", str(path)) from error


def _embedded(
    pictures: LabeledPictures, analyzer: Analyzer, *, show: bool
) -> tuple[Float32[np.ndarray, "m d"], np.ndarray]:
    """Embeddings of the largest face of each picture that shows one, and which pictures do."""
    vectors, seen = [], np.zeros(len(pictures.paths), bool)
    with progress(show) as bars:
        for row, path in enumerate(bars.track(pictures.paths, description="pictures")):
            try:
                face = main_face(analyzer([read_image(path)])[0], str(path))
            except (UnreadableImage, NoFace) as error:
                print(f"lineament: {error}", file=sys.stderr)
                continue
            vectors.append(face.embeddings.vectors[0])
            seen[row] = True
    return np.asarray(vectors, np.float32), seen


def _judged(
    vectors: Float32[np.ndarray, "m d"], folders: Int64[np.ndarray, " m"], limits: Limits
) -> Int64[np.ndarray, " m"]:
    """As `learn.data.cleaning.clean`, with the reason in place of each face that goes."""
    theirs = np.where(dominant(vectors, folders, limits), folders, GONE)
    people = united(vectors, theirs, limits)
    people[(people == GONE) & (theirs != GONE)] = DOUBTFUL
    copies = (people >= 0) & ~originals(vectors, people, limits.copied)
    return np.where(copies, COPY, people)


@dataclass(frozen=True, eq=False)
class _Outcome:
    """Whose picture each was said to be, and whose it is after cleaning."""

    root: Path
    pictures: LabeledPictures
    before: Int64[np.ndarray, " n"]
    after: Int64[np.ndarray, " n"]

    def name(self, person: int) -> str:
        """Of a folder; of a person who only has a number in a list, that number."""
        first = self.pictures.paths[int(np.flatnonzero(self.before == person)[0])]
        inside = first.relative_to(self.root).parts
        return inside[0] if len(inside) > 1 else str(person)

    def listing(self) -> str:
        """What stays, as a list that `learn.data.people.read_people` takes."""
        kept = np.flatnonzero(self.after >= 0).tolist()
        return "".join(f"{self._inside(row)}\t{self.after[row]}\n" for row in kept)

    def rows(self) -> list[dict[str, Any]]:
        """A row a picture."""
        return [
            {
                "picture": self._inside(row),
                "folder": self.name(int(self.before[row])),
                "person": self.name(int(after)) if after >= 0 else None,
                "fate": FATES.get(int(after), "stays"),
            }
            for row, after in enumerate(self.after)
        ]

    def print(self) -> None:
        """A row a folder that changes, and the sum."""
        changed = []
        for person in np.unique(self.before):
            fates = Counter(self.after[self.before == person].tolist())
            kept = {who: n for who, n in fates.items() if who >= 0}
            if kept.keys() == {person} and len(fates) == 1:
                continue
            joined = ", ".join(self.name(who) for who in kept if who != person)
            gone = [fates[fate] for fate in FATES]
            changed.append((self.name(int(person)), sum(kept.values()), *gone, joined))
        if changed:
            headings = ("folder", "stay#", *(f"{fate}#" for fate in FATES.values()))
            print_table((*headings, "one person with"), changed)
        stay = self.after[self.after >= 0]
        print(
            f"{len(stay)} of {len(self.after)} pictures stay, of {len(np.unique(stay))} people in "
            f"place of {len(np.unique(self.before))}. No file was moved."
        )

    def _inside(self, row: int) -> str:
        return self.pictures.paths[row].relative_to(self.root).as_posix()
