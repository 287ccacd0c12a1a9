"""`lineament suggest`: what it prints, and that only an answer decides."""

from __future__ import annotations

import hashlib
import json
import sys
from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest

from lineament.cli.suggest import suggest
from lineament.core.embeddings import encode
from lineament.core.errors import BadInput
from lineament.know.gallery import FaceRecord, Gallery, PhotoRecord


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Ann has two faces; person 2 has two more of hers, and person 3 is somebody else."""
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((2, 128)) / 128**0.5
    with Gallery.open(tmp_path / "g", space="sface@0ba9fbfa", dimension=128) as gallery:
        for number, person in enumerate((0, 0, 0, 0, 1)):
            vector = centres[person] + 0.3 * rng.standard_normal(128) / 128**0.5
            code = encode((vector / np.linalg.norm(vector)).astype(np.float32)[None])[0]
            points = np.zeros((5, 2), np.float32)
            face = FaceRecord(np.zeros(4, np.float32), 0.9, points, 0.5, code, b"crop")
            digest = hashlib.sha256(bytes([number])).hexdigest()
            gallery.add_photo(PhotoRecord(digest, f"/p/{number}", 1, 1, 10, 10), [face])
        gallery.set_people(np.arange(1, 6), np.asarray([0, 0, 1, 1, 2]))
        ann = next(p.id for p in gallery.people() if p.faces[0].id == 1)
        gallery.name(ann, "Ann")
    return tmp_path / "g"


def options(path: Path, **given) -> Namespace:
    usual = {"false_match_rate": 1e-3, "questions": 10, "ask": False, "json": False}
    return Namespace(**{"gallery": path, **usual, **given})


def people(path: Path) -> dict[str | None, int]:
    with Gallery.open(path) as gallery:
        return {person.name: len(person.faces) for person in gallery.people()}


def test_it_shows_and_decides_nothing(path, capsys):
    assert suggest(options(path)) == 0
    shown = capsys.readouterr().out
    assert "Ann" in shown
    assert "Only suggestions." in shown
    assert "/p/4" in shown  # the question
    with Gallery.open(path) as gallery:
        assert gallery.decisions() == []


def test_json_for_scripts(path, capsys):
    suggest(options(path, json=True))
    found = json.loads(capsys.readouterr().out)
    assert [(s["name"], sorted(s["faces"])) for s in found["certain"]] == [("Ann", [3, 4])]
    assert [q["face"] for q in found["questions"]] == [5]
    assert found["calibration"] == "all pairs of different people of LFW"


def test_too_strict_a_rate_leaves_questions(path, capsys):
    suggest(options(path, false_match_rate=1e-7))
    assert "Nobody is certain" in capsys.readouterr().out


def test_answers_at_a_terminal_are_kept(path, capsys, monkeypatch):
    said = iter(["yes", "Bea"])
    monkeypatch.setattr("builtins.input", lambda prompt: next(said))
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    suggest(options(path, ask=True))
    assert "2 answers are kept as your decisions." in capsys.readouterr().out
    assert people(path) == {"Ann": 4, "Bea": 1}


def test_asking_needs_somebody(path):
    with pytest.raises(BadInput, match="terminal"):
        suggest(options(path, ask=True, json=True))
