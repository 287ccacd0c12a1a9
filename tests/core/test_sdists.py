"""Source distributions, against pip itself: what is in them is had, what they would run is not."""

from __future__ import annotations

import io
import tarfile

import pytest

from lineament.core.errors import SourceUnavailable
from lineament.core.sources import PackageFile, obtain, parse
from local_web import make_sdist, make_wheel

CONTENT = bytes(range(256)) * 40
SOURCE = "sdist:toynets==1.0!toynets/nets/toy.bin"


def test_a_source_names_a_file_of_a_source_distribution():
    assert parse(SOURCE) == PackageFile("sdist", "toynets", "1.0", "toynets/nets/toy.bin")


def test_one_file_comes_out_and_the_setup_does_not_run(packages, target, tmp_path):
    marker = tmp_path / "ran"
    make_sdist(packages, f"open({str(marker)!r}, 'w')", {"toynets/nets/toy.bin": CONTENT})
    seen: list[tuple[int, int]] = []
    obtain(SOURCE, target, len(CONTENT), lambda done, total: seen.append((done, total)))
    assert target.read_bytes() == CONTENT
    assert list(target.parent.iterdir()) == [target]
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert not marker.exists()


def test_a_build_of_the_packages_own_does_not_run_either(packages, target, tmp_path):
    """PEP 517 lets a package bring the program that builds it."""
    marker = tmp_path / "ran"
    toml = '[build-system]\nrequires = []\nbuild-backend = "own"\nbackend-path = ["."]\n'
    files = {
        "pyproject.toml": toml.encode(),
        "own.py": f"open({str(marker)!r}, 'w')".encode(),
        "toynets/nets/toy.bin": CONTENT,
    }
    make_sdist(packages, f"open({str(marker)!r}, 'w')", files)
    obtain(SOURCE, target, len(CONTENT))
    assert target.read_bytes() == CONTENT
    assert not marker.exists()


def test_a_wheel_does_not_stand_in(packages, target):
    make_wheel(packages, {"toynets/nets/toy.bin": CONTENT})
    with pytest.raises(SourceUnavailable, match=r"No matching distribution found for toynets==1.0"):
        obtain(SOURCE, target, len(CONTENT))
    assert list(target.parent.iterdir()) == []


def test_what_is_missing_or_of_another_size_is_named(packages, target):
    make_sdist(packages, "", {"toynets/nets/toy.bin": CONTENT})
    with pytest.raises(SourceUnavailable, match="toynets has no toynets/nets/other.bin"):
        obtain("sdist:toynets==1.0!toynets/nets/other.bin", target, 5)
    with pytest.raises(SourceUnavailable, match="10,240 bytes, the record says 5"):
        obtain(SOURCE, target, 5)
    assert list(target.parent.iterdir()) == []


def test_a_link_is_not_followed(packages, target, tmp_path):
    secret = tmp_path / "secret"
    secret.write_bytes(CONTENT)
    make_sdist(packages, "", {})
    path = packages / "toynets-1.0.tar.gz"
    buffer = io.BytesIO()
    with tarfile.open(path) as old, tarfile.open(fileobj=buffer, mode="w:gz") as new:
        for entry in old:
            new.addfile(entry, old.extractfile(entry))
        link = tarfile.TarInfo("toynets-1.0/toynets/nets/toy.bin")
        link.type, link.linkname = tarfile.SYMTYPE, "../../PKG-INFO"
        new.addfile(link)
        away = tarfile.TarInfo("toynets-1.0/toynets/nets/away.bin")
        away.type, away.linkname = tarfile.SYMTYPE, str(secret)
        new.addfile(away)
    path.write_bytes(buffer.getvalue())
    for name in ("toy", "away"):
        with pytest.raises(SourceUnavailable):
            obtain(f"sdist:toynets==1.0!toynets/nets/{name}.bin", target, len(CONTENT))
    assert not target.exists()
