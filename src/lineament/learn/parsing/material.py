"""What recipes of parsers learn from and are measured on, in parts that share no person.

CelebA: people in an order that follows from a seed; those of the first 600 pictures are for the
test, the next choose between runs, the rest train. FASSEG: its own training and test parts; of
version 3, whose people are known, the last of the training part's people chooses.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Int64, UInt8

from lineament.core.cards import method
from lineament.core.errors import BadInput
from lineament.learn.parsing.classes import NAMES
from lineament.learn.parsing.faces import CANVAS, ParsedFaces, annotated, answers, kept, labelled
from lineament.learn.recipes import Job
from lineament.measure.sets.celeba import read_celeba
from lineament.measure.sets.fasseg import read_fasseg

LABELLER = "bisenet"
"""Whose answers stand in for masks of 19 classes."""
PICTURES = {"test": 600, "choose": 100, "train": 1300}
"""Of CelebA, about: nobody is in two parts."""
VERSIONS = {"V2": "FASSEG version 2, frontal", "V3": "FASSEG version 3, many poses"}


@dataclass(frozen=True, eq=False)
class Material:
    """Faces of one run.

    Attributes:
        labelled: by part: CelebA with another parser's 19 classes.
        annotated: FASSEG's six true classes: "train" and "choose" of both versions together,
            and the test part of each version under its name.
        rivals: the labeller's own 19 classes of the test parts of FASSEG.
    """

    labelled: dict[str, ParsedFaces]
    annotated: dict[str, ParsedFaces]
    rivals: dict[str, UInt8[np.ndarray, "n s s"]]

    @property
    def hash(self) -> str:
        """Of what is learnt from."""
        return f"{self.labelled['train'].hash} {self.annotated['train'].hash}"


def gather(job: Job) -> Material:
    """Faces for a job. Labels are made once, beside the job's own folder: recipes share them.

    Raises:
        BadInput: there is no folder of test sets.
        LicenceNotAccepted: the labeller's weights are for research only.
    """
    if job.data is None:
        raise BadInput("a parser learns from celeba5k and fasseg: name the folder of test sets")
    if job.faces is not None:
        raise BadInput("a parser learns from its own sets; leave out --faces")
    made = job.out.parent / "parsed"
    made.mkdir(parents=True, exist_ok=True)
    parser = method(LABELLER, "describe").load()(threads=1)
    if tuple(parser.names) != NAMES:
        raise BadInput(f"{LABELLER} gives other classes than {', '.join(NAMES)}")
    celeba = read_celeba(job.data / "celeba5k")
    if celeba.people is None:
        raise BadInput("celeba5k names no people")
    picked = {}
    for part, rows in split_by_person(celeba.people).items():
        paths, people = [celeba.paths[row] for row in rows], celeba.people[rows]
        picked[part] = kept(
            made,
            _key(f"celeba {part} {LABELLER}", paths),
            lambda paths=paths, people=people: labelled(paths, people, parser, job.say),
        )
    pictures = {
        (version, part): read_fasseg(job.data / "fasseg", version, part)
        for version in VERSIONS
        for part in ("Train", "Test")
    }
    true = {
        (version, part): kept(
            made, _key(f"fasseg {version} {part}", each.paths), lambda each=each: annotated(each)
        )
        for (version, part), each in pictures.items()
    }
    poses = true["V3", "Train"]
    last = poses.people == poses.people.max()
    annotations = {
        "train": joined(true["V2", "Train"], poses[np.flatnonzero(~last)]),
        "choose": poses[np.flatnonzero(last)],
        **{version: true[version, "Test"] for version in VERSIONS},
    }
    rivals = {
        version: _answers(made, version, pictures[version, "Test"].paths, annotations, parser)
        for version in VERSIONS
    }
    return Material(picked, annotations, rivals)


def split_by_person(people: Int64[np.ndarray, " n"]) -> dict[str, Int64[np.ndarray, " _"]]:
    """Rows of each part: everybody's pictures are in one part, and the parts are about as large as
    `PICTURES` says, or smaller where there are fewer."""
    names, person, counts = np.unique(people, return_inverse=True, return_counts=True)
    order = np.random.default_rng(0).permutation(len(names))
    before = np.empty(len(names), np.int64)
    before[order] = np.cumsum(counts[order]) - counts[order]
    parts, start = {}, 0
    for part, size in PICTURES.items():
        here = (before >= start) & (before < start + size)
        parts[part] = np.flatnonzero(here[person])
        start += size
    return parts


def _answers(
    made: Path,
    version: str,
    paths: tuple[Path, ...],
    annotations: dict[str, ParsedFaces],
    parser,
) -> UInt8[np.ndarray, "n s s"]:
    """The labeller's own classes, kept as faces are."""
    faces = annotations[version]

    def make() -> ParsedFaces:
        return replace(faces, labels=answers(paths, faces.rows, parser))

    return kept(made, _key(f"fasseg {version} {LABELLER}", paths), make).labels


def joined(one: ParsedFaces, other: ParsedFaces) -> ParsedFaces:
    """Both together. Nobody tells whether they share people: these are to learn from only."""
    return ParsedFaces(
        np.concatenate([one.pixels, other.pixels]),
        np.concatenate([one.labels, other.labels]),
        np.concatenate([one.boxes, other.boxes]),
        np.concatenate([one.points, other.points]),
        np.concatenate([one.people, other.people]),
        np.concatenate([one.rows, other.rows]),
        f"{one.hash} {other.hash}",
    )


def _key(what: str, paths: tuple[Path, ...] | list[Path]) -> str:
    """Of pictures that are known by name and length."""
    listing = "".join(f"{path.name} {path.stat().st_size}\n" for path in paths)
    return f"{what} {CANVAS}\n{listing}"
