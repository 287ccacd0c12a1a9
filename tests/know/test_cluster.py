"""People from faces: against a plain reference, under decisions, in any order, on real faces."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineament.core.errors import BadInput
from lineament.core.verdict import Calibration
from lineament.know.cluster import ClusterConfig, cluster, false_match_rate_for, threshold_for
from lineament.know.graph import neighbour_graph
from lineament.know.linkage import Groups, agglomerate
from lineament.measure.clustering import bcubed

EVERYONE = ClusterConfig(neighbours=10_000, reach=2.0)
"""All pairs are candidates, as in the reference."""


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


def faces_of(people: np.ndarray, seed: int, noise: float = 0.7, dimension: int = 64) -> np.ndarray:
    """Vectors of faces; two of one person have a cosine of about 1 / (1 + noise^2)."""
    random = np.random.default_rng(seed)
    persons = unit(random.standard_normal((int(people.max()) + 1, dimension)))
    own = unit(random.standard_normal((len(people), dimension)))
    return unit(persons[people] + noise * own)


def apart(n: int) -> np.ndarray:
    """Each face in a photo of its own."""
    return np.arange(n)


def partition(labels: np.ndarray) -> set[frozenset[int]]:
    return {frozenset(np.flatnonzero(labels == label).tolist()) for label in np.unique(labels)}


def random_album(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Vectors and photos: hard enough that thresholds and photos matter."""
    random = np.random.default_rng(seed)
    people = random.integers(0, random.integers(2, 12), random.integers(2, 45))
    return faces_of(people, seed, noise=1.0), random.integers(0, 25, len(people))


# The method by definition


def plain_linkage(a: np.ndarray, b: np.ndarray) -> float:
    """Geometric mean of the mean cosine of all pairs and of the cosine of the sums."""
    average = np.mean([x @ y for x in a for y in b])
    centroid = unit(a.sum(axis=0)) @ unit(b.sum(axis=0))
    return float(np.sign(average) * np.sqrt(max(average * centroid, 0)))


def plain_cluster(vectors: np.ndarray, photos: np.ndarray, threshold: float) -> set[frozenset[int]]:
    """Centre, then merge mutually best groups in rounds: slow, from the definitions."""
    order = sorted(range(len(vectors)), key=lambda i: (vectors[i].tobytes(), photos[i]))
    near = vectors.astype(np.float64) @ vectors.T >= threshold
    shares = 1 / near.sum(axis=1)
    mean = sum(s * v for s, v in zip(shares, vectors, strict=True)) / (shares.sum() + 30)
    level = mean @ mean
    threshold = (threshold - level) / (1 - level)
    centred = unit(vectors - mean)
    groups = [[i] for i in order]
    while True:
        links = {}
        for a, b in combinations(range(len(groups)), 2):
            link = plain_linkage(centred[groups[a]], centred[groups[b]])
            if link >= threshold and not set(photos[groups[a]]) & set(photos[groups[b]]):
                links[a, b] = links[b, a] = link
        best = {a: max(((v, -b) for (x, b), v in links.items() if x == a)) for a, _ in links}
        mutual = [(a, b) for a, b in links if a < b and -best[a][1] == b and -best[b][1] == a]
        if not mutual:
            return plain_absorb(groups, centred, photos, threshold)
        for a, b in mutual:
            groups[a] += groups[b]
            groups[b] = []
        groups = [group for group in groups if group]


def plain_absorb(
    groups: list[list[int]], centred: np.ndarray, photos: np.ndarray, threshold: float
) -> set[frozenset[int]]:
    """A lone face goes to the group that it is clearly most like, if that is nearly enough."""
    hosts = [group for group in groups if len(group) > 1]
    joined = {id(group): list(group) for group in groups}
    wishes = []
    for lone in (group for group in groups if len(group) == 1):
        links = sorted((plain_linkage(centred[h], centred[lone]), id(h)) for h in hosts)
        if len(links) < 2:
            continue
        (second, _), (first, host) = links[-2:]
        if first >= threshold - 0.06 and first - second >= 0.15:
            wishes.append((first, host, lone))
    for _, host, lone in sorted(wishes, key=lambda wish: -wish[0]):
        if photos[lone[0]] not in photos[joined[host]]:
            joined[host] += joined.pop(id(lone))
    return {frozenset(group) for group in joined.values()}


@pytest.mark.parametrize("seed", range(40))
def test_partition_is_that_of_the_plain_reference(seed: int) -> None:
    vectors, photos = random_album(seed)
    found = cluster(vectors, photos=photos, threshold=0.45, config=EVERYONE)
    assert partition(found) == plain_cluster(vectors, photos, 0.45)


@pytest.mark.parametrize("seed", range(5))
def test_linkage_is_the_mean_of_average_and_centroid_linkage(seed: int) -> None:
    vectors = faces_of(np.repeat([0, 1], [4, 7]), seed)
    a, b = vectors[:4], vectors[4:]
    groups = Groups(np.stack([a.sum(axis=0), b.sum(axis=0)]), np.asarray([4.0, 7.0], np.float32))
    link = groups.link(np.asarray([[0, 1]]))[0]
    assert abs(link) == pytest.approx(abs(plain_linkage(a, b)), abs=1e-5)


def test_a_face_of_double_quality_counts_as_two() -> None:
    x, y, z = faces_of(np.asarray([0, 0, 0]), seed=1)
    pair = np.asarray([[0, 1]])
    double = Groups(np.stack([2 * x + y, z]), np.asarray([3.0, 1.0], np.float32)).link(pair)
    assert double == pytest.approx(plain_linkage(np.stack([x, x, y]), z[None]), abs=1e-5)


def test_quality_decides_who_a_group_looks_like() -> None:
    """A blurred face in a group pulls it away from a third face, unless it counts for little."""
    clear, blurred, third = unit(np.asarray([[1, 0, 0], [0.5, 0.9, 0], [0.6, -0.4, 0.7]]))
    vectors, start = np.stack([clear, blurred, third]), np.asarray([0, 0, -1])
    config = ClusterConfig(prior=1e6)
    for quality, people in (([1.0, 1.0, 1.0], 2), ([1.0, 0.05, 1.0], 1)):
        labels = cluster(
            vectors,
            photos=apart(3),
            start=start,
            threshold=0.45,
            quality=np.asarray(quality),
            config=config,
        )
        assert len(set(labels)) == people


def test_what_all_people_share_is_taken_off() -> None:
    people = np.repeat(np.arange(60), 3)
    vectors = faces_of(people, seed=2, noise=0.6)
    shared = np.zeros(vectors.shape[1])
    shared[0] = 1.2
    veiled = unit(vectors + shared)
    strangers = (veiled @ veiled.T)[people[:, None] != people[None]]
    assert np.mean(strangers > 0.55) > 0.5  # the threshold would let most strangers in
    centred = cluster(veiled, photos=apart(180), threshold=0.75)
    assert bcubed(people, centred).f > 0.99
    raw = cluster(veiled, photos=apart(180), threshold=0.75, config=ClusterConfig(prior=1e6))
    assert bcubed(people, raw).f < bcubed(people, centred).f


# What is promised


@pytest.mark.parametrize("seed", range(25))
def test_order_of_faces_does_not_matter(seed: int) -> None:
    vectors, photos = random_album(seed)
    vectors[-1] = vectors[0]  # a copy of a face, which no vector can tell from the other
    random = np.random.default_rng(seed)
    start = random.integers(-3, 3, len(vectors)).clip(-1)
    expected = cluster(vectors, photos=photos, threshold=0.45, start=start)
    for _ in range(4):
        shuffled = random.permutation(len(vectors))
        found = cluster(
            vectors[shuffled], photos=photos[shuffled], threshold=0.45, start=start[shuffled]
        )
        assert np.array_equal(found, expected[shuffled])


@given(seed=st.integers(0, 10_000))
def test_decisions_and_photos_always_hold(seed: int) -> None:
    vectors, photos = random_album(seed)
    random = np.random.default_rng(seed)
    n = len(vectors)
    # Decisions that some truth satisfies, though the vectors may say otherwise.
    whim = random.integers(0, 6, n)
    same = [np.flatnonzero(whim == w)[: random.integers(1, 4)] for w in range(3)]
    different = [
        (random.permutation(np.flatnonzero(whim == a))[:3], np.flatnonzero(whim == b)[:2])
        for a, b in combinations(range(6), 2)
        if random.random() < 0.5
    ]
    labels = cluster(vectors, photos=photos, threshold=0.3, same=same, different=different)
    for told in same:
        assert len(set(labels[told])) <= 1
    for a, b in different:
        assert not set(labels[a]) & set(labels[b])
    excused = {frozenset(p) for told in same for p in combinations(told.tolist(), 2)}
    for a, b in combinations(range(n), 2):
        if photos[a] == photos[b] and labels[a] == labels[b]:
            assert frozenset((a, b)) in excused


def test_one_photo_may_show_a_person_twice_where_allowed() -> None:
    vectors = faces_of(np.zeros(3, int), seed=0, noise=0.3)
    photos = np.asarray([0, 0, 1])
    assert len(set(cluster(vectors, photos=photos, threshold=0.5))) == 2
    freed = cluster(vectors, photos=photos, threshold=0.5, one_per_photo=False)
    told = cluster(vectors, photos=photos, threshold=0.5, same=[[0, 1]])
    assert len(set(freed)) == len(set(told)) == 1


def test_contradictions_name_the_faces() -> None:
    vectors = faces_of(np.zeros(5, int), seed=0)
    with pytest.raises(BadInput, match="faces 0 and 4 were called different"):
        cluster(
            vectors,
            photos=apart(5),
            threshold=0.5,
            same=[[0, 2], [2, 4]],
            different=[([4], [0])],
        )
    with pytest.raises(BadInput, match="face 5, and there are 5 faces"):
        cluster(vectors, photos=apart(5), threshold=0.5, same=[[5, 1]])


def test_bad_input_is_refused() -> None:
    vectors = faces_of(np.zeros(3, int), seed=0)
    with pytest.raises(BadInput, match="length 1"):
        cluster(2 * vectors, photos=apart(3), threshold=0.5)
    with pytest.raises(BadInput, match="above 0"):
        cluster(vectors, photos=apart(3), threshold=0.5, quality=np.zeros(3))


def test_no_face_and_one_face() -> None:
    none = cluster(np.empty((0, 8), np.float32), photos=apart(0), threshold=0.5)
    assert none.shape == (0,)
    one = cluster(unit(np.ones((1, 8))), photos=apart(1), threshold=0.5)
    assert one.tolist() == [0]


def test_labels_run_from_the_largest_person_down() -> None:
    people = np.repeat([2, 0, 1], [3, 7, 5])
    labels = cluster(faces_of(people, seed=0, noise=0.4), photos=apart(15), threshold=0.5)
    assert labels.tolist() == [2] * 3 + [0] * 7 + [1] * 5


# One photo after another


def test_new_faces_join_people_or_found_new_ones() -> None:
    people = np.repeat(np.arange(8), 5)
    vectors = faces_of(people, seed=3, noise=0.6)
    start = np.where(people < 6, 100 + people, -1)
    start[::5] = -1
    labels = cluster(vectors, photos=apart(40), threshold=0.4, start=start)
    assert np.array_equal(labels[people < 6], 100 + people[people < 6])
    assert set(labels[people >= 6]) == {106, 107}


def test_only_new_faces_are_searched_for() -> None:
    """People that nothing new touches stay as they are, however alike."""
    vectors = faces_of(np.zeros(6, int), seed=0, noise=0.3)
    start = np.asarray([7, 7, 9, 9, 4, 4])
    assert np.array_equal(cluster(vectors, photos=apart(6), threshold=0.5, start=start), start)


def test_a_new_face_can_join_two_people_unless_they_differ() -> None:
    vectors = faces_of(np.zeros(6, int), seed=0, noise=0.3)
    start = np.asarray([7, 7, 7, 9, 9, -1])
    joined = cluster(vectors, photos=apart(6), threshold=0.5, start=start)
    assert set(joined) == {7}  # the one with more faces
    kept = cluster(
        vectors, photos=apart(6), threshold=0.5, start=start, different=[([0, 1, 2], [3, 4])]
    )
    assert kept[:5].tolist() == [7, 7, 7, 9, 9]


def test_a_decision_takes_a_person_apart() -> None:
    people = np.asarray([0, 0, 0, 1, 1])
    vectors = faces_of(people, seed=0, noise=0.4)
    start = np.asarray([5, 5, 5, 5, 5])
    labels = cluster(
        vectors, photos=apart(5), threshold=0.5, start=start, different=[([0], [3, 4])]
    )
    assert labels.tolist() == [5, 5, 5, 6, 6]  # the larger part keeps the label


@pytest.mark.parametrize("seed", range(5))
def test_face_by_face_comes_near_all_at_once(seed: int) -> None:
    people = np.random.default_rng(seed).integers(0, 30, 200)
    vectors = faces_of(people, seed, noise=0.8)
    labels = np.full(200, -1)
    for end in range(10, 201, 10):
        labels[:end] = cluster(vectors[:end], photos=apart(end), threshold=0.4, start=labels[:end])
    at_once = cluster(vectors, photos=apart(200), threshold=0.4)
    assert bcubed(people, labels).f > bcubed(people, at_once).f - 0.02


# Size


class CountedGroups(Groups):
    rounds = 0

    def merge(self, kept: np.ndarray, gone: np.ndarray) -> None:
        self.rounds += 1
        super().merge(kept, gone)


class NoBars:
    def between(self, a: int, b: int) -> bool:
        return False

    def merge(self, kept: int, gone: int) -> None:
        pass


def test_a_large_person_takes_few_rounds() -> None:
    """One merge a round would take about as many rounds as there are faces."""
    vectors = faces_of(np.zeros(3000, int), seed=0, noise=0.7)
    graph = neighbour_graph(vectors, np.arange(3000), 50, floor=0.3, near=0.4)
    groups = CountedGroups(vectors, np.ones(3000, np.float32))
    home = agglomerate(groups, graph.pairs, 0.4, NoBars())
    assert len(set(home)) < 10
    assert groups.rounds < 150


def test_rates_fall_with_the_number_of_faces() -> None:
    assert false_match_rate_for(0) == false_match_rate_for(30) == 1e-3
    assert false_match_rate_for(3000) == pytest.approx(1e-5)


def test_threshold_goes_on_below_the_measured_rates() -> None:
    """On a ladder whose scores are linear in the logarithm of the rate, so are thresholds."""
    rates = (1e-1, 5e-2, 2e-2, 1e-2, 5e-3, 2e-3, 1e-3, 5e-4, 2e-4, 1e-4)
    scores = tuple(0.1 - 0.05 * np.log10(rate) for rate in rates)
    calibration = Calibration("made up", "a line", 10**7, rates, scores)
    for n in (1, 40, 77, 300, 10_000, 1_000_000):
        expected = 0.1 - 0.05 * np.log10(false_match_rate_for(n))
        assert threshold_for(n, calibration) == pytest.approx(expected)


# Real faces


def test_real_faces_beside_scikit_learn(shared_data: Path) -> None:
    """The first 200 pictures of LFW, all methods at the threshold of our fixed rule.

    `lineament bench clustering` does this with all 7,701, and with thresholds tuned on the truth
    for the others.
    """
    from sklearn.cluster import DBSCAN, AgglomerativeClustering

    from lineament.bench.faces import main_faces
    from lineament.know.calibration import calibration_of
    from lineament.know.embed.sface import SFace

    paths = tuple(sorted((shared_data / "lfw" / "images").iterdir())[:200])
    faces = main_faces(paths)
    assert faces.found.all()
    embedded = SFace()(faces.crops)
    names = [path.name.rsplit("_", 1)[0] for path in paths]
    people = np.unique(names, return_inverse=True)[1]
    threshold = threshold_for(len(people), calibration_of(embedded.space))
    ours = bcubed(people, cluster(embedded.vectors, photos=apart(200), threshold=threshold))

    average = AgglomerativeClustering(
        n_clusters=None,  # pyright: ignore[reportArgumentType]
        distance_threshold=1 - threshold,
        metric="cosine",
        linkage="average",
    )
    dbscan = DBSCAN(eps=1 - threshold, min_samples=1, metric="cosine")
    for baseline in (average, dbscan):
        assert ours.f >= bcubed(people, baseline.fit_predict(embedded.vectors)).f
    assert ours.f > 0.99
