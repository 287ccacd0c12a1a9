"""`lineament clean` on folders of the sample album's people, with known faults."""

import json
import shutil
from pathlib import Path

import pytest

from lineament.cli.main import main
from lineament.learn.data.people import LIST, read_people

ALBUM = Path(__file__).parents[2] / "examples" / "album"


def portraits(person):
    """Photos of one person alone, some of them with a copy."""
    photos = json.loads((ALBUM / "labels.json").read_text())["photos"]
    return [
        ALBUM / p["file"]
        for p in photos
        if p["kind"] == "plain" and [f["person"] for f in p["faces"]] == [person]
    ]


@pytest.fixture
def folder(tmp_path):
    """Ann with a stranger, a picture of nobody and a broken one; Ben, once more under another
    name."""
    ann, ben = portraits("p10"), portraits("p11")
    assert len(ann) >= 4
    assert len(ben) >= 4
    layout = {"ann": [*ann, portraits("p14")[0]], "ben": ben[:2], "ben j.": ben[2:]}
    for name, photos in layout.items():
        (tmp_path / "people" / name).mkdir(parents=True)
        for photo in photos:
            shutil.copy(photo, tmp_path / "people" / name)
    (tmp_path / "people" / "ann" / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    return tmp_path / "people"


def test_strangers_and_split_people_are_found(folder, capsys):
    assert main(["clean", str(folder), "--json", "--threads", "1"]) == 0
    said = capsys.readouterr()
    rows = {row["picture"]: row for row in json.loads(said.out)}
    stranger = f"ann/{portraits('p14')[0].name}"
    gone = {name: row["fate"] for name, row in rows.items() if row["fate"] not in ("stays", "copy")}
    assert gone == {stranger: "stranger", "ann/broken.jpg": "no face"}
    assert "broken.jpg" in said.err
    bens = {row["person"] for row in rows.values() if row["folder"].startswith("ben")}
    assert len(bens) == 1
    assert {row["person"] for row in rows.values() if row["fate"] == "stays"} == {"ann", *bens}


def test_a_copy_goes_and_its_original_stays(folder, capsys):
    first = min((folder / "ben").iterdir())
    shutil.copy(first, folder / "ben" / "zz.jpg")
    assert main(["clean", str(folder), "--json", "--threads", "1"]) == 0
    fates = {row["picture"]: row["fate"] for row in json.loads(capsys.readouterr().out)}
    assert fates["ben/zz.jpg"] == "copy"
    assert fates[f"ben/{first.name}"] == "stays"


def test_the_list_is_what_training_reads(folder, capsys):
    before = {path: path.read_bytes() for path in folder.rglob("*.jpg")}
    assert main(["clean", str(folder), "--list", str(folder / LIST), "--threads", "1"]) == 0
    assert "of 2 people in place of 3" in capsys.readouterr().out
    pictures = read_people(folder)
    assert pictures.people is not None
    named = (folder / LIST).read_text()
    assert portraits("p14")[0].name not in named
    assert "broken.jpg" not in named
    assert set(pictures.people.tolist()) == {0, 1}
    assert {path: path.read_bytes() for path in folder.rglob("*.jpg")} == before


def test_a_list_is_not_written_over(folder, capsys):
    (folder / "mine.txt").write_text("mine")
    assert main(["clean", str(folder), "--list", str(folder / "mine.txt")]) == 3
    assert "not written over" in capsys.readouterr().err
    assert (folder / "mine.txt").read_text() == "mine"


def test_a_list_that_cannot_be_written_is_one_line(folder, capsys):
    nowhere = folder / "absent" / "list.txt"
    assert main(["clean", str(folder), "--list", str(nowhere), "--threads", "1"]) == 3
    assert "cannot be written" in capsys.readouterr().err


def test_a_folder_without_people_is_refused_in_one_line(tmp_path, capsys):
    assert main(["clean", str(tmp_path)]) == 3
    assert capsys.readouterr().err.count("\n") == 1
