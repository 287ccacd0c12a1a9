"""What a face does, and who it is: the material of identity-adversarial training.

Nobody labelled action units here. What stands in are blendshapes of MediaPipe's landmarker that
name one, right and left together: a unit is there where its strength is above `PRESENT`. So figures
on them are agreement with that landmarker; two of CelebA's attributes, which people labelled, are
read beside them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float32, Int64, UInt8

from lineament.core.errors import BadInput
from lineament.learn.pretraining.material import Material
from lineament.learn.pretraining.meshes import LABELLER, Meshes, meshes
from lineament.learn.pretraining.tasks import (
    Labelled,
    Measure,
    Probed,
    Verification,
    balanced,
    right_class,
)
from lineament.learn.recognition.material import People, Say
from lineament.measure.sets.celeba import read_celeba

UNITS: Mapping[str, str] = {
    "brow raiser (AU2)": "browOuterUp",
    "brow lowerer (AU4)": "browDown",
    "lid tightener (AU7)": "eyeSquint",
    "upper lip raiser (AU10)": "mouthUpperUp",
    "lip corner puller (AU12)": "mouthSmile",
    "lower lip depressor (AU16)": "mouthLowerDown",
    "chin raiser (AU17)": "mouthShrugLower",
    "lip pucker (AU18)": "mouthPucker",
    "eyes closed (AU43)": "eyeBlink",
    "eyes down (AU64)": "eyeLookDown",
}
"""Our units and the blendshapes they come from, the same name for both sides."""
PRESENT = 0.3
HUMAN = ("Smiling", "Mouth_Slightly_Open")
"""Attributes of CelebA that name what a face does."""
SUBJECTS, HELD_OUT = 200, 2
"""People whose faces are fine-tuned on, those with the most; faces of each that are kept out."""
METRIC = 400
"""People that the metric of new identities is learnt from."""
_YES_OR_NO = Measure("mean balanced accuracy", balanced)


@dataclass(frozen=True, eq=False)
class Behaviour:
    """Faces of a few people, each with units and a subject, and what is measured.

    Attributes:
        pixels: to fine-tune on.
        units: which are there.
        subjects: whose the faces are, from 0.
        unlabelled: faces to pre-train on, none of them kept out.
        material: tasks, in place of the usual five.
    """

    pixels: UInt8[np.ndarray, "n s s 3"]
    units: Bool[np.ndarray, "n u"]
    subjects: Int64[np.ndarray, " n"]
    unlabelled: UInt8[np.ndarray, "m s s 3"]
    material: Material

    @property
    def count(self) -> int:
        """Of subjects."""
        return int(self.subjects.max()) + 1


def behaviour(
    material: Material, data: Path, made: Path, say: Say = lambda line: None
) -> Behaviour:
    """What recipes of behaviour learn from and are measured on, out of the usual material.

    Args:
        material: as `material.gather` gives it.
        data: folder of test sets.
        made: folder for what takes long to make.
        say: shows a line of progress.
    """
    people = material.people.train
    learn, held = subjects_of(people.labels, SUBJECTS, HELD_OUT)
    found = units_of(meshes(material.faces, made, people.digest(), say))
    _, who = np.unique(people.labels[learn], return_inverse=True)
    _, whose = np.unique(people.labels[held], return_inverse=True)
    faces = material.faces
    one_hot = np.eye(int(who.max()) + 1, dtype=np.float32)
    first = np.arange(len(held)) % 5 == 0
    known = Labelled(faces[held], one_hot[whose], whose)
    identity = Probed(
        "identity, known",
        f"{(~first).sum()} other faces of the {len(one_hot)} people fine-tuned on",
        people.digest(),
        Measure("accuracy (lower is better)", right_class, higher_is_better=False),
        Labelled(faces[learn], one_hot[who], who),
        known[first],
        known[~first],
    )
    known_units = Labelled(faces[learn], found[learn].astype(np.float32), who)
    units = _units(material, known_units, made, say)
    tasks = (units, _human(material, data), identity, leak_of(material))
    unlabelled = np.setdiff1d(np.arange(len(faces)), held)
    return Behaviour(
        faces[learn],
        found[learn],
        who.astype(np.int64),
        faces[unlabelled],
        replace(material, tasks=tasks),
    )


def subjects_of(
    labels: Int64[np.ndarray, " n"], count: int, held: int
) -> tuple[Int64[np.ndarray, " a"], Int64[np.ndarray, " b"]]:
    """Rows of the people with the most faces: those to learn from, and of each the last `held`.

    Raises:
        BadInput: fewer than two people have more than `held`.
    """
    sizes = np.bincount(labels)
    chosen = np.sort(np.argsort(-sizes, kind="stable")[:count])
    chosen = chosen[sizes[chosen] > held]
    if len(chosen) < 2:
        raise BadInput(f"behaviour is learnt from two people or more with {held + 1} faces each")
    rows = [np.flatnonzero(labels == person) for person in chosen]
    return (
        np.concatenate([each[:-held] for each in rows]),
        np.concatenate([each[-held:] for each in rows]),
    )


def units_of(found: Meshes) -> Bool[np.ndarray, "n u"]:
    """Which units are there: where right and left together are above `PRESENT` in the mean."""
    at = dict(zip(found.names, found.blendshapes.T, strict=True))

    def strength(name: str) -> Float32[np.ndarray, " n"]:
        sides = [at[each] for each in (f"{name}Left", f"{name}Right", name) if each in at]
        return np.mean(sides, axis=0)

    return np.stack([strength(name) for name in UNITS.values()], axis=1) > PRESENT


@dataclass(frozen=True, eq=False)
class Leak(Verification):
    """How far features tell people apart, where they should not."""

    @property
    def measure(self) -> Measure:
        """As of `Verification`, and less is better."""
        name = "accuracy on LFW (lower is better)"
        return replace(super().measure, name=name, higher_is_better=False)


def leak_of(material: Material) -> Leak:
    """LFW's pairs, with a metric learnt from some of the people."""
    verified = next(task for task in material.tasks if isinstance(task, Verification))
    some = verified.labels < METRIC
    fields = {"name": "identity, new", "train": verified.train[some]}
    return Leak(**{**vars(verified), **fields, "labels": verified.labels[some]})


def _units(material: Material, learnt: Labelled, made: Path, say: Say) -> Probed:
    """Units of people that nothing was learnt from."""
    test, hash_of_test = _attributes(material).test, _attributes(material).hash
    watched = material.people.choose
    pixels = _pixels(watched)
    there = units_of(meshes(test.pixels, made, hash_of_test, say)).astype(np.float32)
    watched_there = units_of(meshes(pixels, made, watched.digest(), say)).astype(np.float32)
    return Probed(
        f"{len(UNITS)} units",
        f"{len(there)} faces of {len(np.unique(test.people))} new people of CelebA, units by "
        f"{LABELLER}",
        hash_of_test,
        _YES_OR_NO,
        learnt,
        Labelled(pixels, watched_there, watched.labels),
        Labelled(test.pixels, there, test.people),
    )


def _human(material: Material, data: Path) -> Probed:
    """What people said that a face does, read by straight lines."""
    task = _attributes(material)
    names = list(read_celeba(data / "celeba5k").labels)
    columns = [names.index(name) for name in HUMAN]

    def only(faces: Labelled) -> Labelled:
        return Labelled(faces.pixels, faces.targets[:, columns], faces.people)

    return replace(
        task,
        name=" and ".join(HUMAN),
        measure=_YES_OR_NO,
        train=only(task.train),
        choose=only(task.choose),
        test=only(task.test),
    )


def _attributes(material: Material) -> Probed:
    return next(t for t in material.tasks if isinstance(t, Probed) and t.name == "attributes")


def _pixels(people: People) -> UInt8[np.ndarray, "n s s 3"]:
    return people.pixels[np.arange(len(people))]
