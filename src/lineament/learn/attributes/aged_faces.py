"""Faces with ages to learn from and to be measured on: wide crops, years, labels of sex, groups.

UTKFace is split by chance, once for all. A fifth chooses between runs: it is the fifth that
`lineament bench utkface-age-sex` leaves out, since choices were made on it. Of the others, all of
which that protocol measures, one in three is measured here too and the rest trains. The set names
no people; so of what trains, faces are dropped that a recognizer holds for a face of the test.

1,000 faces teach little, so pictures of CelebA join the training: their ages are those that another
method says, their labels of sex are CelebA's own. Groups are read for audits alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64, UInt8

from lineament.core.cards import method
from lineament.core.crops import ARCFACE_112, Template, align
from lineament.core.errors import BadInput
from lineament.core.faces import Faces
from lineament.core.image import Image
from lineament.core.landmarks import Landmarks
from lineament.core.media import read_image
from lineament.learn.data.cache import kept
from lineament.learn.recipes import Job
from lineament.measure.sets.celeba import read_celeba
from lineament.measure.sets.utkface import GROUPS, read_utkface
from lineament.measure.sets.utkface import SEXES as UTK_SEXES

SEXES = ("female", "male")
"""Names of the labels by number, in the order of the field ``sex``."""
BANDS = {"0-12": (0, 12), "13-19": (13, 19), "20-39": (20, 39), "40-59": (40, 59), "60+": (60, 200)}
"""First and last age of each band, as `lineament bench utkface-age-sex` has them."""
SPLIT_SEED = 2017
"""Of the split; the same that the protocol draws with."""
CELEBRITIES = 3000
"""Pictures of CelebA, from the first in order of name."""
LABELLER = "human-faceres"
"""Who says the ages of CelebA's pictures. UTKFace was not in its training."""
RIVALS = {"age-v1, gender-v1": ("age-v1", "gender-v1"), "human-faceres": ("human-faceres",) * 2}
"""Who says age and who says sex, measured on the same rows."""
ALIKE = 0.5
"""Cosine of SFace from which two faces may be of one person."""


@dataclass(frozen=True, eq=False)
class AgedFaces:
    """Wide crops of faces and what is known of them.

    Attributes:
        pixels: uint8 RGB.
        ages: years.
        sexes: numbers of `SEXES`.
        groups: numbers of UTKFace's groups; -1 where none is known.
        points: scheme "5", pixels of the picture that a crop is from.
        pictures: paths of these.
    """

    pixels: UInt8[np.ndarray, "n b b 3"]
    ages: Float32[np.ndarray, " n"]
    sexes: Int64[np.ndarray, " n"]
    groups: Int64[np.ndarray, " n"]
    points: Float32[np.ndarray, "n 5 2"]
    pictures: np.ndarray

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, rows: np.ndarray) -> AgedFaces:
        return AgedFaces(*(getattr(self, each.name)[rows] for each in fields(self)))

    def parts(self) -> dict[str, Bool[np.ndarray, " n"]]:
        """Rows of each band of age, then of each group, of those that have any."""
        bands = {n: (low <= self.ages) & (self.ages <= high) for n, (low, high) in BANDS.items()}
        groups = {name: self.groups == number for number, name in enumerate(GROUPS)}
        return {name: rows for name, rows in (bands | groups).items() if rows.any()}


@dataclass(frozen=True, eq=False)
class Answers:
    """What somebody says of the test faces.

    Attributes:
        ages: years.
        male: whether the label is the second of `SEXES`; None where nothing is said.
    """

    ages: Float64[np.ndarray, " n"]
    male: Bool[np.ndarray, " n"] | None = None


@dataclass(frozen=True, eq=False)
class Material:
    """Faces of one run.

    Attributes:
        train: of UTKFace, with its labels.
        more: of CelebA, with ages that a method said.
        choose: to watch while training.
        test: to be measured on, once.
        rivals: what other methods say of the test faces.
        hash: of UTKFace.
        placed: how many faces of UTKFace were not found and are cut at the set's usual place.
        dropped: how many faces were left out of the training as too like a face of the test.
    """

    train: AgedFaces
    more: AgedFaces
    choose: AgedFaces
    test: AgedFaces
    rivals: Mapping[str, Answers]
    hash: str
    placed: int
    dropped: int


def split(count: int) -> dict[str, Int64[np.ndarray, " _"]]:
    """Rows of UTKFace in order of name: train, choose and test."""
    order = np.random.default_rng(SPLIT_SEED).permutation(count)
    choose, others = np.split(order, [count // 5])
    is_test = np.arange(len(others)) % 3 == 0
    parts = {"train": others[~is_test], "choose": choose, "test": others[is_test]}
    return {name: np.sort(rows) for name, rows in parts.items()}


def apart(
    learnt: Float32[np.ndarray, "n d"], test: Float32[np.ndarray, "m d"]
) -> Bool[np.ndarray, " n"]:
    """Which faces are like no face of the test, by embeddings of length 1."""
    return (learnt @ test.T).max(axis=1) < ALIKE


def gather(job: Job, cut: Template) -> Material:
    """Faces for a job. Reading and labelling are done once, beside the job's own folder: recipes
    share it.

    Args:
        job: the job.
        cut: template of the wide crops.

    Raises:
        BadInput: there is no folder of test sets.
    """
    if job.data is None:
        raise BadInput("ages are learnt from utkface and celeba5k: name the folder of test sets")
    utk = read_utkface(job.data / "utkface")
    celeba = read_celeba(job.data / "celeba5k")
    paths = celeba.paths[:CELEBRITIES]
    rows = split(len(utk.paths))
    made = job.out.parent / "aged"

    def found_in(name: str, paths: Sequence[Path], labeller: str | None) -> dict[str, np.ndarray]:
        key = (labeller, _listing(paths))
        return kept(made, name, key, lambda: _find(paths, labeller, job.say))

    def cut_from(name: str, paths: Sequence[Path], points: np.ndarray) -> np.ndarray:
        key = (cut, _listing(paths))
        return kept(made, f"{name}-crops", key, lambda: {"pixels": _cut(paths, points, cut)})[
            "pixels"
        ]

    ours, theirs = found_in("utkface", utk.paths, None), found_in("celeba", paths, LABELLER)
    found = np.flatnonzero(theirs["found"])
    pictures = [paths[row] for row in found]
    said = kept(
        made, "rivals", (RIVALS, _listing(utk.paths)),
        lambda: _said(utk.paths, rows["test"], ours["points"]),
    )  # fmt: skip
    everyone = AgedFaces(
        cut_from("utkface", utk.paths, ours["points"]),
        utk.labels["age"].astype(np.float32),
        np.asarray([SEXES.index(name) for name in UTK_SEXES])[utk.labels["sex"]],
        utk.labels["group"],
        ours["points"],
        np.asarray(list(map(str, utk.paths))),
    )
    more = AgedFaces(
        cut_from("celeba", pictures, theirs["points"][found]),
        theirs["ages"][found],
        celeba.labels["Male"][found].astype(np.int64),
        np.full(len(found), -1),
        theirs["points"][found],
        np.asarray(list(map(str, pictures))),
    )
    test = ours["vectors"][rows["test"]]
    train = rows["train"][apart(ours["vectors"][rows["train"]], test)]
    clear = np.flatnonzero(apart(theirs["vectors"][found], test))
    return Material(
        everyone[train],
        more[clear],
        everyone[rows["choose"]],
        everyone[rows["test"]],
        {
            who: Answers(said[age].astype(np.float64), said[f"{sex} sex"] > 0.5)
            for who, (age, sex) in RIVALS.items()
        },
        utk.digest(),
        int((~ours["found"]).sum()),
        len(rows["train"]) - len(train) + len(more) - len(clear),
    )


def _listing(paths: Sequence[Path]) -> str:
    """Files, known by name and length."""
    return "".join(f"{path.name} {path.stat().st_size}\n" for path in paths)


def _find(
    paths: Sequence[Path], labeller: str | None, say: Callable[[str], None]
) -> dict[str, np.ndarray]:
    """Points and embedding of the largest face of each picture, and the age that a method says.

    Where nobody is found, the points lie where the others' are by the median, as shares of the
    picture's sides: sets of crops show the face at one place.

    Args:
        paths: of pictures.
        labeller: of ages.
        say: shows a line of progress.
    """
    detector = method("yunet", "detect").load()(threads=1)
    embedder = method("sface", "embed").load()(threads=1)
    oracle = method(labeller, "describe").load()(threads=1) if labeller else None
    points = np.full((len(paths), 5, 2), np.nan, np.float32)
    sizes = np.empty((len(paths), 2), np.float32)
    for row, path in enumerate(paths):
        if row % 500 == 0:
            say(f"finding face {row} of {len(paths)}")
        image = read_image(path)
        sizes[row] = image.width, image.height
        if len(faces := detector([image])[0]):
            areas = (faces.boxes[:, 2:] - faces.boxes[:, :2]).prod(axis=1)
            points[row] = faces.keypoints.points[areas.argmax()]
    found = np.asarray(np.isfinite(points).all(axis=(1, 2)))
    if not found.any():
        raise BadInput("no face was found to learn from")
    points[~found] = np.median(points[found] / sizes[found, None], axis=0) * sizes[~found, None]
    vectors, ages = [], np.full(len(paths), np.nan, np.float32)
    for row, path in enumerate(paths):
        image, five = read_image(path), Landmarks(points[row][None], "5")
        vectors.append(embedder(align(image, five, ARCFACE_112)).vectors)
        if oracle:
            ages[row] = oracle([image], [at(five)])[0]["age"][0]
    return {"points": points, "vectors": np.concatenate(vectors), "ages": ages, "found": found}


def _cut(
    paths: Sequence[Path], points: Float32[np.ndarray, "n 5 2"], cut: Template
) -> UInt8[np.ndarray, "n b b 3"]:
    """The crop of each picture's face."""
    pairs = zip(paths, points, strict=True)
    return np.concatenate(
        [align(read_image(path), Landmarks(five[None], "5"), cut).pixels for path, five in pairs]
    )


def at(five: Landmarks) -> Faces:
    """Faces of which no more is known than their five points."""
    boxes = np.concatenate([five.points.min(axis=1), five.points.max(axis=1)], axis=1)
    return Faces(boxes, keypoints=five)


def _said(
    paths: Sequence[Path], rows: np.ndarray, points: Float32[np.ndarray, "n 5 2"]
) -> dict[str, np.ndarray]:
    """Years, and chances of the second label of sex, by every rival: of the test faces."""
    answers: dict[str, list[np.ndarray]] = {}
    images: list[Image] = [read_image(paths[row]) for row in rows]
    faces = [at(Landmarks(points[row][None], "5")) for row in rows]
    for slug in {slug for pair in RIVALS.values() for slug in pair}:
        for said in method(slug, "describe").load()(threads=1)(images, faces):
            if "age" in said:
                answers.setdefault(slug, []).append(said["age"])
            if "sex" in said:
                answers.setdefault(f"{slug} sex", []).append(said["sex"].of("male"))
    return {name: np.concatenate(parts) for name, parts in answers.items()}
