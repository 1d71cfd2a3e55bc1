"""Listings' and users' vectors against scikit-learn and brute force."""

import json
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import StandardScaler

from harness import REPOSITORY
from pgfeed import binary_copy
from pgfeed.listing_facts import FactsReader
from pgfeed.preferences import decay, preferences
from pgfeed.projection import Projection, unit_sphere
from pgfeed.vectors import VectorParameters, fit_projection, vocabulary

PARAMETERS = VectorParameters(
    vocabulary_limit=20000,
    tag_dimensions=32,
    tag_sample_size=100000,
    location_clusters=16,
    location_sample_size=20000,
    tag_block_weight=1.0,
    location_block_weight=0.5,
    compensation_block_weight=0.2,
    poster_block_weight=0.2,
    scaled_value_limit=3.0,
    random_seed=1,
)

NAN = float("nan")

# Each example fits scikit-learn's models.
fitting = settings(max_examples=25, deadline=None)


def listing(tags=(), place=(NAN, NAN), pay=NAN, currency="EUR", poster=NAN):
    return {"tags": list(tags), "place": place, "pay": pay, "currency": currency, "poster": poster}


def facts_of(listings, piece=3):
    """As SQL sends them: in pieces, as big-endian bytes and JSON."""
    reader = FactsReader()
    for first in range(0, len(listings), piece):
        part = listings[first : first + piece]
        numbers = {
            "latitudes": [row["place"][0] for row in part],
            "longitudes": [row["place"][1] for row in part],
            "compensation": [row["pay"] for row in part],
            "poster_scores": [row["poster"] for row in part],
        }
        reader.add(
            {
                "listing_nos": np.arange(first, first + len(part), dtype=">i4").tobytes(),
                "tags": json.dumps([row["tags"] for row in part]),
                "currencies": json.dumps([row["currency"] for row in part]),
                **{name: np.array(v, ">f8").tobytes() for name, v in numbers.items()},
            }
        )
    return reader.facts()


listings_strategy = st.lists(
    st.builds(
        listing,
        tags=st.lists(st.sampled_from("abcdefgh"), unique=True, max_size=5).map(sorted),
        place=st.one_of(st.just((NAN, NAN)), st.tuples(st.floats(-90, 90), st.floats(-180, 180))),
        pay=st.one_of(st.just(NAN), st.floats(0, 1e6)),
        currency=st.sampled_from(["EUR", "JPY", None]),
        poster=st.one_of(st.just(NAN), st.floats(0, 1)),
    ),
    max_size=12,
)


@fitting
@given(listings_strategy)
def test_vectors_are_of_unit_length_or_missing(listings):
    facts = facts_of(listings)
    vectors = fit_projection(facts, PARAMETERS).listing_vectors(facts)
    assert vectors.dtype == np.float32
    known = np.isfinite(vectors).all(axis=1)
    assert np.isnan(vectors[~known]).all()
    assert np.allclose(np.linalg.norm(vectors[known], axis=1), 1, atol=1e-6)
    assert (np.abs(vectors[known]) <= 1).all()


@fitting
@given(listings_strategy, st.randoms())
def test_a_vector_does_not_depend_on_what_is_made_with_it(listings, random):
    facts = facts_of(listings)
    projection = fit_projection(facts, PARAMETERS)
    together = projection.listing_vectors(facts)
    for row in random.sample(range(len(listings)), min(4, len(listings))):
        alone = projection.listing_vectors(facts_of([listings[row]]))
        assert alone[0].tobytes() == together[row].tobytes()


@fitting
@given(listings_strategy)
def test_a_stored_projection_makes_the_same_vectors(listings):
    facts = facts_of(listings)
    projection = fit_projection(facts, PARAMETERS)
    stored = Projection.stored(
        json.loads(json.dumps(projection.parameters())),
        list(projection.vocabulary),
        projection.idf,
        projection.tag_vectors,
        projection.centres,
    )
    made, expected = stored.listing_vectors(facts), projection.listing_vectors(facts)
    assert made.tobytes() == expected.tobytes()


def test_the_tag_part_is_scikit_learns_lsa():
    random = np.random.default_rng(3)
    tags = [f"t{i}" for i in range(60)]
    listings = [
        listing(sorted(random.choice(tags, random.integers(1, 8), replace=False)))
        for _ in range(300)
    ]
    facts = facts_of(listings)
    vectors = fit_projection(facts, PARAMETERS).listing_vectors(facts)

    vectorizer = TfidfVectorizer(analyzer=lambda row: row, smooth_idf=True)
    tfidf = vectorizer.fit_transform([row["tags"] for row in listings])
    expected = TruncatedSVD(32, random_state=PARAMETERS.random_seed).fit(tfidf).transform(tfidf)
    expected /= np.linalg.norm(expected, axis=1)[:, np.newaxis]
    assert vectors.shape == (300, 32 + 0 + 2)
    assert np.allclose(vectors[:, :32], expected, atol=1e-5)


def test_pay_and_poster_are_standardised_and_clipped():
    pays = [10.0, 20.0, 40.0, 1e9]
    posters = [0.2, 0.4, NAN, 0.9]
    rows = [listing(["a"], pay=pay, poster=p) for pay, p in zip(pays, posters, strict=True)]
    facts = facts_of(rows)
    vectors = fit_projection(facts, PARAMETERS).listing_vectors(facts).astype("f8")

    pay = StandardScaler().fit_transform(np.log1p(pays)[:, np.newaxis])[:, 0].clip(-3, 3)
    poster = StandardScaler().fit_transform(np.array(posters)[:, np.newaxis])[:, 0]
    poster = np.nan_to_num(poster)
    # One tag: its part is 1 before the whole is made unit length.
    assert np.allclose(vectors[:, -2] / np.abs(vectors[:, 0]), 0.2 * pay, atol=1e-6)
    assert np.allclose(vectors[:, -1] / np.abs(vectors[:, 0]), 0.2 * poster, atol=1e-6)


def test_pay_is_compared_within_its_currency():
    euros = [listing(["a"], pay=pay) for pay in (10.0, 20.0, 40.0)]
    yen = [listing(["a"], pay=pay, currency="JPY") for pay in (1000.0, 2000.0, 4000.0)]
    facts = facts_of(euros + yen)
    vectors = fit_projection(facts, PARAMETERS).listing_vectors(facts)
    assert np.allclose(vectors[:3], vectors[3:], atol=0.02)


def test_constant_pay_says_nothing():
    facts = facts_of([listing(["a"], pay=10.0), listing(["b"], pay=10.0), listing(["c"])])
    vectors = fit_projection(facts, PARAMETERS).listing_vectors(facts)
    assert (vectors[:, -2] == 0).all()


def fenced(page, name):
    """The first block of the page that is fenced with this name."""
    return page.split(f"test_vectors.py {name}\n")[1].split("```")[0]


def test_the_worked_example_of_the_documentation():
    page = (REPOSITORY / "docs/analysts/vectors.md").read_text()
    blocks = {
        name: np.array(
            [re.findall(r"-?\d\.\d+", row) for row in fenced(page, name).splitlines()],
            dtype="f8",
        )
        for name in ("vectors", "user")
    }
    facts = facts_of(
        [
            listing(["hiking", "outdoor"], (47.37, 8.54), 20.0, "CHF", 0.8),
            listing(["jazz"], (47.37, 8.55), 80.0, "CHF", 0.6),
            listing(["hiking"], (46.20, 6.14), NAN, "CHF", NAN),
        ]
    )
    vectors = fit_projection(facts, PARAMETERS).listing_vectors(facts)
    weights = sparse.csr_matrix(np.array([[10, -2.5, 0.25]], np.float32))
    ((_, user),) = preferences(weights, facts, vectors, tag_limit=50, rows_per_step=10)
    assert np.allclose(vectors, blocks["vectors"], atol=6e-4)
    assert np.allclose(user.feature_vectors, blocks["user"], atol=6e-4)
    assert json.loads(user.tag_preferences[0]) == {"hiking": 10.25, "outdoor": 10, "jazz": -2.5}
    assert user.compensation.tolist() == [20]


def test_places_a_kilometre_apart_belong_to_their_own_centres():
    places = [(47.37, 8.54), (47.37, 8.55), (46.2, 6.14)]
    facts = facts_of([listing(place=place) for place in places])
    vectors = fit_projection(facts, PARAMETERS).listing_vectors(facts)
    assert vectors[:, :3].argmax(axis=1).tolist() == [1, 2, 0]


def test_duplicate_places_are_one_cluster():
    facts = facts_of([listing(place=(47.0, 8.0))] * 5 + [listing(place=(46.0, 7.0))] * 3)
    projection = fit_projection(facts, PARAMETERS)
    assert projection.centres.shape == (2, 3)
    vectors = projection.listing_vectors(facts)
    assert vectors[:5, 1].tolist() == [1] * 5
    assert vectors[5:, 0].tolist() == [1] * 3


def test_a_place_belongs_to_the_nearest_centre_across_the_date_line():
    facts = facts_of([listing(place=(0.0, 179.9)), listing(place=(0.0, 0.0))])
    projection = fit_projection(facts, PARAMETERS)
    vectors = projection.listing_vectors(facts_of([listing(place=(0.0, -179.9))]))
    assert vectors[0, projection.tag_dimensions :].tolist() == [0, 1, 0, 0]
    assert np.allclose(unit_sphere(np.array([90.0]), np.array([13.0])), [[0, 0, 1]], atol=1e-15)


def test_unknown_tags_and_an_empty_world_give_no_vector():
    nothing = fit_projection(facts_of([]), PARAMETERS)
    assert nothing.dimensions == 2
    assert np.isnan(nothing.listing_vectors(facts_of([listing(["new"], pay=3.0)]))).all()
    some = fit_projection(facts_of([listing(["a"]), listing(["b"])]), PARAMETERS)
    assert np.isnan(some.listing_vectors(facts_of([listing(["new"]), listing()]))).all()


def test_the_vocabulary_keeps_the_most_frequent_tags():
    facts = facts_of([listing("abc"), listing("bc"), listing("cd")])
    assert vocabulary(facts, 10) == ["a", "b", "c", "d"]
    assert vocabulary(facts, 3) == ["a", "b", "c"]
    assert vocabulary(facts, 1) == ["c"]


def test_part_and_order_keep_each_listings_tags():
    facts = facts_of([listing("ab"), listing(), listing("bcd"), listing("a")])
    reverse = facts.by_listing_no()
    assert reverse.tag_codes.tolist() == facts.tag_codes.tolist()
    object.__setattr__(facts, "listing_nos", facts.listing_nos[::-1])
    reverse = facts.by_listing_no()
    names = [reverse.tags[code] for code in reverse.tag_codes]
    assert reverse.tag_counts.tolist() == [1, 3, 0, 2]
    assert names == ["a", "b", "c", "d", "a", "b"]
    part = reverse.part(1, 3)
    assert [part.tags[code] for code in part.tag_codes] == ["b", "c", "d"]


@fitting
@given(
    listings_strategy.filter(len),
    st.integers(1, 6),
    st.integers(1, 4),
    st.data(),
)
def test_preferences_are_decayed_sums(listings, n_users, tag_limit, data):
    facts = facts_of(listings)
    vectors = fit_projection(facts, PARAMETERS).listing_vectors(facts)
    weight = st.sampled_from([0.0, 0.0, 10.0, 5.0, 1.25, -5.0])
    rows = st.lists(weight, min_size=len(listings), max_size=len(listings))
    weights = np.array(data.draw(st.lists(rows, min_size=n_users, max_size=n_users)), np.float32)
    found = preferences(
        sparse.csr_matrix(weights), facts, vectors, tag_limit=tag_limit, rows_per_step=2
    )
    for first, part in found:
        for offset, preference in enumerate(part.tag_preferences):
            row = weights[first + offset]
            assert json.loads(preference) == expected_tags(row, listings, tag_limit)
            sums = row.astype("f8") @ np.nan_to_num(vectors.astype("f8"))
            length = np.linalg.norm(sums)
            if length > 1e-3:
                assert np.allclose(part.feature_vectors[offset], sums / length, atol=1e-4)
            mean = expected_pay(row, listings)
            assert part.compensation[offset] == pytest.approx(mean, nan_ok=True)


def expected_tags(weights, listings, limit):
    sums = {}
    for weight, row in zip(weights.tolist(), listings, strict=True):
        for tag in row["tags"]:
            sums[tag] = sums.get(tag, 0) + weight
    liked = sorted((-w, t) for t, w in sums.items() if w > 0)[:limit]
    disliked = sorted((w, t) for t, w in sums.items() if w < 0)[:limit]
    return {t: -w for w, t in liked} | {t: w for w, t in disliked}


def expected_pay(weights, listings):
    best, mean = 0.0, NAN
    for currency in ("", "EUR", "JPY"):
        liked = [
            (w, row["pay"])
            for w, row in zip(weights.tolist(), listings, strict=True)
            if w > 0 and (row["currency"] or "") == currency and row["pay"] == row["pay"]
        ]
        weight = sum(w for w, _ in liked)
        if weight > best:
            best, mean = weight, sum(w * pay for w, pay in liked) / weight
    return mean


def test_a_half_life_halves():
    assert decay(np.array([-5.0, 0.0, 30.0, 60.0]), 30.0).tolist() == [1, 1, 0.5, 0.25]


def test_only_dismissals_point_away_from_what_was_dismissed():
    facts = facts_of([listing(["a"]), listing(["b"])])
    vectors = fit_projection(facts, PARAMETERS).listing_vectors(facts)
    ((_, found),) = preferences(
        sparse.csr_matrix(np.array([[-5.0, 0.0]], np.float32)),
        facts,
        vectors,
        tag_limit=10,
        rows_per_step=10,
    )
    assert json.loads(found.tag_preferences[0]) == {"a": -5.0}
    assert np.dot(found.feature_vectors[0], vectors[0]) == pytest.approx(-1, abs=1e-6)
    assert np.isnan(found.compensation[0])


@given(st.integers(1, 5), st.integers(0, 4))
def test_real_arrays_survive_the_way_to_copy_and_back(count, length):
    vectors = np.random.default_rng(0).normal(size=(count, length)).astype(np.float32)
    sent = b"".join(binary_copy.real_array(vector) for vector in vectors)
    assert binary_copy.read_real_arrays(sent, count).tolist() == vectors.tolist()
