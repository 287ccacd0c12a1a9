"""The faces of self-supervision: many without labels to learn from, and five tasks to be judged by.

Nobody whose face is learnt from is in a task as far as the sets say who is on a picture: people of
the recognition recipes' training part teach, LFW and the measured people of CelebA are others.
FER-2013, UTKFace and UCLA-68 name nobody. All faces are aligned alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from lineament.core.cards import method
from lineament.core.crops import ARCFACE_112, Crops, warp
from lineament.core.errors import BadInput
from lineament.core.geometry import transform_points, umeyama
from lineament.core.image import Image
from lineament.core.media import read_image
from lineament.learn.attributes.aged_faces import apart
from lineament.learn.attributes.aged_faces import split as split_ages
from lineament.learn.data.cache import kept, listing
from lineament.learn.landmarks.crops import template, to_pixels, to_shares
from lineament.learn.landmarks.faces import WIDER, annotated, split_by_file, wide
from lineament.learn.pretraining.tasks import (
    Labelled,
    Measure,
    Pairs,
    Probed,
    Task,
    Verification,
    balanced,
    points_off,
    right_class,
    years_off,
)
from lineament.learn.recipes import Job
from lineament.learn.recognition.crops import aligned, default_detector, shrunk
from lineament.learn.recognition.material import (
    SIZE,
    TRAIN,
    PairTest,
    People,
    Say,
    lfw_tests,
    read_faces,
)
from lineament.learn.recognition.material import Material as Recognition
from lineament.measure.sets.celeba import read_celeba
from lineament.measure.sets.fer2013 import EXPRESSIONS, PARTS, read_fer2013
from lineament.measure.sets.ucla68 import read_ucla68
from lineament.measure.sets.utkface import read_utkface

SETS = (TRAIN, "lfw", "fer2013", "celeba5k", "utkface", "ucla68")
CHOICE_PAIRS = 3000
"""Of one person, and as many of two, to choose by."""
_PEOPLE_SEED = 2017
"""Of the order of CelebA's people: six tenths train, one chooses, three are measured."""
_SIDE = ARCFACE_112.size


@dataclass(frozen=True, eq=False)
class Material:
    """Faces of one run.

    Attributes:
        people: what recognition recipes see: faces to learn from, with names for those who may
            look at them, and others to watch; its one test is LFW.
        tasks: recognition, expression, attributes, age, landmarks.
    """

    people: Recognition
    tasks: tuple[Task, ...]

    @property
    def faces(self) -> UInt8[np.ndarray, "n s s 3"]:
        """What is learnt from without labels."""
        pixels = self.people.train.pixels
        return pixels[np.arange(len(pixels))]


def gather(job: Job, size: int = SIZE) -> Material:
    """Faces for a job: detected, aligned and kept beside the folders of all recipes.

    Raises:
        BadInput: there is no folder of test sets, or it holds other things.
        MissingFile: a set is not in it; the message says where to get it, and its terms.
    """
    if job.data is None:
        raise BadInput("five tasks are measured on test sets: name their folder")
    return read(job.data, job.faces or job.data / TRAIN, job.out.parent / "made", size, job.say)


def read(
    data: Path, faces: Path, made: Path, size: int = SIZE, say: Say = lambda line: None
) -> Material:
    """The same out of a folder of test sets and one of pictures with names.

    Args:
        data: folder of test sets.
        faces: folder of pictures with names.
        made: where what is made of them is kept.
        size: of the squares, pixels.
        say: shows a line of progress.
    """
    everyone = read_faces(faces, made, size, say)
    chosen = np.arange(everyone.count) % 10 == 9
    lfw = next(lfw_tests(data / "lfw", made, size, say))
    people = Recognition(everyone.of(~chosen), everyone.of(chosen), (lfw,))
    return Material(people, (recognition(people), *probed_tasks(data, made, size, say)))


def probed_tasks(
    data: Path, made: Path, size: int = SIZE, say: Say = lambda line: None
) -> tuple[Probed, ...]:
    """The four tasks of what a face shows, out of a folder of test sets."""
    return (
        expression(data / "fer2013", made, size, say),
        attributes(data / "celeba5k", made, size, say),
        age(data / "utkface", made, size, say),
        landmarks(data / "ucla68", made, size, say),
    )


def recognition(people: Recognition) -> Verification:
    """LFW's pairs; the metric is learnt from the people whose faces teach."""
    train, lfw = people.train, people.tests[0]
    return Verification(
        "recognition",
        f"{lfw.name}, {len(lfw.pairs):,} pairs",
        lfw.hash,
        train.pixels[np.arange(len(train))],
        train.labels,
        choice_pairs(people.choose),
        _pairs(lfw),
    )


def choice_pairs(people: People) -> Pairs:
    """As many pairs of one person as of two, drawn once for all; folds by turns."""
    rng = np.random.default_rng(0)
    first, second = np.triu_indices(len(people), 1)
    same = people.labels[first] == people.labels[second]
    count = min(CHOICE_PAIRS, int(same.sum()))
    rows = np.concatenate([rng.choice(np.flatnonzero(k), count, False) for k in (same, ~same)])
    pairs = np.stack([first[rows], second[rows]], axis=1).astype(np.int64)
    fold = np.arange(len(rows)) % 10
    pixels = people.pixels[np.arange(len(people))]
    return Pairs(pixels, pairs, same[rows], people.labels[pairs], fold)


def expression(folder: Path, made: Path, size: int, say: Say = lambda line: None) -> Probed:
    """FER-2013: seven expressions. PrivateTest is measured; of the others each fifth chooses."""
    source = read_fer2013(folder)
    pixels, found = _faces(source.paths, made, "fer2013", size, say)
    labels = source.labels["expression"][found]
    targets = np.eye(len(EXPRESSIONS), dtype=np.float32)[labels]
    split = np.arange(len(found)) % 2 if source.split is None else source.split
    test = (split == (1 if source.split is None else PARTS.index("PrivateTest")))[found]
    choose = ~test & (np.cumsum(~test) % 5 == 0)
    faces = Labelled(pixels, targets, np.arange(len(pixels)))
    train = ~test & ~choose
    return Probed(
        "expression",
        f"FER-2013, {test.sum()} faces of PrivateTest",
        source.digest(),
        Measure("accuracy", right_class),
        faces[train],
        faces[choose],
        faces[test],
        labels[train],
    )


def attributes(folder: Path, made: Path, size: int, say: Say = lambda line: None) -> Probed:
    """CelebA: 40 yes-or-no attributes, of people who are in one part only."""
    source = read_celeba(folder)
    assert source.people is not None
    pixels, found = _faces(source.paths, made, "celeba5k", size, say)
    flags = np.stack(list(source.labels.values()), axis=1)[found].astype(np.float32)
    faces = Labelled(pixels, flags, source.people[found])
    everyone, person = np.unique(source.people, return_inverse=True)
    order = np.random.default_rng(_PEOPLE_SEED).permutation(len(everyone))
    place = order[person][found] / len(everyone)
    test = place >= 0.7
    return Probed(
        "attributes",
        f"CelebA, {test.sum()} faces of {len(np.unique(faces.people[test]))} people",
        source.digest(),
        Measure("mean balanced accuracy of 40", balanced),
        faces[place < 0.6],
        faces[(place >= 0.6) & (place < 0.7)],
        faces[test],
    )


def age(folder: Path, made: Path, size: int, say: Say = lambda line: None) -> Probed:
    """UTKFace: years, in the parts of the age recipes; faces that a recognizer holds for one of
    the test's do not train."""
    source = read_utkface(folder)
    pixels, found = _faces(source.paths, made, "utkface", size, say)
    years = source.labels["age"].astype(np.float32)[found, None]
    faces = Labelled(pixels, years, np.arange(len(pixels)))
    rows = {
        name: np.flatnonzero(np.isin(found, part))
        for name, part in split_ages(len(source.paths)).items()
    }

    def recognised() -> dict[str, np.ndarray]:
        embedder = method("sface", "embed").load()(threads=1)
        large, _ = _large(source.paths, made, "utkface", say)
        still = np.repeat(np.eye(2, 3, dtype=np.float32)[None], len(large), axis=0)
        return {"vectors": embedder(Crops(large, still, ARCFACE_112.name)).vectors}

    vectors = kept(made, "utkface-sface", (listing(source.paths),), recognised)["vectors"]
    others = apart(vectors[rows["train"]], vectors[rows["test"]])
    return Probed(
        "age",
        f"UTKFace, {len(rows['test'])} faces",
        source.digest(),
        Measure("mean error, years", years_off, higher_is_better=False, percent=False),
        faces[rows["train"][others]],
        faces[rows["choose"]],
        faces[rows["test"]],
    )


def landmarks(folder: Path, made: Path, size: int, say: Say = lambda line: None) -> Probed:
    """UCLA-68: 68 points in the aligned square, in the parts of the landmark recipes."""
    source = read_ucla68(folder)

    def cut() -> dict[str, np.ndarray]:
        say("aligning faces with points")
        crops = annotated(source, _SIDE, default_detector())
        side = wide(_SIDE)
        matrix = umeyama(
            np.asarray(template(side, WIDER).points)[None], np.asarray(ARCFACE_112.points)
        )[0]
        large = np.stack([warp(Image(each), matrix, _SIDE) for each in crops.pixels])
        points = transform_points(matrix, to_pixels(crops.points, side))
        return {"pixels": large, "points": to_shares(points, _SIDE), "rows": crops.rows}

    arrays = kept(made, "ucla68-112", (listing(source.paths),), cut)
    points = arrays["points"].reshape(len(arrays["points"]), -1).astype(np.float32)
    faces = Labelled(shrunk(arrays["pixels"], size), points, np.arange(len(points)))
    rows = split_by_file(arrays["rows"])
    return Probed(
        "landmarks",
        f"UCLA-68, {len(rows['test'])} faces",
        source.digest(),
        Measure("mean error of 68 points, % of the eyes' distance", points_off, False),
        faces[rows["train"]],
        faces[rows["choose"]],
        faces[rows["test"]],
    )


def _pairs(test: PairTest) -> Pairs:
    return Pairs(test.gallery, test.pairs, test.same, test.people, test.fold)


def _faces(
    paths: Sequence[Path], made: Path, name: str, size: int, say: Say
) -> tuple[np.ndarray, np.ndarray]:
    """The main face of each picture at this size, and rows of the pictures that have one."""
    large, found = _large(paths, made, name, say)
    return shrunk(large, size), found


def _large(paths: Sequence[Path], made: Path, name: str, say: Say) -> tuple[np.ndarray, np.ndarray]:
    def find() -> dict[str, np.ndarray]:
        say(f"{name}: finding faces")
        crops, found = aligned((read_image(path) for path in paths), default_detector(), say)
        return {"crops": crops, "found": np.flatnonzero(found)}

    arrays = kept(made, f"{name}-112", (listing(paths),), find)
    return arrays["crops"], arrays["found"]
