"""Replay-Attack's folders and names."""

from __future__ import annotations

import pytest

from lineament.core.errors import BadInput, MissingFile
from lineament.measure.sets.replay_attack import read_replay_attack

NAMES = {
    "real": ["client009_session01_webcam_authenticate_adverse_1.mov"],
    "attack/fixed": [
        "attack_highdef_client009_session01_highdef_photo_adverse.mov",
        "attack_print_client011_session01_highdef_photo_controlled.mov",
    ],
    "attack/hand": ["attack_mobile_client011_session01_mobile_video_controlled.mov"],
}


@pytest.fixture
def folder(tmp_path):
    for place, names in NAMES.items():
        (tmp_path / "test" / place).mkdir(parents=True)
        for name in names:
            (tmp_path / "test" / place / name).touch()
    return tmp_path


def test_a_folder(folder):
    shown = read_replay_attack(folder, "test")
    assert shown.paths == tuple(
        folder / "test" / place / name for place, names in NAMES.items() for name in names
    )
    assert [shown.kinds[k] for k in shown.kind] == ["live", "highdef", "print", "mobile"]
    assert shown.live.tolist() == [True, False, False, False]
    assert shown.people.tolist() == [9, 9, 11, 11]
    assert shown.conditions == (
        "adverse, real",
        "adverse, fixed",
        "controlled, fixed",
        "controlled, hand",
    )


@pytest.mark.parametrize(
    ("place", "name"), [("real", NAMES["attack/hand"][0]), ("attack/hand", "client1.mov")]
)
def test_other_names_are_refused(folder, place, name):
    (folder / "test" / place / name).touch()
    with pytest.raises(BadInput, match="not the name of a video of Replay-Attack"):
        read_replay_attack(folder, "test")


def test_absent(folder):
    with pytest.raises(MissingFile, match="get it from Idiap.*terms: non-commercial"):
        read_replay_attack(folder, "devel")
    with pytest.raises(BadInput, match="none of train, devel, test"):
        read_replay_attack(folder, "dev")
    for path in folder.rglob("*.mov"):
        path.unlink()
    with pytest.raises(BadInput, match="no videos"):
        read_replay_attack(folder, "test")
