"""NoW: its list, boxes as Python 2 pickled them, and points as MeshLab writes them."""

from __future__ import annotations

import os
import struct

import numpy as np
import pytest

from lineament.core.errors import BadInput, MissingFile
from lineament.measure.sets.now import read_now, read_picked_points

PEOPLE = ("FaMoS_180424_03335_TA", "FaMoS_180426_03336_TA")
NAMES = (
    f"{PEOPLE[0]}/multiview_neutral/IMG_0041.jpg",
    f"{PEOPLE[0]}/selfie/IMG_0101.jpg",
    f"{PEOPLE[1]}/multiview_occlusions/IMG_0230.jpg",
)
PICKED = np.round(np.random.default_rng(2).normal(size=(7, 3)) * 100, 4)
POINT = ' <point x="{}" y="{}" z="{}" name="{}" active="1"/>\n'
PP = (
    '<!DOCTYPE PickedPoints>\n<PickedPoints>\n <DocumentData>\n  <DataFileName name="scan.obj"/>\n'
    " </DocumentData>\n"
    + "".join(POINT.format(*point, k) for k, point in enumerate(PICKED))
    + "</PickedPoints>\n"
)


def save_box(path, box):
    np.save(path, np.asarray(box, object), allow_pickle=True)


@pytest.fixture
def folder(tmp_path):
    home = tmp_path / "NoW_Dataset" / "final_release_version"
    for number, name in enumerate(NAMES):
        for place in ("iphone_pictures", "detected_face"):
            (home / place / name).parent.mkdir(parents=True, exist_ok=True)
        box = {"left": 10 + number, "top": np.int64(20), "right": np.float64(300.5), "bottom": 400}
        save_box((home / "detected_face" / name).with_suffix(".npy"), box)
    for person in PEOPLE:
        (home / "scans" / person).mkdir(parents=True)
        (home / "scans" / person / "natural_head_rotation.000001.obj").touch()
        (home / "scans_lmks_onlypp" / person).mkdir(parents=True)
        points = "natural_head_rotation.000001_picked_points.pp"
        (home / "scans_lmks_onlypp" / person / points).write_text(PP)
    (tmp_path / "imagepathsvalidation.txt").write_text("\n".join(NAMES) + "\n")
    return tmp_path


def box_file(folder, number):
    home = folder / "NoW_Dataset" / "final_release_version"
    return (home / "detected_face" / NAMES[number]).with_suffix(".npy")


def test_a_folder(folder):
    now = read_now(folder)
    home = folder / "NoW_Dataset" / "final_release_version"
    assert now.names == NAMES
    assert now.path(1) == home / "iphone_pictures" / NAMES[1]
    assert now.people == (PEOPLE[0], PEOPLE[0], PEOPLE[1])
    assert now.challenges == ("multiview_neutral", "selfie", "multiview_occlusions")
    assert now.boxes.tolist() == [[10 + k, 20, 300.5, 400] for k in range(3)]
    assert now.scans[0] == now.scans[1] != now.scans[2]
    assert all(path.is_file() for path in (*now.scans, *now.picked))
    assert np.array_equal(read_picked_points(now.picked[2]), PICKED)
    assert read_now(home.parent).names == read_now(home.parent.parent).names


def test_the_list_may_lie_in_the_set(folder):
    home = folder / "NoW_Dataset" / "final_release_version"
    (folder / "imagepathsvalidation.txt").rename(home / "imagepathsvalidation.txt")
    assert read_now(home).names == NAMES


def test_a_box_of_python_2(folder):
    """np.save of a dict under Python 2: protocol 2, with BINSTRING keys."""
    sides = b"".join(
        b"U" + bytes([len(key)]) + key + b"M" + struct.pack("<H", value)
        for key, value in {b"left": 7, b"top": 8, b"right": 500, b"bottom": 600}.items()
    )
    body = (
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\nq\x01cnumpy\nndarray\nq\x02K\x00\x85U\x01b"
        b"\x87R(K\x01)cnumpy\ndtype\nq\x03U\x02O8K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xff"
        b"J\xff\xff\xff\xffK?tb\x89]}(" + sides + b"uatb."
    )
    path = box_file(folder, 0)
    whole = path.read_bytes()
    size = 10 + int.from_bytes(whole[8:10], "little")
    path.write_bytes(whole[:size] + body)
    assert read_now(folder).boxes[0].tolist() == [7, 8, 500, 600]


class Hostile:
    def __reduce__(self):
        return os.mkdir, ("was_here",)


@pytest.mark.parametrize(
    ("box", "message"),
    [
        ({"left": 1, "top": 2, "right": 3}, "a box with left, top"),
        ({"left": 1, "top": 2, "right": 3, "bottom": "x"}, "a box with left, top"),
        ({"left": 1, "top": 2, "right": 3, "bottom": np.nan}, "a box of"),
        ({"left": 9, "top": 2, "right": 3, "bottom": 4}, "a box of"),
        ([1, 2, 3, 4], "a box as a dict"),
        ([{"left": 1}, {"left": 1}], "a box as a dict"),
        ({"left": Hostile()}, "mkdir"),
    ],
)
def test_hostile_boxes(folder, box, message, monkeypatch):
    monkeypatch.chdir(folder)
    save_box(box_file(folder, 2), box)
    with pytest.raises(BadInput, match=f"IMG_0230.npy: .*{message}"):
        read_now(folder)
    assert not (folder / "was_here").exists()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("a/selfie.jpg", "validation.txt:1: .* is not person/challenge/picture"),
        ("a/b/c.jpg", "validation.txt:1: .* is not person/challenge/picture"),
        ("../selfie/c.jpg", "validation.txt:1: .* inside"),
        ("", "the list is empty"),
    ],
)
def test_hostile_lists(folder, line, message):
    (folder / "imagepathsvalidation.txt").write_text(line)
    with pytest.raises(BadInput, match=message):
        read_now(folder)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (POINT.format(*PICKED[3], 3), "", "6 points instead of 7"),
        (f'x="{PICKED[0][0]}"', 'x="left"', "not a point"),
        (f'x="{PICKED[0][0]}" ', "", "not a point"),
        (f'x="{PICKED[0][0]}"', 'x="inf"', "7 points instead of 7 finite"),
        (PP, "", "0 points instead of 7"),
    ],
)
def test_hostile_points(tmp_path, old, new, message):
    path = tmp_path / "scan.pp"
    assert old in PP
    path.write_text(PP.replace(old, new))
    with pytest.raises(BadInput, match=f"scan.pp: {message}"):
        read_picked_points(path)


def test_absent(folder, tmp_path):
    home = folder / "NoW_Dataset" / "final_release_version"
    extra = home / "scans" / PEOPLE[0] / "second.obj"
    extra.touch()
    with pytest.raises(BadInput, match="2 files"):
        read_now(folder)
    extra.unlink()
    box_file(folder, 0).unlink()
    with pytest.raises(MissingFile, match="IMG_0041.npy: needed of NoW"):
        read_now(folder)
    next((home / "scans" / PEOPLE[1]).iterdir()).unlink()
    with pytest.raises(MissingFile, match="obj: needed of NoW"):
        read_now(folder)
    with pytest.raises(MissingFile, match="get it from its authors.*terms: non-commercial"):
        read_now(tmp_path / "nothing")
    with pytest.raises(MissingFile, match="scan.pp"):
        read_picked_points(tmp_path / "scan.pp")
