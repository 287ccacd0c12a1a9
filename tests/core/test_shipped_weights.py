"""Weights that come with the package: the same gate, the same hash, no network."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from lineament.core import sources
from lineament.core.cards import Weight, weights
from lineament.core.errors import LicenceNotAccepted, SourceUnavailable, WeightError, WrongHash
from lineament.core.sources import ShippedFile, obtain, parse
from lineament.core.weights import fetch


@pytest.fixture(autouse=True)
def _own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("LINEAMENT_HOME", str(tmp_path))
    monkeypatch.setenv("LINEAMENT_ACCEPT_RESEARCH", "0")


def record(sha256: str, size: int, source: str = "shipped:core/errors.py") -> Weight:
    return Weight(
        name="w",
        file="w.onnx",
        sha256=sha256,
        size=size,
        licence="free",
        commercial=True,
        trained_on="-",
        preprocessing="-",
        sources=(source,),
    )


def test_a_file_of_the_package_is_a_source():
    content = (Path(sources.__file__).parents[1] / "core" / "errors.py").read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    assert fetch(record(digest, len(content))).read_bytes() == content
    with pytest.raises(WrongHash):
        fetch(record("0" * 64, len(content)))


def test_what_is_not_there_is_named(tmp_path):
    with pytest.raises(SourceUnavailable, match="lacks core/gone"):
        obtain("shipped:core/gone", tmp_path / "x", 3)
    with pytest.raises(SourceUnavailable, match="the record says 3"):
        obtain("shipped:core/errors.py", tmp_path / "x", 3)
    assert not list(tmp_path.glob("x*"))


@pytest.mark.parametrize("path", ["", "/etc/passwd", "../x", "a/../../x", "a//b", r"a\b"])
def test_a_source_stays_inside_the_package(path: str):
    assert parse("shipped:a/b") == ShippedFile("a/b")
    with pytest.raises(WeightError, match="no source"):
        parse(f"shipped:{path}")


def test_shipped_heads_that_are_for_research_wait_for_acceptance(monkeypatch):
    heads = weights()["lnet-anet-heads"]
    with pytest.raises(LicenceNotAccepted, match="research"):
        fetch(heads)
    monkeypatch.setenv("LINEAMENT_ACCEPT_RESEARCH", "1")
    assert fetch(heads).stat().st_size == heads.size < 300_000
