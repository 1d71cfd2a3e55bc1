"""Fits the projection that makes listings' vectors, with scikit-learn.

TF-IDF of the tags reduced by truncated SVD (latent semantic analysis, Deerwester et al.
1990, after Halko et al. 2011), places by k-means on the sphere, pay and poster score by
their mean and deviation. Every random choice is drawn from one seed.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

import numpy as np

from pgfeed.listing_facts import ListingFacts
from pgfeed.projection import Projection, Scaler, unit_rows, unit_sphere

# All of scikit-learn at once may take longer than a cancel request should wait: from the ground up.
LIBRARIES = (
    "scipy.sparse.linalg",
    "scipy.spatial",
    "scipy.optimize",
    "scipy.stats",
    "sklearn",
    "sklearn.preprocessing",
    "sklearn.decomposition",
    "sklearn.feature_extraction.text",
    "sklearn.cluster",
)


@dataclass(frozen=True)
class VectorParameters:
    """The columns of ml.training_parameters that shape vectors; their comments explain."""

    vocabulary_limit: int
    tag_dimensions: int
    tag_sample_size: int
    location_clusters: int
    location_sample_size: int
    tag_block_weight: float
    location_block_weight: float
    compensation_block_weight: float
    poster_block_weight: float
    scaled_value_limit: float
    random_seed: int


def fit_projection(
    facts: ListingFacts,
    parameters: VectorParameters,
    tick: Callable[[], object] = lambda: None,
) -> Projection:
    """The projection of these listings. `tick` is called between steps and may raise."""
    for module in LIBRARIES:
        tick()
        import_module(module)
    tags, idf, tag_vectors = _fit_tags(facts, parameters, tick)
    tick()
    centres = _fit_clusters(facts, parameters)
    tick()
    return Projection(
        vocabulary={tag: row for row, tag in enumerate(tags)},
        idf=idf,
        tag_vectors=tag_vectors,
        centres=centres,
        compensation_scalers=_fit_compensation(facts),
        poster_scaler=_fit_scaler(facts.poster_scores),
        tag_weight=parameters.tag_block_weight,
        location_weight=parameters.location_block_weight,
        compensation_weight=parameters.compensation_block_weight,
        poster_weight=parameters.poster_block_weight,
        limit=parameters.scaled_value_limit,
    )


def vocabulary(facts: ListingFacts, limit: int) -> list[str]:
    """The `limit` most frequent tags (ties by tag), in alphabetical order."""
    frequency = np.bincount(facts.tag_codes, minlength=len(facts.tags))
    used = np.flatnonzero(frequency)
    best = sorted(used.tolist(), key=lambda code: (-frequency[code], facts.tags[code]))[:limit]
    return sorted(facts.tags[code] for code in best)


def _fit_tags(
    facts: ListingFacts, parameters: VectorParameters, tick: Callable[[], object]
) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Tags, idf (n_tags,) float64, tag vectors (n_tags, dimensions) float32."""
    tags = vocabulary(facts, parameters.vocabulary_limit)
    if not tags:
        return [], np.empty(0), np.empty((0, 0), np.float32)
    if len(tags) == 1:
        # scikit-learn wants two at least; there is nothing to reduce.
        return tags, np.ones(1), np.ones((1, 1), np.float32)

    from scipy import sparse
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfTransformer

    tick()
    row_of = dict(zip(tags, range(len(tags)), strict=True))
    column_of = np.array([row_of.get(tag, -1) for tag in facts.tags], dtype="i4")
    columns = column_of[facts.tag_codes]
    rows = np.repeat(np.arange(len(facts)), facts.tag_counts)
    known = columns >= 0
    # Binary: a listing bears a tag or does not.
    bears = sparse.csr_matrix(
        (np.ones(known.sum()), (rows[known], columns[known])), shape=(len(facts), len(tags))
    )
    tick()
    tfidf = TfidfTransformer(norm="l2", use_idf=True, smooth_idf=True).fit(bears)
    tick()

    tagged = np.flatnonzero(np.diff(bears.indptr))
    sample = bears[_sample(tagged, parameters.tag_sample_size, parameters.random_seed)]
    dimensions = min(parameters.tag_dimensions, len(tags), sample.shape[0])
    svd = TruncatedSVD(dimensions, algorithm="randomized", random_state=parameters.random_seed)
    with warnings.catch_warnings():
        # Identical rows have no variance to explain: a ratio sklearn divides by, and we do not use.
        warnings.simplefilter("ignore", RuntimeWarning)
        svd.fit(tfidf.transform(sample))
    return tags, tfidf.idf_.copy(), np.ascontiguousarray(svd.components_.T, dtype=np.float32)


def _fit_clusters(facts: ListingFacts, parameters: VectorParameters) -> np.ndarray:
    """(n_clusters, 3) float32 unit vectors, from west to east so that runs compare."""
    places = unit_sphere(facts.latitudes, facts.longitudes)
    places = places[np.isfinite(places[:, 0])]
    if not len(places):
        return np.empty((0, 3), np.float32)

    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    places = places[
        _sample(np.arange(len(places)), parameters.location_sample_size, parameters.random_seed)
    ]
    distinct = len(np.unique(places.round(9), axis=0))
    clusters = min(parameters.location_clusters, distinct)
    with warnings.catch_warnings():
        # Places a few centimetres apart may share a cluster; its twin then gets no listing.
        warnings.simplefilter("ignore", ConvergenceWarning)
        kmeans = KMeans(clusters, n_init=1, random_state=parameters.random_seed).fit(places)
    centres = unit_rows(kmeans.cluster_centers_, nothing=0.0)
    longitudes = np.arctan2(centres[:, 1], centres[:, 0])
    return centres[np.argsort(longitudes, kind="stable")].astype(np.float32)


def _fit_compensation(facts: ListingFacts) -> dict[str, Scaler]:
    """A scaler of log(1 + compensation) a currency: 100 EUR is not 100 JPY."""
    scalers = {}
    for code in sorted(range(len(facts.currencies)), key=facts.currencies.__getitem__):
        pay = facts.compensation[facts.currency_codes == code]
        scaler = _fit_scaler(np.log1p(pay))
        if scaler is not None:
            scalers[facts.currencies[code]] = scaler
    return scalers


def _fit_scaler(values: np.ndarray) -> Scaler | None:
    """Mean and deviation of the known values; a constant has scale 1; None if none is known."""
    known = values[np.isfinite(values)]
    if not len(known):
        return None

    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler().fit(known.reshape(-1, 1))
    return Scaler(mean=float(scaler.mean_[0]), scale=float(scaler.scale_[0]))


def _sample(rows: np.ndarray, size: int, seed: int) -> np.ndarray:
    """At most `size` of the rows, in their order."""
    if len(rows) <= size:
        return rows
    chosen = np.random.default_rng(seed).choice(len(rows), size, replace=False)
    return rows[np.sort(chosen)]
