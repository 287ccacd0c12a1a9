"""Real and replayed faces in a folder made here, and the real one."""

from __future__ import annotations

import numpy as np
import pytest

from lineament.core.errors import MissingFile
from lineament.measure.sets.antispoof import read_antispoof


def test_kinds_and_sources(tmp_path):
    for source, kind, name in (
        ("b", "real", "1"),
        ("b", "fake", "1"),
        ("a", "real", "1"),
        ("a", "real", "2"),
        ("a", "fake", "9"),
    ):
        (tmp_path / source / kind).mkdir(parents=True, exist_ok=True)
        (tmp_path / source / kind / f"{name}.jpg").write_bytes(b"picture")
    faces = read_antispoof(tmp_path)
    assert faces.labels["source"].tolist() == [0, 0, 0, 1, 1]
    assert faces.labels["bona fide"].tolist() == [0, 1, 1, 0, 1]
    assert faces.classes["source"] == ("a", "b")
    for path, real in zip(faces.paths, faces.labels["bona fide"], strict=True):
        assert path.parent.name == faces.classes["bona fide"][real]


def test_a_source_without_one_kind_is_refused(tmp_path):
    with pytest.raises(MissingFile, match="none stated"):
        read_antispoof(tmp_path)
    (tmp_path / "a" / "real").mkdir(parents=True)
    (tmp_path / "a" / "real" / "1.jpg").write_bytes(b"picture")
    with pytest.raises(MissingFile, match=r"a.fake"):
        read_antispoof(tmp_path)


def test_the_real_set(shared_data):
    faces = read_antispoof(shared_data / "antispoof")
    assert len(faces.paths) == 1397
    real, source = faces.labels["bona fide"] == 1, faces.labels["source"]
    assert np.bincount(source[real]).tolist() == [120, 99, 120, 360]
    assert np.bincount(source[~real]).tolist() == [120, 98, 120, 360]
