"""A fingerprint changes with whatever a figure hangs on, and with nothing else."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from lineament.bench import finished
from lineament.bench.context import Context, Outcome, Protocol
from lineament.bench.finished import fingerprint, finish, is_finished
from lineament.measure.evidence import Result, write

TOSS = Protocol("toss", "coins", lambda context: Outcome([], []), ("orl",))


@pytest.fixture
def context(tmp_path: Path, monkeypatch) -> Context:
    """A small set, a small album, and a package of one module."""
    for name in ("data/orl", "data/lfw", "album", "package"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "package" / "code.py").write_text("x = 1\n")
    (tmp_path / "album" / "a.jpg").write_text("photo")
    monkeypatch.setattr(finished, "_PACKAGE", tmp_path / "package")
    return Context(data=tmp_path / "data", album=tmp_path / "album", out=tmp_path / "evidence")


def test_nothing_changed_is_the_same(context):
    assert fingerprint(TOSS, context) == fingerprint(TOSS, replace(context))


def test_another_question_is_another_fingerprint(context):
    asked = [
        fingerprint(TOSS, context),
        fingerprint(replace(TOSS, name="other"), context),
        fingerprint(TOSS, replace(context, seed=1)),
        fingerprint(TOSS, replace(context, methods=("sface",))),
        fingerprint(TOSS, replace(context, data=None)),
        fingerprint(TOSS, replace(context, album=None)),
    ]
    assert len(set(asked)) == len(asked)


@pytest.mark.parametrize("changed", ["package/code.py", "package/more.py", "data/orl/x", "album/b"])
def test_a_changed_file_changes_it(context, changed, tmp_path):
    before = fingerprint(TOSS, context)
    (tmp_path / changed).write_text("x = 2\n")
    assert fingerprint(TOSS, context) != before


def test_another_time_is_another_file(context, tmp_path):
    photo = tmp_path / "album" / "a.jpg"
    before = fingerprint(TOSS, context)
    os.utime(photo, ns=(0, 0))
    assert fingerprint(TOSS, context) != before


def test_a_set_that_is_not_named_does_not_count(context, tmp_path):
    before = fingerprint(TOSS, context), fingerprint(replace(TOSS, sets=()), context)
    (tmp_path / "data" / "lfw" / "x").write_text("")
    after = fingerprint(TOSS, context), fingerprint(replace(TOSS, sets=()), context)
    assert after[0] == before[0]
    assert after[1] != before[1]  # who names no set may use any


def test_shipped_calibrations_count(context, tmp_path, monkeypatch):
    monkeypatch.setattr(finished, "evidence_folder", lambda: tmp_path / "shipped")
    before = fingerprint(TOSS, context)
    (tmp_path / "shipped" / "calibration").mkdir(parents=True)
    (tmp_path / "shipped" / "calibration" / "sface.json").write_text("{}")
    assert fingerprint(TOSS, context) != before


def test_what_changed_while_it_ran_is_measured_again(context, tmp_path):
    before = fingerprint(TOSS, context)
    results = [Result(method="m", protocol="toss", data="d", data_hash="", metric="x", ours=1.0)]
    write("m", results, context.out)
    finish(TOSS, context, results, before)
    assert is_finished(TOSS, context)
    (tmp_path / "package" / "code.py").write_text("x = 2\n")
    assert not is_finished(TOSS, context)
    finish(TOSS, context, results, before)
    assert not is_finished(TOSS, context)
    finish(TOSS, context, results, fingerprint(TOSS, context))
    assert is_finished(TOSS, context)
    shutil.rmtree(context.out)
    assert not is_finished(TOSS, context)
