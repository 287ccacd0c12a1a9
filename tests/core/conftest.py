"""What tests of sources and of weights share: a pip that sees one folder, a server on this machine,
a cache of their own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from local_web import Web, local_web
from weight_store import CONTENT, WRONG


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


@pytest.fixture
def web() -> Iterator[Web]:
    with local_web() as server:
        server.files["/toy"] = CONTENT
        server.files["/wrong"] = WRONG
        yield server


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own, and none of the tester's own settings."""
    folder = tmp_path / "home"
    monkeypatch.setenv("LINEAMENT_HOME", str(folder))
    monkeypatch.delenv("LINEAMENT_OFFLINE", raising=False)
    monkeypatch.delenv("LINEAMENT_ACCEPT_RESEARCH", raising=False)
    return folder
