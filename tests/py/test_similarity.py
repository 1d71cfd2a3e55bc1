"""pgfeed.similarity against brute force."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pgfeed.similarity import interest_matrix, leave_out, nearest_users, row_lengths

# Few distinct values, so that users with exactly the same taste, and ties, are common; exact in
# binary, so that no two cosines differ by less than float32 can store without being equal.
interests = arrays.arrays(
    np.float32,
    arrays.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=25),
    elements=st.sampled_from([0.0, 0.0, 0.0, 0.125, 0.5, 1.0]),
)


def matrix_of(dense):
    """The sparse matrix of a dense one, with the pairs in a scrambled order."""
    users, listings = np.nonzero(np.ones_like(dense))
    order = np.random.default_rng(0).permutation(len(users))
    users, listings = users[order].astype("i4"), listings[order].astype("i4")
    return interest_matrix(users, listings, dense[users, listings], dense.shape)


def brute_force(dense, count):
    """[(neighbors, similarities)]: all cosines, sorted by similarity, then by row."""
    lengths = np.linalg.norm(dense.astype("f8"), axis=1)
    unit = dense / np.where(lengths == 0, 1, lengths)[:, np.newaxis]
    cosines = unit @ unit.T
    found = []
    for user, row in enumerate(cosines):
        others = [v for v in range(len(dense)) if v != user and row[v] > 1e-12]
        others.sort(key=lambda v: (-round(row[v], 10), v))
        found.append((others[:count], row[others[:count]]))
    return found


@settings(deadline=None)
@given(interests, st.integers(1, 8), st.integers(1, 300), st.integers(1, 2))
def test_neighbors_are_those_of_brute_force(dense, count, products_per_step, threads):
    neighbors = nearest_users(
        matrix_of(dense), count, products_per_step=products_per_step, threads=threads
    )
    for user, (rows, similarities) in enumerate(brute_force(dense, count)):
        found_rows, found_similarities = neighbors.of(user)
        assert found_rows.tolist() == rows
        assert np.allclose(found_similarities, similarities, atol=1e-6)
        assert (np.diff(found_similarities) <= 0).all()
        assert ((found_similarities > 0) & (found_similarities <= 1)).all()


@settings(deadline=None)
@given(interests, st.data())
def test_some_users_alone_get_what_they_get_among_all(dense, data):
    wanted = np.array(sorted(data.draw(st.sets(st.integers(0, len(dense) - 1)))), dtype="i8")
    whole = nearest_users(matrix_of(dense), 5)
    # Only the columns that they have a part in, and the lengths of whole rows.
    columns = np.flatnonzero((dense[wanted] > 0).any(axis=0))
    users, listings = np.nonzero(np.ones((len(dense), len(columns))))
    some = dense[:, columns]
    matrix = interest_matrix(
        users.astype("i4"),
        listings.astype("i4"),
        some[users, listings],
        some.shape,
        np.maximum(row_lengths(*np.nonzero(dense)[:1], dense[dense > 0], len(dense)), 1e-300),
    )
    found = nearest_users(matrix, 5, wanted=wanted)
    for row, user in enumerate(wanted.tolist()):
        assert found.of(row)[0].tolist() == whole.of(user)[0].tolist()
        assert np.allclose(found.of(row)[1], whole.of(user)[1], atol=1e-6)


@settings(deadline=None)
@given(interests, st.integers(1, 6), st.integers(1, 6))
def test_what_is_left_out_adds_nothing_and_changes_no_length(dense, limit, minimum):
    lengths = np.linalg.norm(dense.astype("f8"), axis=1)
    unit = dense / np.where(lengths == 0, 1, lengths)[:, np.newaxis]
    is_busy = (dense > 0).sum(axis=0) > limit
    is_short = (dense > 0).sum(axis=1) < minimum
    unit[:, is_busy] = 0
    unit[is_short] = 0
    found = leave_out(matrix_of(dense), limit, minimum)
    assert np.allclose(found.toarray(), unit)
    exact = leave_out(matrix_of(dense), None, 1)
    assert np.allclose(exact.toarray(), matrix_of(dense).toarray())


def test_pairs_of_the_whole_row_count_where_some_columns_are_missing():
    dense = np.array([[1, 1], [1, 0]], np.float32)
    found = leave_out(matrix_of(dense), None, 3, np.array([2, 3]))
    assert np.diff(found.indptr).tolist() == [0, 1]


def test_who_is_kept_stays_in_order():
    neighbors = nearest_users(matrix_of(np.ones((5, 1), np.float32)), 4)
    is_kept = np.array([True, False, True, True, False])
    kept = neighbors.only(is_kept)
    assert [kept.of(user)[0].tolist() for user in range(5)] == [
        [2, 3],
        [0, 2, 3],
        [0, 3],
        [0, 2],
        [0, 2, 3],
    ]
    assert len(kept.similarities) == len(kept.rows) == kept.starts[-1]


def test_neighbors_that_only_rounding_makes_equal_are_in_order():
    """Similarities that differ in float64 and not in float32: stored ties go by user_no."""
    rng = np.random.default_rng(3)
    dense = np.ones((40, 30), np.float32)
    dense[1:, 0] = (0.5 + np.arange(39) * 2e-9).astype(np.float64)
    dense[np.arange(1, 40), rng.permutation(np.arange(39) % 29) + 1] = np.float32(0.5)
    neighbors = nearest_users(matrix_of(dense), 39)
    for user in range(40):
        rows, similarities = neighbors.of(user)
        keys = list(zip((-similarities).tolist(), rows.tolist(), strict=True))
        assert keys == sorted(keys)


def test_nobody_is_their_own_neighbor_even_among_many_equals():
    neighbors = nearest_users(matrix_of(np.ones((60, 1), np.float32)), 50)
    for user in range(60):
        rows, similarities = neighbors.of(user)
        assert rows.tolist() == [other for other in range(60) if other != user][:50]
        assert (similarities == 1).all()


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (3, 0), (1, 1), (4, 4)])
def test_without_pairs_nobody_has_neighbors(shape):
    nothing = np.empty(0, "i4")
    neighbors = nearest_users(interest_matrix(nothing, nothing, np.empty(0), shape), 50)
    assert neighbors.starts.tolist() == [0] * (shape[0] + 1)
    assert len(neighbors.rows) == len(neighbors.similarities) == 0


def test_pairs_without_interest_leave_no_trace():
    dense = np.array([[1, 0.5], [1, 0]], np.float32)
    dismissed = np.array([[1, 0.5, 0], [1, 0, 0]], np.float32)
    expected, found = (nearest_users(matrix_of(m), 5) for m in (dense, dismissed))
    assert found.similarities.tolist() == expected.similarities.tolist()
    assert found.similarities[0] == pytest.approx(1 / np.sqrt(1.25))


@pytest.mark.parametrize("interest", [-0.1, 1.1, np.nan])
def test_interest_outside_0_and_1_is_refused(interest):
    one = np.zeros(1, "i4")
    with pytest.raises(ValueError, match="between 0 and 1"):
        interest_matrix(one, one, np.array([interest]), (1, 1))


def test_the_work_can_be_stopped_between_steps():
    ticks = 0

    def tick():
        nonlocal ticks
        ticks += 1
        if ticks == 4:
            raise KeyboardInterrupt

    dense = np.ones((40, 2), np.float32)
    with pytest.raises(KeyboardInterrupt):
        nearest_users(matrix_of(dense), 5, products_per_step=80, tick=tick)
    assert ticks == 4
