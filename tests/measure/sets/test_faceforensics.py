"""FaceForensics++: splits of pairs, and both directions of a forgery."""

from __future__ import annotations

import json

import pytest

from lineament.core.errors import BadInput, MissingFile
from lineament.measure.sets.faceforensics import METHODS, read_faceforensics

PAIRS = [["000", "003"], ["044", "945"]]


@pytest.fixture(params=["splits", "dataset/splits"])
def folder(tmp_path, request):
    (tmp_path / request.param).mkdir(parents=True)
    (tmp_path / request.param / "test.json").write_text(json.dumps(PAIRS))
    for place in ["original_sequences/youtube", *(f"manipulated_sequences/{m}" for m in METHODS)]:
        for compression in ("c23", "c40"):
            (tmp_path / place / compression / "videos").mkdir(parents=True)
    return tmp_path


def test_a_split(folder):
    videos = read_faceforensics(folder, "test", "c40", ("Deepfakes", "FaceSwap"))
    assert videos.methods == ("original", "Deepfakes", "FaceSwap")
    assert videos.method.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    assert videos.real.tolist() == [True] * 4 + [False] * 8
    assert videos.target.tolist() == [0, 3, 44, 945] * 3
    assert videos.source.tolist() == [0, 3, 44, 945] + [3, 0, 945, 44] * 2
    originals = folder / "original_sequences" / "youtube" / "c40" / "videos"
    assert videos.paths[3] == originals / "945.mp4"
    forged = folder / "manipulated_sequences" / "FaceSwap" / "c40" / "videos"
    assert videos.paths[9] == forged / "003_000.mp4"
    assert len(read_faceforensics(folder).paths) == 4 * 5


@pytest.mark.parametrize(
    "content",
    [
        "", "junk", "{}", "[]", "3", '["000", "003"]', '[["000"]]', '[["000", "003", "004"]]',
        "[[0, 3]]", '[["../0", "003"]]', '[["000", "003"], ["003", "004"]]', "[" * 100_000,
        '[["000", "003"]]' + " " * 2**20,
    ],
    ids=range(13),
)  # fmt: skip
def test_hostile_splits(folder, content):
    next(folder.rglob("test.json")).write_text(content)
    with pytest.raises(BadInput, match="test.json: not a list of pairs: .") as caught:
        read_faceforensics(folder)
    assert "\n" not in str(caught.value)


def test_absent(folder):
    with pytest.raises(MissingFile, match="val.json: .*get it from its authors.*terms: non-"):
        read_faceforensics(folder, "val")
    with pytest.raises(MissingFile, match="raw"):
        read_faceforensics(folder, compression="raw")
    for split, compression, methods in (
        ("dev", "c23", METHODS),
        ("test", "c0", METHODS),
        ("test", "c23", ("Wav2Lip",)),
    ):
        with pytest.raises(BadInput, match=r"FaceForensics\+\+ has no"):
            read_faceforensics(folder, split, compression, methods)
