"""OULU-NPU's protocol lists."""

from __future__ import annotations

import pytest

from lineament.core.errors import BadInput, MissingFile
from lineament.measure.sets.oulu import read_oulu

LIST = "+1,1_1_01_1\n-1,1_2_01_2\n-1,6_3_55_3\n-2,2_1_20_4\n-2,2_1_20_5\n"


@pytest.fixture
def write(tmp_path):
    def write(text=LIST, protocol=1, file="Train"):
        folder = tmp_path / "Protocols" / f"Protocol_{protocol}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{file}.txt").write_text(text)
        return tmp_path

    return write


@pytest.mark.parametrize(
    ("protocol", "split", "fold", "file"),
    [
        (1, "train", None, "Train"),
        (2, "test", None, "Test"),
        (3, "dev", 6, "Dev_6"),
        (4, "test", 1, "Test_1"),
    ],
)
def test_the_lists(write, protocol, split, fold, file):
    folder = write(protocol=protocol, file=file)
    shown = read_oulu(folder, protocol, split, fold)
    place = f"{split.capitalize()}_files"
    assert shown.paths[0] == folder / place / "1_1_01_1.avi"
    assert [shown.kinds[k] for k in shown.kind] == ["live", "print", "print", "replay", "replay"]
    assert shown.live.tolist() == [True, False, False, False, False]
    assert shown.people.tolist() == [1, 1, 55, 20, 20]
    assert shown.conditions[2] == "phone 6, session 3"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("+1 1_1_01_1\n", "Train.txt:1: 1 words instead of 2"),
        ("2,1_1_01_1\n", "Train.txt:1: '2' is not"),
        ("0,1_1_01_1\n", "Train.txt:1: label 0 for file 1"),
        ("+1,1_1_01_2\n", "Train.txt:1: label 1 for file 2"),
        ("-1,1_1_01_1\n", "Train.txt:1: label -1 for file 1"),
        ("+1,7_1_01_1\n", "Train.txt:1: '7_1_01_1' is not phone_session_person_file"),
        ("+1,../1_1_01_1\n", "Train.txt:1: .* is not phone"),
        ("\n", "the list is empty"),
    ],
)
def test_hostile_lists(write, text, message):
    with pytest.raises(BadInput, match=message):
        read_oulu(write(text), 1, "train")


@pytest.mark.parametrize(
    ("protocol", "split", "fold"),
    [(5, "train", None), (1, "val", None), (1, "train", 1), (3, "train", None), (3, "train", 7)],
)
def test_there_is_no_such_list(write, protocol, split, fold):
    with pytest.raises(BadInput, match="OULU-NPU has no protocol"):
        read_oulu(write(), protocol, split, fold)


def test_absent(tmp_path):
    with pytest.raises(MissingFile, match="get it from its authors.*terms: non-commercial"):
        read_oulu(tmp_path, 1, "test")
