"""pgfeed.item_similarity against brute force."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pgfeed.item_similarity import (
    UNIT_QUANTILE,
    ItemParameters,
    ItemSimilarity,
    latest_choices,
)

# Few distinct values, so that listings with exactly the same users, and ties, are common.
interests = arrays.arrays(
    np.float32,
    arrays.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=20),
    elements=st.sampled_from([0.0, 0.0, 0.0, 0.1, 0.5, 1.0]),
)


def similarity_of(dense, is_target=None, *, count=100, minimum=2, power=0.2, **options):
    """The similarity of a dense user x listing matrix, with the pairs in a scrambled order."""
    users, listings = np.nonzero(np.ones_like(dense))
    order = np.random.default_rng(0).permutation(len(users))
    users, listings = users[order].astype("i4"), listings[order].astype("i4")
    return ItemSimilarity(
        users,
        listings,
        dense[users, listings],
        np.ones(dense.shape[1], bool) if is_target is None else is_target,
        ItemParameters(count, minimum, power, 10_000),
        n_users=len(dense),
        **options,
    )


def neighbors_of(similarity, rows_at_once=1):
    """{listing: (neighbors, similarities)}, and that listings come once and ascending."""
    found = {}
    for listings, part in similarity.steps(rows_at_once):
        for row, listing in enumerate(listings.tolist()):
            assert listing > max(found, default=-1)
            found[listing] = part.of(row)
    return found


def brute_force(dense, is_target, count, minimum, power):
    """{listing: (neighbors, similarities)} by the formula, before what makes a unit of it."""
    chosen = (dense > 0).astype(float)
    sums = dense.astype("f8").sum(axis=1, keepdims=True)
    shares = dense / np.where(sums == 0, 1, sums)
    users = np.maximum(chosen.sum(axis=0), 1)
    values = chosen.T @ shares / (users[:, np.newaxis] ** (1 - power) * users**power)
    together = chosen.T @ chosen
    found = {}
    for listing, row in enumerate(values):
        others = [
            other
            for other in range(len(row))
            if other != listing and is_target[other] and together[listing, other] >= minimum
        ]
        others.sort(key=lambda other: (-round(row[other], 9), other))
        if others:
            found[listing] = (others[:count], row[others[:count]])
    return found


@settings(deadline=None)
@given(
    interests,
    st.integers(0, 2**20 - 1),
    st.integers(1, 8),
    st.integers(1, 3),
    st.sampled_from([0.0, 0.2, 1.0]),
    st.integers(1, 300),
    st.integers(1, 30),
    st.integers(1, 2),
)
def test_neighbors_are_those_of_brute_force(
    dense, targets, count, minimum, power, products_per_step, rows_at_once, threads
):
    is_target = np.array([targets >> column & 1 for column in range(dense.shape[1])], bool)
    similarity = similarity_of(
        dense,
        is_target,
        count=count,
        minimum=minimum,
        power=power,
        products_per_step=products_per_step,
        threads=threads,
    )
    found = neighbors_of(similarity, rows_at_once)
    expected = brute_force(dense, is_target, count, minimum, power)
    assert found.keys() == expected.keys()
    if expected:
        nearest = [values[0] for _, values in expected.values()]
        assert similarity.unit == pytest.approx(np.quantile(nearest, UNIT_QUANTILE))
    for listing, (neighbors, values) in expected.items():
        found_neighbors, similarities = found[listing]
        wanted = np.minimum(values / similarity.unit, 1)
        assert np.allclose(similarities, wanted, atol=1e-6)
        assert found_neighbors.tolist() == neighbors
        assert (np.diff(similarities) <= 0).all()
        assert ((similarities > 0) & (similarities <= 1)).all()


def test_equals_are_ordered_by_position_even_where_they_are_cut():
    found = neighbors_of(similarity_of(np.ones((3, 60), np.float32), count=5))
    for listing in range(60):
        neighbors, similarities = found[listing]
        assert neighbors.tolist() == [other for other in range(60) if other != listing][:5]
        assert (similarities == 1).all()


def test_what_one_person_connects_is_not_similar():
    dense = np.array([[1, 1, 0], [0, 1, 1], [0, 1, 1]], np.float32)
    found = neighbors_of(similarity_of(dense))
    assert found.keys() == {1, 2}
    assert found[1][0].tolist() == [2]
    found = neighbors_of(similarity_of(dense, minimum=1))
    assert found[0][0].tolist() == [1]
    assert neighbors_of(similarity_of(dense, minimum=3)) == {}


def test_one_user_connects_nothing():
    assert neighbors_of(similarity_of(np.ones((1, 9), np.float32))) == {}


def test_a_user_who_chose_everything_says_less_than_one_who_chose_two():
    dense = np.zeros((4, 20), np.float32)
    dense[:2, :] = 1
    dense[2:, [3, 17]] = 1
    neighbors, similarities = neighbors_of(similarity_of(dense))[3]
    assert neighbors[0] == 17
    assert similarities[0] > 2 * similarities[1]


def test_the_more_interest_the_more_similar():
    dense = np.tile(np.array([1, 0.1, 0.5, 1], np.float32), (3, 1))
    neighbors, similarities = neighbors_of(similarity_of(dense))[0]
    assert neighbors.tolist() == [3, 2, 1]
    assert np.allclose(similarities / similarities[0], [1, 0.5, 0.1], atol=1e-5)


def test_popularity_counts_against_a_listing():
    rng = np.random.default_rng(3)
    dense = np.zeros((400, 3), np.float32)
    dense[:10, :] = 1
    dense[10:, 2] = rng.random(390) < 0.9
    power_of_1 = neighbors_of(similarity_of(dense, power=1.0))[0][0]
    assert power_of_1.tolist() == [1, 2]


@pytest.mark.parametrize("shape", [(0, 0), (0, 5), (5, 0), (4, 6)], ids=str)
def test_nothing_was_chosen(shape):
    assert neighbors_of(similarity_of(np.zeros(shape, np.float32))) == {}


def test_the_same_whatever_the_number_of_threads_and_steps():
    rng = np.random.default_rng(5)
    dense = (rng.random((300, 80)) < 0.2).astype(np.float32) * rng.choice([0.1, 1], (300, 80))
    one = neighbors_of(similarity_of(dense.astype(np.float32)))
    two = neighbors_of(
        similarity_of(dense.astype(np.float32), threads=2, products_per_step=1000), 7
    )
    assert one.keys() == two.keys()
    for listing, (neighbors, similarities) in one.items():
        assert neighbors.tolist() == two[listing][0].tolist()
        assert similarities.tolist() == two[listing][1].tolist()


def test_the_work_can_be_stopped_between_steps():
    class Stopped(Exception):
        pass

    ticks = 0

    def tick():
        nonlocal ticks
        ticks += 1
        if ticks == 40:
            raise Stopped

    def work():
        dense = np.ones((30, 50), np.float32)
        neighbors_of(similarity_of(dense, products_per_step=1500, tick=tick))

    with pytest.raises(Stopped):
        work()
    assert ticks == 40


def test_of_a_busy_user_only_the_latest_choices_count():
    users = np.array([0, 1, 0, 0, 1, 0, 2], np.int32)
    ages = np.array([5, 1, 3, 9, 2, 3, 4], np.float32)
    assert latest_choices(users, ages, 10).tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert latest_choices(users, ages, 2).tolist() == [1, 2, 4, 5, 6]
    assert latest_choices(users, ages, 1).tolist() == [1, 2, 6]
    assert latest_choices(users[:0], ages[:0], 3).tolist() == []
