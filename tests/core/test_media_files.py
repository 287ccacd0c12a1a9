"""Files and folders: what may be read, what is refused, and in which order photos are found."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from lineament.core.errors import (
    EmptyFile,
    ImageTooLarge,
    MissingFile,
    UnreadableImage,
    UnsupportedFormat,
)
from lineament.core.headers import Limits
from lineament.core.media import content_hash, encode_jpeg, image_files, read_bytes, read_image

GREY = np.full((8, 9, 3), 128, np.uint8)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.jpg"
    path.write_bytes(encode_jpeg(GREY))
    return path


def test_all_kinds_of_source_give_the_same_picture(photo: Path) -> None:
    with photo.open("rb") as stream:
        images = {
            "path": read_image(photo),
            "text": read_image(str(photo)),
            "bytes": read_image(photo.read_bytes()),
            "stream": read_image(stream),
            "memory": read_image(io.BytesIO(photo.read_bytes()), name="upload 7"),
        }
    assert all((image.pixels == 128).all() for image in images.values())
    assert images["path"].source == images["text"].source == str(photo)
    assert images["bytes"].source is None
    assert images["memory"].source == "upload 7"


def test_content_decides_and_not_the_suffix(photo: Path) -> None:
    for name in ("photo.png", "photo.heic", "photo.eps", "photo"):
        moved = photo.rename(photo.with_name(name))
        assert read_image(moved).pixels.shape == (8, 9, 3)
        photo = moved


def refused(path: Path, error: type[UnreadableImage], reason: str) -> None:
    """By everything that reads, in one line that begins with the path."""
    for read in (read_image, read_bytes, content_hash):
        with pytest.raises(error, match=reason) as raised:
            read(path)
        assert str(raised.value).startswith(f"{path}: ")
        assert "\n" not in str(raised.value)


def test_missing_files(tmp_path: Path) -> None:
    refused(tmp_path / "none.jpg", MissingFile, "no such file")
    refused(tmp_path / ("x" * 300 + ".jpg"), MissingFile, "name too long")
    (tmp_path / "link.jpg").symlink_to(tmp_path / "gone.jpg")
    refused(tmp_path / "link.jpg", MissingFile, "no such file")
    (tmp_path / "loop.jpg").symlink_to(tmp_path / "loop.jpg")
    refused(tmp_path / "loop.jpg", MissingFile, "symbolic links")
    with pytest.raises(MissingFile, match="null"):
        read_image("a\0b.jpg")


def test_folders_and_special_files_are_refused_without_waiting(tmp_path: Path) -> None:
    refused(tmp_path, UnsupportedFormat, "a folder")
    os.mkfifo(tmp_path / "pipe.jpg")  # nobody writes: opening it for reading would wait for ever
    refused(tmp_path / "pipe.jpg", UnsupportedFormat, "a device or a pipe")
    refused(Path("/dev/zero"), UnsupportedFormat, "a device or a pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        refused(tmp_path / "s", MissingFile, "cannot be read")


def test_empty_files(tmp_path: Path) -> None:
    path = tmp_path / "empty.jpg"
    path.touch()
    with pytest.raises(EmptyFile, match=r"empty\.jpg: "):
        read_image(path)
    with pytest.raises(EmptyFile, match="^upload: "):
        read_image(io.BytesIO(), name="upload")
    assert content_hash(path) == hashlib.sha256(b"").hexdigest()


def test_files_are_limited_in_bytes_before_they_are_read(photo: Path) -> None:
    size = photo.stat().st_size
    data = photo.read_bytes()
    assert read_bytes(photo, Limits(max_bytes=size)) == data
    with pytest.raises(ImageTooLarge, match=r"photo\.jpg: .*max_bytes"):
        read_image(photo, limits=Limits(max_bytes=size - 1))
    with pytest.raises(ImageTooLarge, match="max_bytes"):
        read_image(data, limits=Limits(max_bytes=size - 1))
    with pytest.raises(ImageTooLarge, match="max_bytes"):
        read_image(io.BytesIO(data), limits=Limits(max_bytes=size - 1))
    # A hole of a terabyte takes no room on the disk, and none in memory.
    with photo.open("r+b") as file:
        file.truncate(2**40)
    with pytest.raises(ImageTooLarge, match="max_bytes"):
        read_image(photo)


class Endless(io.RawIOBase):
    """A stream that never ends."""

    def readinto(self, buffer: memoryview) -> int:  # pyright: ignore[reportIncompatibleMethodOverride]
        return len(buffer)

    def readable(self) -> bool:
        return True


class Broken(Endless):
    def readinto(self, buffer: memoryview) -> int:
        raise OSError(5, "Input/output error")


def test_streams_that_do_not_end_or_break() -> None:
    with pytest.raises(ImageTooLarge, match="max_bytes"):
        read_image(io.BufferedReader(Endless()), limits=Limits(max_bytes=10**7))
    with pytest.raises(MissingFile, match="camera: cannot be read: Input/output error"):
        read_image(io.BufferedReader(Broken()), name="camera")


@pytest.fixture
def locked() -> Iterator[Path]:
    """A folder with a file and a subfolder that nobody may read; run by root, as another user."""
    folder = Path(tempfile.mkdtemp())
    (folder / "closed").mkdir()
    (folder / "closed.jpg").write_bytes(encode_jpeg(GREY))
    (folder / "open.jpg").write_bytes(encode_jpeg(GREY))
    folder.chmod(0o755)
    (folder / "open.jpg").chmod(0o644)
    for name in ("closed", "closed.jpg"):
        (folder / name).chmod(0)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    yield folder
    os.seteuid(user)
    (folder / "closed").chmod(0o700)
    shutil.rmtree(folder)


def test_files_without_permission(locked: Path) -> None:
    refused(locked / "closed.jpg", MissingFile, "Permission denied")


def test_content_hash_is_sha256(tmp_path: Path) -> None:
    """Against the example of FIPS 180-2, and a file longer than one buffer."""
    (tmp_path / "abc").write_bytes(b"abc")
    known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert content_hash(tmp_path / "abc") == known
    data = np.random.default_rng(0).bytes(3_000_000)
    (tmp_path / "long").write_bytes(data)
    assert content_hash(tmp_path / "long") == hashlib.sha256(data).hexdigest()


# --------------------------------------------------------------------------------- image_files


def fill(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def found(folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in image_files(folder)]


def test_photos_are_found_by_suffix_in_order(tmp_path: Path) -> None:
    photos = ["a.JPG", "b/c.jpeg", "b/d/e.HeIc", "b/z.png", "c.tiff", "ä.webp"]
    fill(tmp_path, *photos)
    fill(tmp_path, "notes.txt", "b/film.mov", "jpg", "b/x.jpg.part", "raw.cr2")
    assert found(tmp_path) == photos
    assert list(image_files(tmp_path)) == sorted(image_files(tmp_path))
    assert list(image_files(str(tmp_path))) == list(image_files(tmp_path))


def test_hidden_and_system_files_are_left_out(tmp_path: Path) -> None:
    fill(tmp_path, ".DS_Store", "._a.jpg", "Thumbs.db", ".thumbnails/a.jpg", "@eaDir/a.jpg/S.jpg")
    fill(tmp_path, "x/@eaDir/b.jpg", "#recycle/c.jpg", "$RECYCLE.BIN/d.jpg", "__MACOSX/e.jpg")
    fill(tmp_path, "x/kept.jpg", "eaDir/kept.jpg")
    assert found(tmp_path) == ["eaDir/kept.jpg", "x/kept.jpg"]


def test_links_to_folders_are_not_followed_and_links_to_files_are(tmp_path: Path) -> None:
    fill(tmp_path, "a/photo.jpg")
    (tmp_path / "a" / "loop").symlink_to(tmp_path)
    (tmp_path / "a" / "self.jpg").symlink_to(tmp_path / "a" / "self.jpg")
    (tmp_path / "again").symlink_to(tmp_path / "a")
    (tmp_path / "link.jpg").symlink_to(tmp_path / "a" / "photo.jpg")
    (tmp_path / "dead.jpg").symlink_to(tmp_path / "none.jpg")
    assert found(tmp_path) == ["a/photo.jpg", "link.jpg"]
    assert found(tmp_path / "again") == ["photo.jpg"]


def test_what_is_no_regular_file_is_left_out(tmp_path: Path) -> None:
    fill(tmp_path, "folder.jpg/photo.jpg")
    os.mkfifo(tmp_path / "pipe.jpg")
    assert found(tmp_path) == ["folder.jpg/photo.jpg"]


def test_one_file_is_itself_whatever_its_name(tmp_path: Path) -> None:
    fill(tmp_path, ".upload")
    assert list(image_files(tmp_path / ".upload")) == [tmp_path / ".upload"]


def test_folders_nested_deeper_than_python_recurses(tmp_path: Path) -> None:
    # Step by step, since shutil and pathlib go down such a tree by recursion.
    home, depth = Path.cwd(), 1100
    os.chdir(tmp_path)
    try:
        for _ in range(depth):
            Path("d").mkdir()
            os.chdir("d")
        Path("photo.jpg").touch()
        assert [path.name for path in image_files(tmp_path)] == ["photo.jpg"]
        Path("photo.jpg").unlink()
        for _ in range(depth):
            os.chdir("..")
            Path("d").rmdir()
    finally:
        os.chdir(home)


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(MissingFile, match="none: cannot be listed: No such file"):
        list(image_files(tmp_path / "none"))


def test_a_folder_that_may_not_be_listed_is_told(locked: Path) -> None:
    with pytest.raises(MissingFile, match="closed: cannot be listed: Permission denied"):
        list(image_files(locked))
    told: list[MissingFile] = []
    assert [path.name for path in image_files(locked, told.append)] == ["closed.jpg", "open.jpg"]
    assert [error.source for error in told] == [str(locked / "closed")]
