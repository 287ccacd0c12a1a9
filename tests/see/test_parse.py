"""Face parsers: their frames against geometry, their networks against the runtimes of origin."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from lineament.core.cards import methods
from lineament.core.errors import LicenceNotAccepted, WeightError
from lineament.core.faces import Faces
from lineament.core.geometry import transform_points
from lineament.core.image import Image
from lineament.core.landmarks import Landmarks
from lineament.core.media import read_image
from lineament.core.protocols import Describer
from lineament.core.torch_file import read_state_dict
from lineament.core.weights import fetch
from lineament.see.detect.yunet import YuNet
from lineament.see.parse import bisenet, bisenet_graph
from lineament.see.parse.bisenet import BiSeNet
from lineament.see.parse.network import Parser, continued, frames
from lineament.see.parse.selfie_multiclass import SelfieMulticlass

FACE = np.asarray([[100, 100], [140, 100], [120, 120], [105, 145], [135, 145]], np.float32)
"""Eyes 40 apart, the mouth 45 below: the frame's half side is 81 about (120, 104.5)."""


@pytest.fixture(scope="module", autouse=True)
def _research():
    """Tests are research: the terms of research-only weights are accepted for them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LINEAMENT_ACCEPT_RESEARCH", "1")
        yield


@pytest.fixture(scope="module")
def portrait(album: Path) -> Image:
    return read_image(album / "IMG_0001.jpg")


@pytest.fixture(scope="module")
def parsers() -> dict[str, Parser]:
    return {"bisenet": BiSeNet(threads=1), "selfie-multiclass": SelfieMulticlass(threads=1)}


# ---- frames


def test_a_frame_worked_by_hand():
    """Karras et al., appendix C: c = e - 0.1 y', s = max(4 |x'|, 3.6 |y'|)."""
    (matrix,) = frames(FACE[None], 512)
    assert matrix[:, :2] == pytest.approx(np.eye(2) * 512 / 162)
    assert transform_points(matrix, np.asarray([[120, 104.5]])) == pytest.approx(255.5)
    wide = FACE.copy()
    wide[:, 0] = (wide[:, 0] - 120) * 1.5 + 120  # eyes 60 apart: 4 * 60 is now the larger
    assert frames(wide[None], 512)[0, 0, 0] == pytest.approx(512 / 240)
    assert frames(FACE[None], 512, 2.0)[0, 0, 0] == pytest.approx(256 / 162)


@pytest.mark.parametrize("degrees", [0, 35, 90, 180, 270])
def test_a_frame_stands_on_its_face_however_the_picture_is_turned(degrees):
    t = np.deg2rad(degrees)
    turn = np.asarray([(np.cos(t), -np.sin(t)), (np.sin(t), np.cos(t))])
    turned = (FACE @ turn.T * 1.7 + (300, 40)).astype(np.float32)
    still, moved = frames(np.stack([FACE, turned]), 256)
    np.testing.assert_allclose(
        transform_points(moved, turned), transform_points(still, FACE), atol=0.01
    )


def test_points_that_coincide_still_have_a_frame():
    (matrix,) = frames(np.full((1, 5, 2), 7, np.float32), 64)
    assert np.isfinite(matrix).all()
    assert np.linalg.det(matrix[:, :2]) > 0


def test_beyond_the_picture_its_edge_goes_on_or_it_is_mirrored():
    ramp = np.tile(np.arange(40, dtype=np.uint8) * 5, (40, 1))
    image = Image(np.stack([ramp] * 3, axis=2))
    matrix = np.asarray([[1, 0, 20], [0, 1, 20]], np.float32)  # a frame of 80 around it
    frame = np.zeros((80, 80, 3), np.uint8)
    frame[20:60, 20:60] = image.pixels
    edge = continued(frame, image, matrix, mirror=False)
    mirrored = continued(frame, image, matrix, mirror=True)
    for filled in (edge, mirrored):
        assert (filled[20:60, 20:60] == image.pixels).all()
        assert (np.abs(filled.astype(int) - filled[30]) <= 15).all()  # the ramp has no rows
    # Sampling fades over the outermost pixels, so what goes on is up to two pixels within them.
    at = np.arange(80) - 20
    assert (np.abs(edge[30, :, 0] / 5 - np.clip(at, 0, 39)) <= 2).all()
    assert (np.abs(mirrored[30, :, 0] / 5 - np.abs(39 - np.abs(39 - np.abs(at)))) <= 4).all()
    whole = np.full((4, 4, 3), 9, np.uint8)
    assert continued(whole, image, np.eye(2, 3, dtype=np.float32), mirror=True) is whole


# ---- the networks, against the runtimes that they come from

TORCH_LABELS = """
aaaaaaaaaaaaaaaaaaaaa
aaaaaaaaaaaaaaaaaaaaa
aaaaaaarrrrraaaaaaaaa
aaaaarrrrrrrrraaaaaaa
aaaaarrrrrrrrrraaaaaa
aaaaarrrbbbbbrraaaaaa
aaaaarrbbbbbbbrraaaaa
aaaarrrbbbbbbbrraaaaa
aaaarrbbbbbbbbrraaaaa
aaaarrbbbbbbbbbraaaaa
aaaahrbbbbkbbbbiaaaaa
aaaaarbbbbkkbbbiaaaaa
aaaaarbbbkkkbbbiaaaaa
aaaaahbbbbbbbbbaaaaaa
aaaaabbbbmmmbbbaaaaaa
aaaaaabbbbbbbbbaaaaaa
aaaaaaobbbbbbbqqqqaaa
aaaaaaoobbbbbooqqqqaa
aaaaaaaaaaaoooqqqqaaa
aaaaaaaaaaaaaaaqqqaaa
aaaaaaaaaaaaaaaaaaaaa
""".split()
"""Every 24th pixel of what PyTorch 2.13 answers with the authors' model.py and these weights, class
0 as a, for the album's first picture (384 x 384) in the middle of 512 x 512 black."""
TORCH_COUNTS = [160534, 52620, 858, 873, 276, 278, 0, 1777, 657, 0, 3747, 0, 779, 1083, 3356, 0]
LITERT_LABELS = """
bbbdddddddddbbba
bbdddddddddddbbb
bbddddddddddddbb
bbddddddddddddbb
bbddddddddddddbb
bbddddddddddddbb
bdddddddddddddbb
bdddddddddddddba
bdddddddddddddda
dddddddddddddddd
ddddddddddddddda
dddddddddddddddd
ddddddddddddddda
ddddddddddddddda
ddddddddddddddda
ddddddddddddddea
""".split()
"""Every 16th pixel of what LiteRT 2.3 answers for the middle 256 x 256 of the same picture."""


def letters(labels: np.ndarray, start: int, step: int) -> list[str]:
    return ["".join(chr(ord("a") + k) for k in row) for row in labels[start::step, start::step]]


def differing(found: Sequence[str], expected: Sequence[str]) -> int:
    return sum(a != b for a, b in zip("".join(found), "".join(expected), strict=True))


def test_bisenet_answers_as_in_pytorch(parsers, portrait):
    pixels = np.zeros((1, 512, 512, 3), np.uint8)
    pixels[0, 64:448, 64:448] = portrait.pixels
    labels = parsers["bisenet"]._session.run(pixels)[0][0]
    # Decoders of JPEG differ by a level here and there, which may move an edge by a pixel.
    assert differing(letters(labels, 16, 24), TORCH_LABELS) <= 2
    counts = np.bincount(labels.ravel(), minlength=19)[: len(TORCH_COUNTS)]
    np.testing.assert_allclose(counts, TORCH_COUNTS, atol=60)


def test_selfie_multiclass_answers_as_on_litert(parsers, portrait):
    middle = portrait.pixels[None, 64:320, 64:320]
    assert (
        differing(letters(parsers["selfie-multiclass"]._label(middle)[0], 8, 16), LITERT_LABELS)
        <= 2
    )


# ---- the whole method


@pytest.mark.parametrize("slug", ["bisenet", "selfie-multiclass"])
def test_a_face_is_cut_into_parts_where_its_points_are(slug, parsers, portrait):
    parser = parsers[slug]
    found = YuNet(threads=1)([portrait])
    before = parser.seconds
    (fields,) = parser([portrait], found)
    assert parser.seconds > before
    assert isinstance(parser, Describer)
    assert set(fields) == set(methods()[slug].card.gives) == {"parsing"}
    masks = fields["parsing"]
    picture = masks.label_map(0, portrait.width, portrait.height)
    at = np.rint(found[0].keypoints.points[0]).astype(int)
    classes = [masks.names[picture[y, x]] for x, y in at]
    if slug == "bisenet":
        assert classes[:3] == ["right_eye", "left_eye", "nose"]
        ears = {name: np.nonzero(masks.mask(name)[0])[1] for name in ("right_ear", "left_ear")}
        assert ears["right_ear"].max() < ears["left_ear"].min()
    else:
        assert classes == ["face_skin"] * 5
    hair = picture == masks.names.index("hair")
    assert 0.05 < hair.mean() < 0.4
    assert np.nonzero(hair)[0].mean() < at[:2, 1].mean()  # above the eyes
    assert masks.area().values.sum() == pytest.approx(1)


@pytest.mark.parametrize("slug", ["bisenet", "selfie-multiclass"])
def test_batches_pictures_and_nobody(slug, parsers, portrait):
    parser = parsers[slug]
    found = YuNet(threads=1)([portrait])[0]
    many = found[np.zeros(5, np.int64)]  # one more than a batch
    nobody = Faces(np.empty((0, 4), np.float32), keypoints=found.keypoints[:0])
    answers = parser([portrait, portrait, portrait], [nobody, many, found])
    assert [len(answer["parsing"]) for answer in answers] == [0, 5, 1]
    assert answers[0]["parsing"].names == parser.names
    for row in range(5):
        same = answers[1]["parsing"].labels[row] == answers[2]["parsing"].labels[0]
        assert same.mean() > 0.9999  # larger batches may round otherwise
    alone = parser([portrait], [nobody])[0]["parsing"]
    assert alone.labels.shape == (0, parser.side, parser.side)
    assert parser([], []) == []


def test_a_turned_picture_is_cut_alike(parsers, portrait):
    found = YuNet(threads=1)([portrait])[0]
    x, y = np.moveaxis(found.keypoints.points, -1, 0)
    turned = Image(np.ascontiguousarray(np.rot90(portrait.pixels)))
    points = np.stack([y, portrait.width - 1 - x], axis=-1)
    there = Faces(found.boxes, keypoints=Landmarks(points, "5"))
    for parser in parsers.values():
        upright, lying = parser([portrait, turned], [found, there])
        same = upright["parsing"].labels == lying["parsing"].labels
        assert same.mean() > 0.99


# ---- weights


def test_bisenets_terms_have_to_be_accepted(monkeypatch, tmp_path):
    monkeypatch.setenv("LINEAMENT_ACCEPT_RESEARCH", "")
    monkeypatch.setenv("LINEAMENT_HOME", str(tmp_path))
    with pytest.raises(LicenceNotAccepted, match="bisenet-celebamask"):
        BiSeNet()


@pytest.fixture(scope="module")
def state():
    return read_state_dict(fetch(bisenet.CARD.weights[0]))


def without(state, name):
    return {key: value for key, value in state.items() if key != name}


def test_another_networks_weights_are_refused(state):
    filters, norm = "cp.arm16.conv_atten.weight", "cp.arm16.conv.bn.running_var"
    for broken in (
        {},
        without(state, filters),
        {**state, filters: state[filters].astype(np.float64)},
        {**state, filters: {}},
        {**state, filters: state[filters][:, 0, 0, 0]},
        {**state, filters: state[filters][:, :5].copy()},
        {**state, norm: state[norm][:5]},
        {**state, norm: np.full_like(state[norm], -1)},
    ):
        with pytest.raises(WeightError) as caught:
            bisenet_graph.to_onnx(broken)
        assert "\n" not in str(caught.value)
