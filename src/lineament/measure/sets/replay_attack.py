"""Replay-Attack: printed and replayed faces of 50 people before a laptop's camera.

Layout: ``train``, ``devel`` and ``test``, each with ``real/client001_session01_webcam_authenticate_
adverse_1.mov`` and ``attack/fixed`` and ``attack/hand`` with
``attack_highdef_client001_session01_highdef_photo_adverse.mov``: the instrument (``print``,
``mobile``, ``highdef``), the person, the camera that took the sample, what it shows, the light.

Source: I. Chingovska, A. Anjos, S. Marcel, "On the effectiveness of local binary patterns in face
anti-spoofing", BIOSIG 2012, section 3.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from lineament.core.errors import BadInput
from lineament.measure.sets.nouns import Terms
from lineament.measure.sets.presentations import LIVE, Presentations

TERMS = Terms(
    name="Replay-Attack",
    where="Idiap, on request (idiap.ch/en/scientific-research/data/replayattack)",
    terms="non-commercial research, under Idiap's end-user licence agreement",
)
KINDS = (LIVE, "print", "mobile", "highdef")
SPLITS = ("train", "devel", "test")

_REAL = re.compile(
    r"client(?P<person>\d{3})_session\d\d_webcam_authenticate_(?P<light>adverse|controlled)_\d\.mov"
)
_ATTACK = re.compile(
    r"attack_(?P<kind>print|mobile|highdef)_client(?P<person>\d{3})_session\d\d_(highdef|mobile)_"
    r"(photo|video)_(?P<light>adverse|controlled)\.mov"
)


def read_replay_attack(folder: Path, split: str) -> Presentations:
    """Read one part of Replay-Attack, in order of paths. The conditions are light and support.

    Args:
        folder: holds ``train``, ``devel`` and ``test``.
        split: one of these.

    Raises:
        MissingFile: it is not there; the message says where to get it, and its terms.
        BadInput: a video's name does not follow the format, or there is no such part.
    """
    if split not in SPLITS:
        raise BadInput(f"{split!r} is none of {', '.join(SPLITS)}")
    paths, kinds, people, conditions = [], [], [], []
    for place, form in (("real", _REAL), ("attack/fixed", _ATTACK), ("attack/hand", _ATTACK)):
        videos = folder / split / place
        if not videos.is_dir():
            raise TERMS.missing(videos)
        for path in sorted(videos.glob("*.mov")):
            parts = form.fullmatch(path.name)
            if not parts:
                raise BadInput("not the name of a video of Replay-Attack", str(path))
            found = parts.groupdict()
            paths.append(path)
            kinds.append(KINDS.index(found.get("kind", LIVE)))
            people.append(int(found["person"]))
            conditions.append(f"{found['light']}, {place.rpartition('/')[2]}")
    if not paths:
        raise BadInput("no videos", str(folder / split))
    return Presentations(
        tuple(paths),
        np.asarray(kinds, np.int64),
        np.asarray(people, np.int64),
        tuple(conditions),
        KINDS,
    )
