"""Records, shards and folders of faces: the same faces from each, hostile bytes refused, memory
flat."""

from __future__ import annotations

import io
import struct
import tarfile
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Pillow

from lineament.core.errors import BadInput, LineamentError
from lineament.learn.data.cache import kept, listing
from lineament.learn.data.people import LIST, read_people
from lineament.learn.data.records import LARGEST, MAGIC, RecordPictures
from lineament.learn.data.shards import TarPictures
from lineament.learn.data.streamed import FolderPictures, Streamed, open_pictures
from lineament.learn.recognition.material import packed_faces

PEOPLE = (7, 7, 3, 12, 3)
"""Numbers of five pictures' people, as a set may have them."""


def face(number: int, side: int = 24) -> bytes:
    pixels = np.random.default_rng(number).integers(0, 255, (4, 4, 3)).astype(np.uint8)
    file = io.BytesIO()
    square = Pillow.fromarray(pixels).resize((side, side), Pillow.Resampling.NEAREST)
    square.save(file, "PNG")
    return file.getvalue()


FACES = tuple(face(k) for k in range(len(PEOPLE)))


def header(labels: list[float]) -> bytes:
    """As MXNet packs it: one label in the header, or several behind it."""
    if len(labels) == 1:
        return struct.pack("<IfQQ", 0, labels[0], 1, 0)
    return struct.pack("<IfQQ", len(labels), 0, 1, 0) + struct.pack(f"<{len(labels)}f", *labels)


def record(data: bytes) -> bytes:
    """By the format's own rule: cut wherever the magic number lies at a multiple of 4 bytes."""
    magic = struct.pack("<I", MAGIC)
    parts, start = [], 0
    for place in range(0, len(data) - 3, 4):
        if data[place : place + 4] == magic:
            parts.append(data[start:place])
            start = place + 4
    parts.append(data[start:])
    kinds = [0] if len(parts) == 1 else [1, *[2] * (len(parts) - 2), 3]
    words = (struct.pack("<I", kind << 29 | len(p)) for kind, p in zip(kinds, parts, strict=True))
    padded = (
        word + part + b"\0" * (-len(part) % 4) for word, part in zip(words, parts, strict=True)
    )
    return b"".join(magic + each for each in padded)


def write_records(folder: Path, records: list[bytes], first: int = 0) -> Path:
    packed, lines = b"", []
    for key, each in enumerate(records, first):
        lines.append(f"{key}\t{len(packed)}\n")
        packed += record(each)
    path = folder / "train.rec"
    path.write_bytes(packed)
    path.with_suffix(".idx").write_text("".join(reversed(lines)))
    return path


def insightface(folder: Path) -> Path:
    """Record 0 says that pictures end before record 6; three people follow."""
    pictures = [
        header([p] if k % 2 else [p, 0.0]) + f
        for k, (p, f) in enumerate(zip(PEOPLE, FACES, strict=True))
    ]
    ranges = [header([1.0, 3.0]), header([3.0, 4.0]), header([4.0, 6.0])]
    return write_records(folder, [header([6.0, 9.0]), *pictures, *ranges])


def write_shards(folder: Path) -> list[Path]:
    """Two shards; the first holds three samples, one with more members than two."""
    paths = []
    for number, rows in enumerate(((0, 1, 2), (3, 4))):
        paths.append(folder / f"faces-{number}.tar")
        with tarfile.open(paths[-1], "w") as shard:
            for row in rows:
                members = {"cls": str(PEOPLE[row]).encode(), "png": FACES[row]}
                if row == 1:
                    members = {"json": b"{}", **members, "seg.png": b"not this one"}
                for ending, data in members.items():
                    info = tarfile.TarInfo(f"some/{row:06d}.{ending}")
                    info.size = len(data)
                    shard.addfile(info, io.BytesIO(data))
    return paths


def write_folders(folder: Path) -> Path:
    for row, (person, data) in enumerate(zip(PEOPLE, FACES, strict=True)):
        place = folder / f"{person:02d}"
        place.mkdir(exist_ok=True)
        (place / f"{row}.png").write_bytes(data)
    return folder


def test_records_are_read_back(tmp_path):
    pictures = RecordPictures(insightface(tmp_path))
    assert pictures.labels.tolist() == list(PEOPLE)
    assert [pictures.read(k) for k in range(len(pictures))] == list(FACES)


def test_records_without_a_record_of_people(tmp_path):
    path = write_records(tmp_path, [header([p]) + f for p, f in zip(PEOPLE, FACES, strict=True)], 1)
    pictures = RecordPictures(path)
    assert pictures.labels.tolist() == list(PEOPLE)
    assert pictures.read(4) == FACES[4]


def test_bytes_that_look_like_a_record_s_beginning(tmp_path):
    magic = struct.pack("<I", MAGIC)
    awkward = [magic + b"abc", b"12345678" + magic, magic * 3, b"abc" + magic + b"d", b""]
    path = write_records(tmp_path, [header([k]) + data for k, data in enumerate(awkward)], 1)
    pictures = RecordPictures(path)
    assert [pictures.read(k) for k in range(5)] == awkward


@pytest.mark.parametrize(
    ("place", "bytes_", "reason"),
    [
        (0, b"\0\0\0\0", "no record begins"),
        (4, struct.pack("<I", LARGEST + 1), "a record of"),
        (4, struct.pack("<I", 5 << 29 | 32), "no record begins"),
        (4, struct.pack("<I", 1 << 29 | 32), "without an end"),
        (4, struct.pack("<I", 3), "without a header"),
        (8, struct.pack("<I", 2**31), "labels"),
        (8, struct.pack("<If", 0, float("nan")), "no person's number"),
    ],
)
def test_damaged_records_are_refused(tmp_path, place, bytes_, reason):
    path = insightface(tmp_path)
    data = bytearray(path.read_bytes())
    data[place : place + len(bytes_)] = bytes_
    path.write_bytes(bytes(data))
    with pytest.raises(BadInput, match=reason):
        RecordPictures(path)


@pytest.mark.parametrize("line", ["1\t99999999\n", "1\n", "one\t0\n", "-1\t0\n", "1\t" + "9" * 30])
def test_a_damaged_index_is_refused(tmp_path, line):
    path = insightface(tmp_path)
    path.with_suffix(".idx").write_text(line)
    with pytest.raises(BadInput):
        RecordPictures(path)


def test_records_need_their_index(tmp_path):
    path = insightface(tmp_path)
    path.with_suffix(".idx").unlink()
    with pytest.raises(BadInput, match="index"):
        RecordPictures(path)


@given(data=st.data())
def test_no_change_of_bytes_does_more_than_be_refused(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("fuzz")
    for path, opened in ((insightface(folder), RecordPictures), (write_shards(folder)[0], shard)):
        good = bytearray(path.read_bytes())
        for _ in range(data.draw(st.integers(1, 4))):
            good[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
        path.write_bytes(bytes(good[: data.draw(st.integers(0, len(good)))]))
        try:
            pictures = opened(path)
            assert sum(len(pictures.read(k)) for k in range(len(pictures))) <= len(good)
        except BadInput:
            pass


def shard(path: Path) -> TarPictures:
    return TarPictures([path])


def test_shards_are_read_back(tmp_path):
    pictures = TarPictures(write_shards(tmp_path))
    assert pictures.labels.tolist() == list(PEOPLE)
    assert [pictures.read(k) for k in range(len(pictures))] == list(FACES)


@pytest.mark.parametrize("label", [None, b"", b"-1", b"seven", b"9" * 40])
def test_a_sample_without_a_person_is_refused(tmp_path, label):
    path = tmp_path / "x.tar"
    members = {"png": FACES[0]} if label is None else {"png": FACES[0], "cls": label}
    with tarfile.open(path, "w") as made:
        for ending, data in members.items():
            info = tarfile.TarInfo(f"0.{ending}")
            info.size = len(data)
            made.addfile(info, io.BytesIO(data))
    with pytest.raises(BadInput, match="no person's number"):
        TarPictures([path])


def test_links_and_compressed_shards_are_not_followed(tmp_path):
    path = tmp_path / "x.tar"
    secret = tmp_path / "secret"
    secret.write_bytes(b"not yours")
    with tarfile.open(path, "w") as made:
        link = tarfile.TarInfo("0.png")
        link.type, link.linkname = tarfile.SYMTYPE, str(secret)
        made.addfile(link)
    with pytest.raises(BadInput, match="no pictures"):
        TarPictures([path])
    with tarfile.open(path, "w:gz") as made:
        made.addfile(tarfile.TarInfo("0.png"))
    with pytest.raises(BadInput, match="not a tar file"):
        TarPictures([path])


def test_the_same_faces_come_out_of_every_packing(tmp_path):
    found = []
    for name, write in (("r", insightface), ("t", write_shards), ("f", write_folders)):
        folder = tmp_path / name
        folder.mkdir()
        write(folder)
        faces = packed_faces(folder, 12)
        found.append({int(p): [] for p in set(faces.labels.tolist())})
        for pixels, person in zip(faces.pixels[np.arange(5)], faces.labels, strict=True):
            found[-1][int(person)].append(pixels.tobytes())
    assert found[0] == found[1] == found[2]
    assert sorted(found[0]) == [0, 1, 2]


def test_some_of_the_faces_are_still_on_disk(tmp_path):
    write_folders(tmp_path)
    faces = Streamed(open_pictures(tmp_path), 24)
    assert faces.shape == (5, 24, 24, 3)
    few = faces.some(np.asarray([4, 1]))
    np.testing.assert_array_equal(few[np.asarray([1, 0])], faces[np.asarray([1, 4])])


def test_what_is_no_square_picture_is_refused(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "0.png").write_bytes(FACES[0][:60])
    wide = io.BytesIO()
    Pillow.new("RGB", (8, 4)).save(wide, "PNG")
    (tmp_path / "a" / "1.png").write_bytes(wide.getvalue())
    faces = Streamed(FolderPictures(tmp_path), 8)
    with pytest.raises(LineamentError):
        faces[[0]]
    with pytest.raises(BadInput, match="square"):
        faces[[1]]


def test_memory_is_flat_however_much_lies_on_disk(tmp_path):
    """A file of some 60 MB is opened and gone through in 2."""
    data = header([5.0]) + bytes(300_000)
    write_records(tmp_path, [data] * 10, 1)
    size = (tmp_path / "train.rec").stat().st_size
    with (tmp_path / "train.rec").open("ab") as file, (tmp_path / "train.idx").open("a") as index:
        for key in range(11, 201):
            index.write(f"{key}\t{file.tell()}\n")
            file.write(record(data))
    assert (tmp_path / "train.rec").stat().st_size == 20 * size
    tracemalloc.start()
    pictures = RecordPictures(tmp_path / "train.rec")
    assert sum(len(pictures.read(k)) for k in range(len(pictures))) == 200 * 300_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2e6


def test_people_by_folder_and_by_list(tmp_path):
    by_folder = read_people(write_folders(tmp_path))
    assert by_folder.people is not None
    assert by_folder.people.tolist() == [0, 0, 1, 1, 2]
    flat = tmp_path / "flat"
    flat.mkdir()
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        (flat / name).write_bytes(FACES[0])
    (flat / LIST).write_text("c.jpg 9\na.jpg 100\nb.jpg 9\n")
    listed = read_people(flat)
    assert listed.people is not None
    assert [p.name for p in listed.paths] == ["a.jpg", "b.jpg", "c.jpg"]
    assert listed.people.tolist() == [1, 0, 0]


@pytest.mark.parametrize("text", ["a.jpg\n", "a.jpg x\n", "../a.jpg 1\n", "absent.jpg 1\n"])
def test_a_list_that_is_wrong_is_refused(tmp_path, text):
    (tmp_path / "a.jpg").write_bytes(FACES[0])
    (tmp_path / LIST).write_text(text)
    with pytest.raises(BadInput):
        read_people(tmp_path)


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(BadInput, match="one a person"):
        read_people(tmp_path)


def test_arrays_are_made_once(tmp_path):
    asked = []

    def make():
        asked.append(1)
        return {"a": np.arange(3), "b": np.asarray("text")}

    kept(tmp_path / "new", "x", (1, "two"), make)
    found = kept(tmp_path / "new", "x", (1, "two"), make)
    assert len(asked) == 1
    assert found["a"].tolist() == [0, 1, 2]
    assert str(found["b"]) == "text"
    kept(tmp_path / "new", "x", (1, "three"), make)
    assert len(asked) == 2
    assert len(list((tmp_path / "new").iterdir())) == 2
    for path in (tmp_path / "new").iterdir():
        path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(BadInput, match="not an archive"):
        kept(tmp_path / "new", "x", (1, "two"), make)


def test_a_listing_changes_with_its_files(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"1")
    before = listing([path])
    path.write_bytes(b"12")
    assert listing([path]) != before
