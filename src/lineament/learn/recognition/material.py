"""The faces of a recognition run: people to learn, people to choose by, pairs to be measured on.

Nobody is in two of these. Of the people of a training folder, every tenth chooses; the tests are
LFW's standard 6,000 pairs, the same pairs with the second picture damaged, and all pairs of ORL.
Everything is decoded once, aligned alike, and kept as bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int64, UInt8

from lineament.core.crops import ARCFACE_112
from lineament.core.errors import BadInput
from lineament.core.image import Image
from lineament.core.media import read_image
from lineament.learn.data.cache import kept, listing
from lineament.learn.data.people import read_people
from lineament.learn.data.streamed import Streamed, open_pictures
from lineament.learn.recipes import Job
from lineament.learn.recognition.crops import aligned, default_detector, shrunk
from lineament.measure.degrade.suites import suite
from lineament.measure.sets.lfw import read_lfw
from lineament.measure.sets.nouns import digest
from lineament.measure.sets.orl import read_orl, read_pgm

SIZE = 64
"""Side of the square that networks see, pixels."""
TRAIN, TESTS = "celeba64_train", ("lfw", "orl")
DAMAGES = (
    ("resolution", 14.0),
    ("motion blur", 13.0),
    ("low light", 30.0),
    ("jpeg", 5.0),
    ("mask", 30.0),
)
"""Suites of `measure.degrade` and the one severity of each, in pixels of `ARCFACE_112`."""
_FOLDS = 10


@dataclass(frozen=True, eq=False)
class People:
    """Aligned faces and whose they are.

    Attributes:
        pixels: uint8 RGB, in memory or on disk.
        labels: number of each face's person, from 0 without gaps.
        hash: of the source, and of which part of it this is.
    """

    pixels: UInt8[np.ndarray, "n s s 3"] | Streamed
    labels: Int64[np.ndarray, " n"]
    hash: str

    def __len__(self) -> int:
        return len(self.pixels)

    @property
    def count(self) -> int:
        """How many people there are."""
        return int(self.labels.max()) + 1

    def of(self, chosen: Bool[np.ndarray, " p"]) -> People:
        """Only some people, numbered anew in the same order."""
        rows = np.flatnonzero(chosen[self.labels])
        _, labels = np.unique(self.labels[rows], return_inverse=True)
        pixels = self.pixels.some(rows) if isinstance(self.pixels, Streamed) else self.pixels[rows]
        part = hashlib.sha256(self.hash.encode() + chosen.tobytes()).hexdigest()
        return People(pixels, labels.astype(np.int64), part)

    def digest(self) -> str:
        """Hash of the faces and of whose they are said to be."""
        return hashlib.sha256(self.hash.encode() + self.labels.tobytes()).hexdigest()


@dataclass(frozen=True, eq=False)
class PairTest:
    """Pairs of faces to tell apart.

    Attributes:
        name: of the test.
        gallery: the first faces.
        probes: the second faces; where nothing was done to them, the very same array.
        pairs: a row of `gallery` and one of `probes`.
        same: whether a pair shows one person.
        people: both people of each pair.
        fold: of each pair, from 0.
        hash: of the source.
    """

    name: str
    gallery: UInt8[np.ndarray, "n s s 3"]
    probes: UInt8[np.ndarray, "m s s 3"]
    pairs: Int64[np.ndarray, "p 2"]
    same: Bool[np.ndarray, " p"]
    people: Int64[np.ndarray, "p 2"]
    fold: Int64[np.ndarray, " p"]
    hash: str


@dataclass(frozen=True, eq=False)
class Material:
    """Faces of one run.

    Attributes:
        train: to learn from.
        choose: other people, to watch while training and to choose by.
        tests: to be measured on, once.
    """

    train: People
    choose: People
    tests: tuple[PairTest, ...]


def gather(job: Job, size: int = SIZE) -> Material:
    """Faces for a job: the folder of pictures with names, and the test sets.

    What is made of them is kept beside the folders of all recipes, so that they share it.

    Raises:
        BadInput: there is no folder of test sets, or it holds other things.
        MissingFile: a set is not in it; the message says where to get it, and its terms.
    """
    if job.data is None:
        raise BadInput("recognition is measured on lfw and orl: name the folder of test sets")
    made = job.out.parent / "made"
    folder = job.faces or job.data / TRAIN
    packed = [*folder.glob("*.rec"), *folder.glob("*.tar")]
    everyone = packed_faces(folder, size) if packed else read_faces(folder, made, size, job.say)
    chosen = np.arange(everyone.count) % 10 == 9
    tests = [*lfw_tests(job.data / "lfw", made, size, job.say)]
    tests.append(orl_test(job.data / "orl", made, size, job.say))
    return Material(everyone.of(~chosen), everyone.of(chosen), tuple(tests))


Say = Callable[[str], None]


def read_faces(folder: Path, made: Path, size: int, say: Say = lambda line: None) -> People:
    """The faces of a folder of pictures with names (`read_people`), aligned; pictures in which no
    face is found are left out.

    Raises:
        BadInput: it holds no pictures with names, or no faces.
    """
    source = read_people(folder)
    assert source.people is not None
    people = source.people

    def make() -> dict[str, np.ndarray]:
        crops, found = aligned(_read(source.paths), default_detector(), say)
        mark = np.asarray(digest(source.paths, people))
        return {"pixels": shrunk(crops, size), "people": people[found], "hash": mark}

    made_of = kept(made, "people", (size, listing(source.paths)), make)
    if not len(made_of["pixels"]):
        raise BadInput("holds no picture in which a face is found", str(folder))
    _, labels = np.unique(made_of["people"], return_inverse=True)
    return People(made_of["pixels"], labels.astype(np.int64), str(made_of["hash"]))


def packed_faces(folder: Path, size: int) -> People:
    """The faces of a folder of records or shards (`open_pictures`), which are aligned already and
    stay on disk. They are known by their number and their labels.

    Raises:
        BadInput: a file is damaged.
    """
    pictures = open_pictures(folder)
    _, labels = np.unique(pictures.labels, return_inverse=True)
    return People(Streamed(pictures, size), labels.astype(np.int64), digest((), pictures.labels))


def lfw_tests(
    folder: Path, made: Path, size: int, say: Say = lambda line: None
) -> Iterator[PairTest]:
    """LFW's 6,000 pairs: clean, and with the second picture damaged in each of `DAMAGES`.

    Pairs of a picture in which no face is found are left out.
    """
    lfw = read_lfw(folder)

    def find() -> dict[str, np.ndarray]:
        crops, found = aligned(_read(lfw.paths), default_detector(), say)
        return {"crops": crops, "found": found, "hash": np.asarray(lfw.digest())}

    large = kept(made, "lfw-112", (listing(lfw.paths),), find)
    row = np.cumsum(large["found"]) - 1
    usable = large["found"][lfw.pairs].all(axis=1)
    pairs, same, fold = row[lfw.pairs[usable]], lfw.same[usable], lfw.fold[usable]
    people, mark = lfw.people[lfw.pairs[usable]], str(large["hash"])
    gallery = shrunk(large["crops"], size)
    yield PairTest("LFW", gallery, gallery, pairs, same, people, fold, mark)
    second, probe = np.unique(pairs[:, 1], return_inverse=True)
    with_probes = np.stack([pairs[:, 0], probe], axis=1)
    for name, level in DAMAGES:
        damage = suite(name)

        def worsen(name: str = name, level: float = level) -> dict[str, np.ndarray]:
            say(f"damaging LFW: {suite(name).label(level)}")
            return {"pixels": shrunk(_damaged(large["crops"][second], name, level), size)}

        probes = kept(made, "lfw", (size, name, level, mark), worsen)["pixels"]
        label = f"LFW, {damage.label(level)}"
        yield PairTest(label, gallery, probes, with_probes, same, people, fold, mark)


def orl_test(folder: Path, made: Path, size: int, say: Say = lambda line: None) -> PairTest:
    """All pairs of ORL in which both faces are found: 1,800 of one person, 78,000 of two."""
    source = read_orl(folder)
    assert source.people is not None

    def find() -> dict[str, np.ndarray]:
        pictures = (Image(np.repeat(read_pgm(p)[:, :, None], 3, axis=2)) for p in source.paths)
        crops, found = aligned(pictures, default_detector(), say)
        mark = np.asarray(source.digest())
        return {"pixels": shrunk(crops, size), "found": found, "hash": mark}

    faces = kept(made, "orl", (size, listing(source.paths)), find)
    people = source.people[faces["found"]]
    return every_pair("ORL", People(faces["pixels"], people, str(faces["hash"])))


def every_pair(name: str, faces: People) -> PairTest:
    """All pairs of some faces; the folds are a pair's number by turns."""
    pairs = np.stack(np.triu_indices(len(faces), 1), axis=1).astype(np.int64)
    people = faces.labels[pairs]
    fold = np.arange(len(pairs)) % _FOLDS
    same = people[:, 0] == people[:, 1]
    # Of a test all faces are embedded: they are held in memory.
    pixels = faces.pixels[np.arange(len(faces))]
    return PairTest(name, pixels, pixels, pairs, same, people, fold, faces.hash)


def _damaged(
    crops: UInt8[np.ndarray, "n a a 3"], name: str, level: float
) -> UInt8[np.ndarray, "n a a 3"]:
    """In parts, since a suite holds its work in floats."""
    points = np.asarray(ARCFACE_112.points, np.float32)
    parts = []
    for start in range(0, len(crops), 256):
        part = crops[start : start + 256]
        parts.append(suite(name)(part, np.repeat(points[None], len(part), axis=0), level, start))
    return np.concatenate(parts)


def _read(paths: Sequence[Path]) -> Iterator[Image]:
    return (read_image(path) for path in paths)
