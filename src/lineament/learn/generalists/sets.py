"""The sets that generalists learn from, and who labels what.

| set | labels that people gave | labels by methods of this package (training rows only) |
| --- | --- | --- |
| UCLA-68 | 68 points | |
| CelebA | 40 attributes, sex (its "Male") | points, pose, parts of faces |
| UTKFace | age, sex | |
| FASSEG | parts of faces | |
| AFLW2000-3D | pose (fitted by its makers) | only measured on |

Nothing is measured against a label of a method. Test rows are those of the package's own protocols:
UCLA-68 by file; CelebA's measured people of `bench celeba40` at seed 0, whom nobody here has seen;
of UTKFace the first fold of `bench utkface-age-sex`; the test parts of FASSEG, of which version 3
names people that its training part has not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, Int64, UInt8

from lineament.core.cards import method
from lineament.core.errors import BadInput, LicenceNotAccepted
from lineament.core.faces import Faces
from lineament.core.landmarks import Landmarks
from lineament.core.markups import convert
from lineament.core.media import read_image
from lineament.learn.generalists.faces import Found, find
from lineament.learn.generalists.material import (
    AROUND,
    FACE,
    KEPT,
    WIDER,
    Labelled,
    Material,
    load,
    save,
)
from lineament.learn.landmarks.faces import split_by_file
from lineament.learn.recipes import Job
from lineament.measure.sets.aflw2000 import read_aflw2000
from lineament.measure.sets.celeba import read_celeba
from lineament.measure.sets.fasseg import CLASSES, read_fasseg, read_mask
from lineament.measure.sets.ucla68 import read_ucla68
from lineament.measure.sets.utkface import SEXES, read_utkface

CELEBA_PICTURES = 2_000
"""Of people who are not measured: to learn from."""
_PROBED, _TRAINED = 2_000, 0.6
"""How `bench celeba40` draws: pictures, and the share of people who train its probes."""
_CHOSEN_ON, _CHOICE_SEED, _FOLDS = 300, 2017, 5
"""How `bench utkface-age-sex` leaves out pictures that choices were made on, and folds the rest."""
SPECIALISTS = {
    "landmarks": "lineament-68",
    "pose": "pnp-pose",
    "attributes": "lnet-anet",
    "age": "age-v1",
    "sex": "gender-v1",
    "parsing": "bisenet",
}
"""The method of the package that stands beside a generalist, by task."""
_OFTEN = {"ucla68": 4, "celeba5k": 1, "utkface": 2, "fasseg": 6}
"""How often a row of a set comes in an epoch: small sets would be drowned otherwise."""
_PARTS = {
    **dict.fromkeys(("skin", "glasses", "left_ear", "right_ear", "earring"), "skin"),
    **dict.fromkeys(("neck", "necklace", "body_skin"), "skin"),
    **dict.fromkeys(("hair", "left_brow", "right_brow", "hat"), "hair"),
    **dict.fromkeys(("left_eye", "right_eye"), "eyes"),
    **dict.fromkeys(("nose",), "nose"),
    **dict.fromkeys(("mouth", "upper_lip", "lower_lip"), "mouth"),
    **dict.fromkeys(("background", "clothes", "accessories"), "background"),
}
"""The class of FASSEG that a parser's class is; `face_skin` is `FACE`, any part of a face."""


def gather(job: Job) -> Material:
    """Read, find, cut and label all faces of a run, or take up what an earlier run kept.

    Raises:
        BadInput: a folder of pictures is named, or none of test sets.
        MissingFile: a set is not there.
    """
    if job.data is None or job.faces is not None:
        raise BadInput("a generalist learns from labelled sets: name their folder, and no --faces")
    made = job.out / "made"
    made.mkdir(parents=True, exist_ok=True)
    listing = "".join(
        f"{path.name} {path.stat().st_size}\n"
        for name in ("ucla68", "celeba5k", "utkface", "fasseg", "aflw2000_16")
        for path in sorted((job.data / name).rglob("*.*"))
    )
    shape = f"{KEPT} {AROUND * WIDER} {CELEBA_PICTURES} {SPECIALISTS} {_OFTEN}\n"
    key = hashlib.sha256((shape + listing).encode()).hexdigest()[:12]
    path = made / f"labelled-{key}.npz"
    if not path.is_file():
        save(path, _read_all(job))
    return load(path)


def _read_all(job: Job) -> Material:
    assert job.data is not None
    readers = {
        "ucla68": _ucla68,
        "celeba5k": _celeba,
        "utkface": _utkface,
        "fasseg": _fasseg,
        "aflw2000": _aflw2000,
    }
    train, choose, test, specialists, notes = {}, {}, {}, {}, {}
    digests, attributes = [], ()
    for name, reader in readers.items():
        job.say(f"reading {name}")
        one = reader(job.data, job.say)
        digests.append(one.digest)
        attributes = one.attributes or attributes
        specialists |= one.specialists
        test[name] = one.parts["test"]
        notes[name] = one.note
        if "train" in one.parts:
            train[name], choose[name] = one.parts["train"], one.parts["choose"]
    shares = [np.full(len(faces), _OFTEN[name], np.int64) for name, faces in train.items()]
    counts = ", ".join(f"{len(faces)} of {name}" for name, faces in train.items())
    return Material(
        train=Labelled.join(list(train.values())),
        shares=np.concatenate(shares),
        choose=choose,
        test=test,
        specialists=specialists,
        attributes=attributes,
        source=f"{counts} (points, pose and parts of CelebA's faces by methods of the package)",
        hash=hashlib.sha256("".join(digests).encode()).hexdigest(),
        notes=notes,
    )


@dataclass(frozen=True, eq=False)
class _Read:
    """One set: its parts, the specialists' answers on its test part."""

    parts: dict[str, Labelled]
    specialists: dict[str, tuple[str, np.ndarray]]
    digest: str
    note: str
    attributes: tuple[str, ...] = ()


Say = Callable[[str], None]


def _ucla68(data: Path, say: Say) -> _Read:
    faces = read_ucla68(data / "ucla68")
    truth = convert(Landmarks(faces.points, faces.scheme), "68").points
    found = find(faces.paths, truth)
    rows = found.rows
    cut = found.cut(rows)
    points = np.stack([found.place(row, truth[row]) for row in rows.tolist()])
    everything = Labelled.of(cut, points=points)
    parts = {name: everything[where] for name, where in split_by_file(rows).items()}
    test = rows[split_by_file(rows)["test"]]
    said = _said("landmarks", found, test, say)
    specialists = {}
    if said is not None:
        there = [
            found.place(r, s["landmarks"].points[0])
            for r, s in zip(test.tolist(), said, strict=True)
        ]
        specialists["landmarks"] = SPECIALISTS["landmarks"], np.stack(there)
    note = f"UCLA-68, {len(test)} test faces that the detector finds"
    return _Read(parts, specialists, faces.digest(), note)


def _celeba(data: Path, say: Say) -> _Read:
    pictures = read_celeba(data / "celeba5k")
    people = pictures.people
    assert people is not None
    measured = measured_people(people)
    others = np.flatnonzero(~measured)
    others = np.random.default_rng(0).permutation(others)[: CELEBA_PICTURES * 10 // 9]
    test = _measured_pictures(people)
    rows = np.concatenate([test, others])
    paths = tuple(pictures.paths[row] for row in rows)
    found = find(paths).at_usual_place()
    flags = np.stack([pictures.labels[name][rows] for name in pictures.labels], axis=1)
    sex = 1 - pictures.labels["Male"][rows]
    everything = Labelled.of(
        found.cut(np.arange(len(rows))),
        attributes=flags.astype(np.float32),
        sex=sex.astype(np.float32),
        people=people[rows],
    )
    count = len(test)
    chosen = (everything.people % 10 == 0) & (np.arange(len(rows)) >= count)
    learn = np.flatnonzero(~chosen & (np.arange(len(rows)) >= count))
    parts = {
        "test": everything[np.arange(count)],
        "choose": everything[np.flatnonzero(chosen)],
        "train": _add_labels(everything[learn], found, learn, say),
    }
    specialists = {}
    said = _said("attributes", found, np.arange(count), say)
    if said is not None:
        chances = [np.concatenate([s["attributes"].of(n) for n in pictures.labels]) for s in said]
        specialists["attributes"] = SPECIALISTS["attributes"], np.stack(chances)
    note = f"CelebA, {count} pictures of people of whom none was learnt from"
    names = tuple(pictures.labels)
    return _Read(parts, specialists, pictures.digest(), note, names)


def _utkface(data: Path, say: Say) -> _Read:
    pictures = read_utkface(data / "utkface")
    found = find(pictures.paths).at_usual_place()
    everything = Labelled.of(
        found.cut(np.arange(len(pictures.paths))),
        age=pictures.labels["age"].astype(np.float32),
        sex=pictures.labels["sex"].astype(np.float32),
    )
    rows = utkface_parts(len(everything))
    parts = {name: everything[where] for name, where in rows.items()}
    specialists = {}
    if (said := _said("age", found, rows["test"], say)) is not None:
        specialists["age"] = SPECIALISTS["age"], np.concatenate([s["age"] for s in said])
    if (said := _said("sex", found, rows["test"], say)) is not None:
        numbers = [SEXES.index(s["sex"].best()[0]) for s in said]
        specialists["sex"] = SPECIALISTS["sex"], np.asarray(numbers, np.int64)
    note = f"UTKFace, {len(rows['test'])} pictures: the first fold of five"
    return _Read(parts, specialists, pictures.digest(), note)


def _fasseg(data: Path, say: Say) -> _Read:
    parts: dict[str, list[Labelled]] = {"Train": [], "Test": []}
    digests, seen, missed = [], [], 0
    for version in ("V2", "V3"):
        for part, into in parts.items():
            pictures = read_fasseg(data / "fasseg", version, part)
            found = find(pictures.paths)
            rows = found.rows
            masks = [found.mask(row, read_mask(pictures.masks[row])) for row in rows.tolist()]
            people = pictures.labels.get("person", np.arange(len(pictures.paths)))[rows]
            faces = Labelled.of(found.cut(rows), masks=np.stack(masks), people=people)
            into.append(faces)
            digests.append(pictures.digest())
            if part == "Test":
                seen.append((found, rows))
                missed += len(pictures.paths) - len(rows)
    train, test = Labelled.join(parts["Train"]), Labelled.join(parts["Test"])
    chosen = train.people % 10 == 0
    specialists = {}
    answers = [answer for found, rows in seen if (answer := _parsed(found, rows, say)) is not None]
    if len(answers) == len(seen):
        specialists["parsing"] = SPECIALISTS["parsing"], np.concatenate(answers)
    return _Read(
        {"train": train[~chosen], "choose": train[chosen], "test": test},
        specialists,
        hashlib.sha256("".join(digests).encode()).hexdigest(),
        f"FASSEG, {len(test)} test faces of versions 2 and 3; {missed} not found are left out",
    )


def _aflw2000(data: Path, say: Say) -> _Read:
    faces = read_aflw2000(data / "aflw2000_16")
    found = find(faces.paths, faces.points)
    rows = found.rows
    pose = faces.labels["pose"][rows].astype(np.float32)
    test = Labelled.of(found.cut(rows), pose=pose)
    poses = np.stack([_pose(found, row)[1] for row in rows.tolist()])
    specialists = {"pose": (SPECIALISTS["pose"], poses)}
    note = f"AFLW2000-3D, {len(rows)} faces found of 16"
    return _Read({"test": test}, specialists, faces.digest(), note)


def measured_people(people: Int64[np.ndarray, " n"]) -> np.ndarray:
    """Which pictures show somebody whom `bench celeba40` measures at seed 0, n flags."""
    return np.isin(people, people[_measured_pictures(people)])


def _measured_pictures(people: Int64[np.ndarray, " n"]) -> Int64[np.ndarray, " m"]:
    """The pictures that `bench celeba40` measures at seed 0."""
    order = np.random.default_rng(0).permutation(np.unique(people))
    place = np.empty(int(people.max()) + 1, np.int64)
    place[order] = np.arange(len(order))
    rows = np.argsort(place[people], kind="stable")[:_PROBED]
    last = place[people[rows]].max()
    return rows[place[people[rows]] >= _TRAINED * (last + 1)]


def utkface_parts(count: int) -> dict[str, Int64[np.ndarray, " m"]]:
    """Rows of each part: the first fold of `bench utkface-age-sex` is the test, the other folds
    train, and the pictures that its choices were made on choose here too."""
    order = np.random.default_rng(_CHOICE_SEED).permutation(count)
    measured = np.sort(order[_CHOSEN_ON:])
    test = measured[np.sort(np.random.default_rng(0).permutation(len(measured))[::_FOLDS])]
    return {
        "train": np.setdiff1d(measured, test),
        "choose": np.sort(order[:_CHOSEN_ON]),
        "test": test,
    }


def _add_labels(faces: Labelled, found: Found, rows: np.ndarray, say: Say) -> Labelled:
    """Points, pose and parts by methods of the package, whose terms allow any use."""
    parser = _opened("selfie-multiclass")
    points, poses, masks = [], [], []
    for count, row in enumerate(rows.tolist()):
        if count % 500 == 0:
            say(f"labelling face {count} of {len(rows)}")
        landmarks, pose = _pose(found, row)
        points.append(found.place(row, convert(landmarks, "68").points[0]))
        poses.append(pose)
        masks.append(_parts(found, row, parser))
    return replace(faces, points=np.stack(points), pose=np.stack(poses), masks=np.stack(masks))


def _pose(found: Found, row: int) -> tuple[Landmarks, Float32[np.ndarray, " 3"]]:
    """478 points, and the pose that they give."""
    image, face = read_image(found.paths[row]), found.face(row)
    landmarks = _opened("face-landmarker")([image], [face])[0]["landmarks"]
    pointed = Faces(face.boxes, keypoints=face.keypoints, landmarks=landmarks)
    return landmarks, _opened("pnp-pose")([image], [pointed])[0]["pose"][0]


def _parts(found: Found, row: int, parser: Any) -> UInt8[np.ndarray, "b b"]:
    """A parser's answer in FASSEG's classes, as far as it knows them."""
    image = read_image(found.paths[row])
    masks = parser([image], [found.face(row)])[0]["parsing"]
    numbers = [FACE if n == "face_skin" else CLASSES.index(_PARTS[n]) for n in masks.names]
    labels = masks.label_map(0, image.width, image.height)
    return found.mask(row, np.asarray(numbers, np.uint8)[labels])


def _parsed(found: Found, rows: np.ndarray, say: Say) -> np.ndarray | None:
    try:
        parser = _opened(SPECIALISTS["parsing"])
    except LicenceNotAccepted as error:
        say(f"left out: {error}")
        return None
    return np.stack([_parts(found, row, parser) for row in rows.tolist()])


def _said(task: str, found: Found, rows: np.ndarray, say: Say) -> list[dict[str, Any]] | None:
    """What the specialist of a task says of some rows; None where its terms are not accepted."""
    try:
        describer = _opened(SPECIALISTS[task])
    except LicenceNotAccepted as error:
        say(f"left out: {error}")
        return None
    return [describer([read_image(found.paths[r])], [found.face(r)])[0] for r in rows.tolist()]


@cache
def _opened(slug: str) -> Any:
    return method(slug, "describe").load()(threads=1)
