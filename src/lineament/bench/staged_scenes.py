"""What happens in staged videos: each scene is something that makes trackers lose people.

Three people of a cast are drawn for each; where they stand, how tall they are and when things
happen hang on the seed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from lineament.bench.staged import SIZE, Actor, Course, Place, Play, Portrait, Shot, glide

SECONDS = 5.0
PERIOD = 0.08
"""Seconds from frame to frame, where a scene says nothing else."""
Portraits = Sequence[Sequence[Portrait]]
"""Of each person of a cast."""
People = Sequence[int]


def plays(cast: Portraits, seed: int) -> dict[str, Play]:
    """One play of each scene, by name."""
    made = {}
    for number, (name, scene) in enumerate(SCENES.items()):
        rng = np.random.default_rng([seed, number])
        people = rng.choice(len(cast), 3, replace=False).tolist()
        made[name] = scene(rng, cast, people)
    return made


def _shot(
    rng: np.random.Generator,
    cast: Portraits,
    people: People,
    courses: Sequence[Course],
    start: float = 0.0,
    **more,
) -> Shot:
    actors = [Actor(p, cast[p], course) for p, course in zip(people, courses, strict=True)]
    return Shot(start, actors, int(rng.integers(2**31)), **more)


def _play(*shots: Shot, times: Sequence[float] | None = None) -> Play:
    even = np.arange(0, SECONDS, PERIOD).round(3).tolist()
    return Play(shots, even if times is None else times)


def _height(rng: np.random.Generator) -> float:
    return float(rng.uniform(75, 125))


def _stay(rng: np.random.Generator, x: float, y: float) -> Course:
    """About one place, slowly."""
    reach = rng.uniform(10, 30, 2)
    pace, phase = rng.uniform(0.8, 2.0, 2), rng.uniform(0, 2 * np.pi, 2)
    height = _height(rng)

    def at(seconds: float) -> Place:
        dx, dy = reach * np.sin(pace * seconds + phase)
        return Place(x + dx, y + dy, height)

    return at


def _pass(rng: np.random.Generator, *, to_right: bool) -> Course:
    """From one side to the other."""
    y = rng.uniform(150, 210)
    ends = (rng.uniform(70, 110), SIZE[0] - rng.uniform(70, 110))
    start, end = ends if to_right else ends[::-1]
    height = _height(rng)
    return glide((0, Place(start, y, height)), (SECONDS, Place(end, y, height)))


def _three(rng: np.random.Generator) -> list[Course]:
    """Two who pass each other, and one who stays where they pass."""
    third = _stay(rng, rng.uniform(200, 440), rng.uniform(150, 220))
    return [third, _pass(rng, to_right=True), _pass(rng, to_right=False)]


def crossing(rng: np.random.Generator, cast: Portraits, people: People) -> Play:
    """They pass in front of each other."""
    return _play(_shot(rng, cast, people, _three(rng)))


def turning_back(rng: np.random.Generator, cast: Portraits, people: People) -> Play:
    """Two meet, the one hides the other, and each goes back to where they came from."""
    y, middle = rng.uniform(160, 200), rng.uniform(280, 360)
    meet, part = rng.uniform(1.6, 2.0), rng.uniform(2.4, 3.0)
    courses: list[Course] = [_stay(rng, rng.uniform(80, 560), 80)]
    for side in (90, SIZE[0] - 90):
        height = _height(rng)
        home, there = Place(side, y, height), Place(middle, y, height)
        courses.append(glide((0, home), (meet, there), (part, there), (SECONDS, home)))
    return _play(_shot(rng, cast, people, courses))


def behind_a_post(rng: np.random.Generator, cast: Portraits, people: People) -> Play:
    """One goes behind a post and comes out where they went in; another comes out at the far side,
    where the first would have been."""
    y = rng.uniform(140, 220)
    left, right = rng.uniform(190, 220), rng.uniform(400, 430)
    middle = (left + right) / 2
    first, second = _height(rng), _height(rng)
    out = glide(
        (0, Place(70, y, first)),
        (1.6, Place(middle, y, first)),
        (3.2, Place(middle, y, first)),
        (SECONDS, Place(70, y, first)),
    )
    across = glide(
        (1.0, Place(middle, y, second)),
        (1.8, Place(middle, y, second)),
        (4.0, Place(560, y, second)),
        (SECONDS, Place(540, y, second)),
    )
    aside = _stay(rng, 570, 90)
    posts = [(round(left), round(right))]
    return _play(_shot(rng, cast, people, [aside, out, across], posts=posts))


def coming_back(rng: np.random.Generator, cast: Portraits, people: People) -> Play:
    """One leaves at the right; another comes in there; the first comes back from the left."""
    y, leaves = rng.uniform(140, 220), rng.uniform(1.2, 1.6)
    first, second = _height(rng), _height(rng)
    gone = Place(SIZE[0] + 100, y, first)
    away = glide((0, Place(330, y, first)), (leaves, gone))
    back = glide((leaves + 1.6, Place(-100, y, first)), (SECONDS, Place(260, y, first)))
    enters = glide((leaves + 0.2, Place(SIZE[0] + 100, y, second)), (4.5, Place(400, y, second)))
    stays = _stay(rng, 120, 100)
    return _play(_shot(rng, cast, people, [stays, lambda s: away(s) or back(s), enters]))


def near_and_far(rng: np.random.Generator, cast: Portraits, people: People) -> Play:
    """They come near and go away, passing each other."""
    courses: list[Course] = []
    for x, near in ((150, 2.0), (320, 3.2), (490, 1.2)):
        small, large = rng.uniform(32, 45), rng.uniform(140, 190)
        shift = rng.uniform(-120, 120)
        courses.append(
            glide(
                (0, Place(x, 170, small)),
                (near, Place(x + shift, 190, large)),
                (SECONDS, Place(x - shift, 160, small)),
            )
        )
    return _play(_shot(rng, cast, people, courses))


def shaken(rng: np.random.Generator, cast: Portraits, people: People) -> Play:
    """The camera is shaken by up to half a face."""
    paces, phases = rng.uniform(12, 25, (2, 2)), rng.uniform(0, 2 * np.pi, (2, 2))

    def camera(seconds: float) -> tuple[float, float]:
        dx, dy = 20 * np.sin(paces * seconds + phases).sum(axis=0)
        return float(dx), float(dy)

    return _play(_shot(rng, cast, people, _three(rng), camera=camera))


def blurred(rng: np.random.Generator, cast: Portraits, people: People) -> Play:
    """Focus is lost and found again, twice."""
    worst = rng.uniform(4, 6)

    def blur(seconds: float) -> float:
        return float(worst * np.sin(2 * np.pi * seconds / SECONDS) ** 2)

    return _play(_shot(rng, cast, people, _three(rng), blur=blur))


def uneven(rng: np.random.Generator, cast: Portraits, people: People) -> Play:
    """A frame follows the last one after 20 to 200 ms."""
    times = np.cumsum(rng.uniform(0.02, 0.2, 200)).round(3)
    times = [0.0, *times[times < SECONDS].tolist()]
    return _play(_shot(rng, cast, people, _three(rng)), times=times)


def dropped(rng: np.random.Generator, cast: Portraits, people: People) -> Play:
    """Four times nothing is recorded for 0.4 to 0.8 s."""
    starts = np.asarray([0.6, 1.7, 2.8, 3.9]) + rng.uniform(0, 0.3, 4)
    ends = starts + rng.uniform(0.4, 0.8, 4)
    even = np.arange(0, SECONDS, PERIOD).round(3)
    lost = ((even[:, None] >= starts) & (even[:, None] < ends)).any(axis=1)
    return _play(_shot(rng, cast, people, _three(rng)), times=even[~lost].tolist())


def cuts(rng: np.random.Generator, cast: Portraits, people: People) -> Play:
    """Three shots of the same people; they change places from one to the next."""
    shots = []
    for start in (0.0, 1.7, 3.4):
        order = rng.permutation(3)
        courses = [_stay(rng, (130, 320, 510)[place], rng.uniform(140, 220)) for place in order]
        shots.append(_shot(rng, cast, people, courses, start))
    return _play(*shots)


SCENES: dict[str, Callable[[np.random.Generator, Portraits, People], Play]] = {
    "crossing": crossing,
    "turning back": turning_back,
    "behind a post": behind_a_post,
    "coming back": coming_back,
    "near and far": near_and_far,
    "shaken camera": shaken,
    "out of focus": blurred,
    "uneven frame rate": uneven,
    "dropped frames": dropped,
    "cuts": cuts,
}
