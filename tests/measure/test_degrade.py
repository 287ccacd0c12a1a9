"""Degradations against other implementations, equations, and cases worked by hand."""

from __future__ import annotations

import io
from itertools import pairwise

import cv2
import numpy as np
import pytest
from PIL import Image as Pillow
from scipy.ndimage import gaussian_filter1d

from lineament.core.crops import ARCFACE_112
from lineament.core.errors import BadInput
from lineament.measure.degrade import light, occlude, optics, sensor, turn
from lineament.measure.degrade.suites import SUITES, suite

TEMPLATE = np.asarray(ARCFACE_112.points, np.float32)
SHAPES = (occlude.SUNGLASSES, occlude.MASK, occlude.HAND)


def points(n: int) -> np.ndarray:
    return np.repeat(TEMPLATE[None], n, axis=0)


def grey(value: int, n: int = 1, side: int = 112) -> np.ndarray:
    return np.full((n, side, side, 3), value, np.uint8)


@pytest.fixture(scope="module")
def natural() -> np.ndarray:
    """Six pictures whose amplitudes fall as one over the frequency, as those of photos do."""
    random = np.random.default_rng(7)
    fy, fx = np.fft.fftfreq(112)[:, None], np.fft.fftfreq(112)
    falling = 1 / np.maximum(np.hypot(fy, fx), 1 / 112)
    noise = np.fft.fft2(random.standard_normal((6, 3, 112, 112)))
    # Half of it common to the three channels: colour varies less than brightness.
    noise = noise + noise.mean(axis=1, keepdims=True) * 2
    field = np.fft.ifft2(noise * falling).real
    field = 128 + 40 * field / field.std(axis=(1, 2, 3), keepdims=True)
    return np.clip(np.rint(field), 0, 255).astype(np.uint8).transpose(0, 2, 3, 1).copy()


# --- optics


def test_all_pixels_left_is_the_picture_itself(natural):
    assert np.array_equal(optics.resolution(natural, 1.0), natural)


def test_a_fine_chequerboard_seen_with_half_the_pixels_is_flat():
    board = np.indices((112, 112)).sum(axis=0) % 2 * 200
    pixels = np.repeat(board[None, :, :, None], 3, axis=3).astype(np.uint8)
    assert np.all(optics.resolution(pixels, 0.5) == 100)


def test_down_is_the_mean_over_areas(natural):
    """Seen with an eighth of the pixels, and again through OpenCV's area mean and Pillow's way
    up."""
    seen = optics.resolution(natural, 1 / 8)
    for picture, got in zip(natural, seen, strict=True):
        small = cv2.resize(picture, (14, 14), interpolation=cv2.INTER_AREA)
        up = Pillow.fromarray(small).resize((112, 112), Pillow.Resampling.BICUBIC)
        apart = np.abs(got.astype(int) - np.asarray(up))
        assert apart.max() <= 3  # three roundings on the way, and the cubic overshoots
        assert apart.mean() < 0.5


@pytest.mark.parametrize(
    "degrade",
    [
        lambda p: optics.resolution(p, 0.25),
        lambda p: optics.gaussian_blur(p, 4.0),
        lambda p: optics.motion_blur(p, 9.0, 45.0),
    ],
    ids=["resolution", "gaussian", "motion"],
)
def test_optics_keep_the_mean(natural, degrade):
    before, after = (p.astype(float).mean(axis=(1, 2, 3)) for p in (natural, degrade(natural)))
    assert np.abs(after - before).max() < 0.5
    assert np.all(degrade(grey(77)) == 77)


@pytest.mark.parametrize("sigma", [0.4, 1.0, 2.5, 6.0, 40.0])
def test_gaussian_blur_is_scipys(natural, sigma):
    pixels = natural[:, :70, :41]
    wanted = gaussian_filter1d(pixels.astype(float), sigma, axis=1, mode="reflect")
    wanted = gaussian_filter1d(wanted, sigma, axis=2, mode="reflect")
    assert np.abs(optics.gaussian_blur(pixels, sigma) - wanted).max() <= 0.5 + 1e-3


@pytest.mark.parametrize("length", [3, 5, 9])
def test_motion_blur_is_the_mean_along_the_way(natural, length):
    across = optics.motion_blur(natural, length)
    down = optics.motion_blur(natural, length, 90)
    for picture, one, other in zip(natural.astype(np.float32), across, down, strict=True):
        wide = cv2.blur(picture, (length, 1), borderType=cv2.BORDER_REFLECT)
        high = cv2.blur(picture, (1, length), borderType=cv2.BORDER_REFLECT)
        assert np.abs(one - wide).max() <= 0.51
        assert np.abs(other - high).max() <= 0.51


def test_a_way_by_hand():
    assert np.array_equal(optics.motion_kernel(1, 30), [[1]])
    half = optics.motion_kernel(2, 0)  # half a pixel to each side, one in the middle
    assert np.allclose(half, [[0, 0, 0], [0.25, 0.5, 0.25], [0, 0, 0]])
    rising = optics.motion_kernel(9, 45)
    assert np.all(rising[~np.eye(len(rising), dtype=bool)[::-1]] == 0)
    assert rising.sum() == pytest.approx(1)


# --- sensor


@pytest.mark.parametrize("sigma", [2.0, 8.0, 20.0])
def test_noise_has_the_strength_asked_for(sigma):
    noisy = sensor.gaussian_noise(grey(128, 20), sigma, seed=3).astype(float)
    # Rounding to whole levels adds the variance of an even spread over one level.
    assert noisy.std() == pytest.approx((sigma**2 + 1 / 12) ** 0.5, rel=0.01)
    assert noisy.mean() == pytest.approx(128, abs=0.1)
    channels = np.corrcoef(noisy.reshape(-1, 3).T)
    assert np.abs(channels - np.eye(3)).max() < 0.01


def decoded(pixels: np.ndarray) -> np.ndarray:
    """IEC 61966-2-1, value by value."""
    v = pixels / 255
    return np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4)


@pytest.mark.parametrize(("electrons", "read_noise"), [(3000, 0), (1000, 3), (500, 10)])
def test_low_light_has_the_variance_of_counts_and_reading(electrons, read_noise):
    level = 150
    bright = decoded(sensor.low_light(grey(level, 20), electrons, 5, read_noise))
    share = float(decoded(np.asarray(level)))
    assert bright.mean() == pytest.approx(share, rel=0.005)
    variance = share / electrons + (read_noise / electrons) ** 2
    assert bright.var() == pytest.approx(variance, rel=0.05)


def test_much_light_changes_nothing(natural):
    assert np.array_equal(sensor.low_light(natural, 1e9), natural)


@pytest.mark.parametrize("quality", [2, 30, 95])
def test_jpeg_is_pillows(natural, quality):
    for picture, got in zip(natural, sensor.jpeg(natural, quality), strict=True):
        file = io.BytesIO()
        Pillow.fromarray(picture).save(file, format="jpeg", quality=quality, subsampling=2)
        assert np.array_equal(got, np.asarray(Pillow.open(io.BytesIO(file.getvalue()))))


# --- light


def test_gamma_by_hand():
    # 255 (51 / 255)^2 = 255 / 25 = 10.2; the root of a quarter of white is half of white.
    assert np.all(light.gamma(grey(51), 2) == 10)
    assert np.all(light.gamma(grey(64), 0.5) == round(255 * (64 / 255) ** 0.5))
    for end in (0, 255):
        assert np.all(light.gamma(grey(end), 3) == end)


def test_side_light_falls_by_its_stops_from_eye_to_eye():
    eyes = points(40)
    eyes[:, 0], eyes[:, 1] = (30, 50), (70, 50)
    lit = decoded(light.side_light(grey(255, 40), eyes, 2.0, seed=1))[..., 0]
    right = lit[:, 50, 30] > lit[:, 50, 70]
    assert 5 < right.sum() < 35  # either eye may be the lit one
    lit[right] = lit[right, :, ::-1]  # the lit eye now stands at 41 or 70, 40 from the other
    bright, dark = np.where(right, 81, 70), np.where(right, 41, 30)
    rows = np.arange(40)
    assert np.all(lit[rows, 50, bright] == 1)
    assert np.all(lit[rows, 10, bright + 20] == 1)
    assert lit[rows, 50, dark] == pytest.approx(0.25, rel=0.02)
    assert lit[rows, 100, dark + 20] == pytest.approx(0.5, rel=0.02)


# --- occlusion


@pytest.mark.parametrize("shape", SHAPES, ids=lambda s: s.name)
@pytest.mark.parametrize("share", [0.03, 0.1, 0.25, 0.4, 1.0])
def test_the_share_covered_is_that_of_pixels_changed(shape, share):
    ground = grey(255, 12)
    ground[..., 1] = 0  # magenta, which nothing is drawn in
    drawn = occlude.occlude(ground, points(12), shape, share, seed=2)
    changed = (drawn != ground).any(axis=3).sum(axis=(1, 2))
    assert np.all(changed >= round(share * 112**2))
    assert np.all(changed <= (share + 0.01) * 112**2)  # a row along an edge goes together
    for picture, before in zip(drawn, ground, strict=True):
        colours = np.unique(picture[(picture != before).any(axis=2)], axis=0)
        assert len(colours) == 1
        assert tuple(colours[0].tolist()) in shape.colours


def test_shapes_lie_where_they_belong():
    right_eye, left_eye, nose, *mouth = ((round(y), round(x)) for x, y in TEMPLATE.tolist())
    glasses = occlude.area(points(1), (112, 112), occlude.SUNGLASSES, 0.06)[0]
    mask = occlude.area(points(1), (112, 112), occlude.MASK, 0.3)[0]
    assert all(glasses[p] for p in (right_eye, left_eye))
    assert not any(glasses[p] for p in (nose, *mouth))
    assert all(mask[p] for p in (nose, *mouth))
    assert not any(mask[p] for p in (right_eye, left_eye))
    hands = occlude.area(points(60), (112, 112), occlude.HAND, 0.1)
    assert len(np.unique(hands.reshape(60, -1), axis=0)) == 60
    assert hands[:, 60:].sum() > 2 * hands[:, :52].sum()  # the lower half of the face


def test_a_harder_shape_holds_the_milder_one():
    for shape in SHAPES:
        ladder = [occlude.area(points(5), (112, 112), shape, s, 4) for s in (0.05, 0.1, 0.2, 0.4)]
        for mild, hard in pairwise(ladder):
            assert not (mild & ~hard).any()


@pytest.mark.parametrize("shape", SHAPES, ids=lambda s: s.name)
def test_a_shape_goes_with_the_face(shape):
    """On a face turned a quarter and twice as large, the shape is turned and four times as
    large."""
    there = occlude.area(points(3), (112, 112), shape, 0.15, 9)
    twice = TEMPLATE * 2 + 0.5  # each pixel becomes the 2 x 2 whose middle is there
    turned = np.stack([twice[:, 1], 223 - twice[:, 0]], axis=1)
    large = occlude.area(np.stack([turned] * 3), (224, 224), shape, 0.15, 9)
    wanted = np.rot90(there.repeat(2, axis=1).repeat(2, axis=2), axes=(1, 2))
    assert (large != wanted).mean() < 0.01  # only along the edges
    assert large.sum() == pytest.approx(wanted.sum(), rel=0.02)


# --- rotation


def test_quarter_turns_are_numpys(natural):
    for quarters in (0, 1, 2, 3, 4):
        wanted = np.rot90(natural, quarters, axes=(1, 2))
        assert np.array_equal(turn.rotation(natural, 90 * quarters), wanted)
    wide = natural[:, :60]
    assert np.array_equal(turn.rotation(wide, 90, expand=True), np.rot90(wide, axes=(1, 2)))


def test_a_turn_moves_a_spot_counter_clockwise():
    pixels = grey(0, side=101)
    pixels[0, 48:53, 88:93] = 255  # 40 to the right of the middle
    y, x = np.argwhere(turn.rotation(pixels, 30.0)[0, ..., 0] > 128).mean(axis=0)
    assert (x, y) == pytest.approx((50 + 40 * np.cos(np.pi / 6), 50 - 20), abs=0.5)


def test_expanding_cuts_nothing_off():
    pixels = grey(200, side=100)
    turned = turn.rotation(pixels, 45.0, expand=True)
    assert turned.shape[1] == pytest.approx(100 * 2**0.5, abs=2)
    assert turned.astype(float).sum() == pytest.approx(pixels.astype(float).sum(), rel=0.02)
    assert turn.rotation(pixels, 45.0).astype(float).sum() < 0.9 * pixels.astype(float).sum()


# --- every suite


@pytest.mark.parametrize("each", SUITES, ids=lambda s: s.name)
def test_worse_is_worse(natural, each):
    before = natural.copy()
    errors = []
    for level in each.levels:
        after = each(natural, points(6), level, 0)
        assert after.shape == natural.shape
        assert after.dtype == np.uint8
        errors.append(float(((after.astype(float) - natural) ** 2).mean()))
    assert errors[0] > 0
    assert errors == sorted(set(errors))
    assert np.array_equal(natural, before)  # what was handed in is not written to


@pytest.mark.parametrize("each", SUITES, ids=lambda s: s.name)
def test_the_same_seed_gives_the_same_bytes(natural, each):
    level = each.levels[2]
    first = each(natural, points(6), level, 11)
    assert np.array_equal(first, each(natural, points(6), level, 11))
    assert np.array_equal(first[:2], each(natural[:2], points(2), level, 11))
    assert each(natural[:0], points(0), level, 11).shape == (0, 112, 112, 3)


@pytest.mark.parametrize("each", SUITES, ids=lambda s: s.name)
def test_the_clean_level_changes_nothing(natural, each):
    if each.clean is not None:
        assert np.array_equal(each(natural, points(6), each.clean, 1), natural)
    else:  # no finite number of electrons and no quality is quite clean
        assert each.name in ("low light", "jpeg")


@pytest.mark.parametrize(
    "name", ["gaussian noise", "low light", "hand", "side light", "motion blur", "mask"]
)
def test_another_seed_gives_other_bytes(natural, name):
    each = suite(name)
    one, other = (each(natural, points(6), each.levels[2], seed) for seed in (0, 1))
    assert not np.array_equal(one, other)


def test_names_are_told_apart_and_found():
    assert len({each.name for each in SUITES}) == len(SUITES)
    assert suite("resolution").label(28) == "resolution 28 px"
    with pytest.raises(BadInput, match="no suite 'fog'; there are resolution, "):
        suite("fog")


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -1.0])
def test_impossible_severities_are_refused(bad):
    pixels = grey(100)
    for call in (
        lambda: optics.resolution(pixels, bad),
        lambda: optics.gaussian_blur(pixels, bad),
        lambda: optics.motion_blur(pixels, bad),
        lambda: sensor.gaussian_noise(pixels, bad),
        lambda: sensor.low_light(pixels, bad),
        lambda: light.gamma(pixels, bad),
        lambda: light.side_light(pixels, points(1), bad),
        lambda: occlude.occlude(pixels, points(1), occlude.MASK, bad),
        lambda: turn.rotation(pixels, bad * 1e9),
    ):
        with pytest.raises(BadInput, match="lies in"):
            call()
    with pytest.raises(BadInput, match="quality lies in 1 to 100; got 0"):
        sensor.jpeg(pixels, 0)
    with pytest.raises(BadInput, match="pixels left"):
        optics.resolution(pixels, 0.0)
