"""What tests of sources share: a pip that sees one folder, and a place for what it brings."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of packages that is all that pip can see."""
    folder = tmp_path / "packages"
    folder.mkdir()
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """Where a fetched file goes, in a folder of its own."""
    folder = tmp_path / "target"
    folder.mkdir()
    return folder / "toy.bin"
