"""Self-supervision on real faces, from files to figures: parts of the sets, recipes as a whole."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lineament.bench.celeba40 import take
from lineament.learn.data.people import LIST
from lineament.learn.pretraining import (
    barlow_twins,
    figures,
    rotnet,
    tasks,
    trial,
    universal_pretraining,
)
from lineament.learn.pretraining import material as material_module
from lineament.learn.pretraining.material import Material, read
from lineament.learn.pretraining.tasks import Probed
from lineament.learn.recipes import Comparison, Job, recipe
from lineament.learn.recognition.material import every_pair, read_faces
from lineament.learn.settings import Settings
from lineament.measure.sets.celeba import read_celeba
from lineament.measure.sets.fer2013 import PARTS, read_fer2013
from lineament.measure.sets.lfw import read_lfw
from lineament.measure.sets.ucla68 import read_ucla68
from lineament.measure.sets.utkface import read_utkface


def some_people(shared: Path, folder: Path) -> Path:
    """24 people of the training set, with their list."""
    lines = (shared / "celeba64_train" / LIST).read_text().splitlines()
    people = sorted({line.split()[1] for line in lines}, key=int)[:24]
    kept = [line for line in lines if line.split()[1] in people]
    folder.mkdir()
    for line in kept:
        name = line.split()[0]
        (folder / name).symlink_to(shared / "celeba64_train" / name)
    (folder / LIST).write_text("\n".join(kept) + "\n")
    return folder


def some_of_lfw(shared: Path, folder: Path) -> Path:
    """Twelve people, four pictures each, a folder a person."""
    lfw = read_lfw(shared / "lfw")
    for person in np.flatnonzero(np.bincount(lfw.people) >= 4)[:12]:
        (folder / f"{person}").mkdir(parents=True)
        for row in np.flatnonzero(lfw.people == person)[:4]:
            (folder / f"{person}" / lfw.paths[row].name).symlink_to(lfw.paths[row])
    return folder


@pytest.fixture(scope="module")
def material(shared_data: Path, tmp_path_factory) -> Material:
    """All sets, a few faces of each."""
    folder = tmp_path_factory.mktemp("faces")
    faces, lfw = (
        some_people(shared_data, folder / "people"),
        some_of_lfw(shared_data, folder / "lfw"),
    )
    celeba, expressions = (
        read_celeba(shared_data / "celeba5k"),
        read_fer2013(shared_data / "fer2013"),
    )
    points = read_ucla68(shared_data / "ucla68")
    few = replace(points, paths=points.paths[:26], points=points.points[:26], labels={})
    utk = read_utkface(shared_data / "utkface")

    def pairs(where: Path, made: Path, size: int, say: object):
        yield every_pair("some of LFW", read_faces(lfw, made, size))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(material_module, "lfw_tests", pairs)
        patch.setattr(material_module, "read_celeba", lambda _: take(celeba, np.arange(80)))
        every = len(expressions.paths) // 60
        rows = np.arange(0, len(expressions.paths), every)
        patch.setattr(material_module, "read_fer2013", lambda _: take(expressions, rows))
        patch.setattr(material_module, "read_utkface", lambda _: take(utk, np.arange(0, 1500, 40)))
        patch.setattr(material_module, "read_ucla68", lambda _: few)
        return read(shared_data, faces, folder / "made", 64)


def probed(material: Material, name: str) -> Probed:
    (task,) = (each for each in material.tasks if each.name == name)
    assert isinstance(task, Probed)
    return task


def test_five_tasks_are_gathered_and_no_picture_is_in_two_parts(material):
    names = [task.name for task in material.tasks]
    assert names == ["recognition", "expression", "attributes", "age", "landmarks"]
    for name in names[1:]:
        task = probed(material, name)
        parts = (task.train, task.choose, task.test)
        faces = [face.tobytes() for part in parts for face in part.pixels]
        assert len(set(faces)) == len(faces) > 20
        assert all(len(part.pixels) == len(part.targets) > 0 for part in parts)


def test_nobody_of_celeba_is_in_two_parts(material):
    task = probed(material, "attributes")
    train, choose, test = (set(p.people) for p in (task.train, task.choose, task.test))
    assert not train & choose
    assert not (train | choose) & test
    assert len(train) > len(test) > len(choose)


def test_private_test_alone_is_measured(material, shared_data):
    faces = read_fer2013(shared_data / "fer2013")
    assert faces.split is not None
    rows = np.arange(0, len(faces.paths), len(faces.paths) // 60)
    private = (faces.split[rows] == PARTS.index("PrivateTest")).sum()
    assert abs(len(probed(material, "expression").test.pixels) - private) <= 2


def test_people_who_teach_are_not_those_who_choose(material):
    assert material.people.train.count == 22
    assert material.people.choose.count == 2
    assert material.faces.shape[1:] == (64, 64, 3)


@pytest.fixture
def short(monkeypatch) -> None:
    monkeypatch.setattr(figures, "ROUNDS", 3)
    monkeypatch.setattr(tasks, "DRAWS", 1)


def run(slug: str, out: Path, material: Material, monkeypatch) -> Comparison:
    for module in (trial, barlow_twins, universal_pretraining):
        monkeypatch.setattr(module, "gather", lambda job: material)
    known = recipe(slug)
    settings = replace(known.recipe.settings, steps=2, batch=16, warm_up=1)
    return known.load()(Job(recipe=known.recipe, settings=settings, seeds=(0,), out=out / slug))


def test_rotnet_on_real_faces(material, short, monkeypatch, tmp_path):
    assert rotnet.RECIPE.slug == "rotnet"
    done = run("rotnet", tmp_path, material, monkeypatch)
    arms = [row[0] for row in done.rows if row[1] == "1 %"]
    assert arms[:4] == ["RotNet", "one turn a face", "untrained", "softmax of cosines"]
    assert len(done.results) == 3 * 3 * 5
    assert [path.name for path in done.files] == ["encoder-0.onnx"]


def test_barlow_twins_on_real_faces(material, short, monkeypatch, tmp_path):
    done = run("barlow-twins", tmp_path, material, monkeypatch)
    ranks = [row for row in done.rows if row[1].startswith("uses")]
    assert [row[0] for row in ranks][2] == "batches of 16"
    assert all(len(row) == len(done.headings) for row in done.rows)
    assert len({result.key for result in done.results}) == len(done.results) == 4 * 3 * 5 + 4


def test_universal_pretraining_on_real_faces(material, short, monkeypatch, tmp_path):
    some = replace(material, tasks=(material.tasks[0], material.tasks[3]))
    monkeypatch.setattr(universal_pretraining, "TUNING", Settings(steps=1, batch=8, rate=0.001))
    monkeypatch.setattr(universal_pretraining, "TUNED_SHARES", (1.0,))
    done = run("universal-pretraining", tmp_path, some, monkeypatch)
    arms = [row[0] for row in done.rows if row[1] == "100 %"]
    assert arms[:5] == ["SwAV", "softmax of cosines", "untrained", "raw pixels", "lineament-s"]
    assert arms[7:] == [
        "SwAV, tuned",
        "softmax of cosines, tuned",
        "untrained, tuned",
        "SwAV, tuned less softmax of cosines, tuned",
        "SwAV, tuned less untrained, tuned",
    ]
    frozen, learnt = done.results[0].note, done.results[-1].note
    assert frozen.startswith("Linear probe of the frozen")
    assert learnt.startswith("The whole network learnt on for 1 steps")
    assert len({result.key for result in done.results}) == len(done.results)
