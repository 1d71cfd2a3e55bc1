"""A listing's feature vector from stored projections. numpy only: on the request path.

Training and the trigger on feed.listings both make vectors here, so that a listing has
the same vector whichever of them wrote it. For that, no sum may depend on how many
listings are made at once: sums run over one listing's own tags or dimensions.

docs/analysts/vectors.md has the formula.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pgfeed.listing_facts import ListingFacts

# A vector shorter than this is rounding error, not information.
NOTHING = 1e-6


@dataclass(frozen=True)
class Scaler:
    """Standardises a value: (value - mean) / scale."""

    mean: float
    scale: float


@dataclass(frozen=True)
class Projection:
    """Everything needed to make the vector of any listing.

    vocabulary: tag -> its row in idf (n_tags,) float64 and tag_vectors
        (n_tags, tag_dimensions) float32
    centres: (n_clusters, 3) float32, unit vectors
    compensation_scalers: currency ('' for none) -> scaler of log(1 + compensation)
    poster_scaler: scaler of poster_score, None if no listing had one
    limit: standardised values are clipped to [-limit, limit]
    """

    vocabulary: Mapping[str, int]
    idf: np.ndarray
    tag_vectors: np.ndarray
    centres: np.ndarray
    compensation_scalers: Mapping[str, Scaler]
    poster_scaler: Scaler | None
    tag_weight: float
    location_weight: float
    compensation_weight: float
    poster_weight: float
    limit: float

    @property
    def tag_dimensions(self) -> int:
        return self.tag_vectors.shape[1]

    @property
    def dimensions(self) -> int:
        """Tags, clusters, compensation, poster."""
        return self.tag_dimensions + len(self.centres) + 2

    def parameters(self) -> dict[str, Any]:
        """What ml.models.parameters holds; the tags and clusters have tables of their own."""
        clusters = len(self.centres)
        return {
            "blocks": {
                "tags": _block(0, self.tag_dimensions, self.tag_weight),
                "location": _block(self.tag_dimensions, clusters, self.location_weight),
                "compensation": _block(self.dimensions - 2, 1, self.compensation_weight),
                "poster": _block(self.dimensions - 1, 1, self.poster_weight),
            },
            "compensation_scalers": {
                currency: {"mean": scaler.mean, "scale": scaler.scale}
                for currency, scaler in self.compensation_scalers.items()
            },
            "poster_scaler": self.poster_scaler
            and {"mean": self.poster_scaler.mean, "scale": self.poster_scaler.scale},
            "scaled_value_limit": self.limit,
        }

    @classmethod
    def stored(
        cls,
        parameters: Mapping[str, Any],
        tags: list[str],
        idf: np.ndarray,
        tag_vectors: np.ndarray,
        centres: np.ndarray,
    ) -> Projection:
        """The projection of a model, from ml.models.parameters and its two tables."""
        blocks = parameters["blocks"]
        poster = parameters["poster_scaler"]
        return cls(
            vocabulary={tag: row for row, tag in enumerate(tags)},
            idf=idf,
            tag_vectors=tag_vectors.reshape(len(tags), blocks["tags"]["length"]),
            centres=centres.reshape(blocks["location"]["length"], 3),
            compensation_scalers={
                currency: Scaler(**scaler)
                for currency, scaler in parameters["compensation_scalers"].items()
            },
            poster_scaler=Scaler(**poster) if poster else None,
            tag_weight=blocks["tags"]["weight"],
            location_weight=blocks["location"]["weight"],
            compensation_weight=blocks["compensation"]["weight"],
            poster_weight=blocks["poster"]["weight"],
            limit=parameters["scaled_value_limit"],
        )

    def listing_vectors(self, facts: ListingFacts) -> np.ndarray:
        """(n, dimensions) float32 of unit length; NaN throughout where nothing is known."""
        vectors = np.zeros((len(facts), self.dimensions))
        end = self.tag_dimensions
        vectors[:, :end] = self.tag_weight * self._tags(facts)
        vectors[:, end:-2] = self.location_weight * self._locations(facts)
        vectors[:, -2] = self.compensation_weight * self._compensation(facts)
        vectors[:, -1] = self.poster_weight * self._scaled(facts.poster_scores, self.poster_scaler)
        return unit_rows(vectors, nothing=np.nan).astype(np.float32)

    def _tags(self, facts: ListingFacts) -> np.ndarray:
        """(n, tag_dimensions): Σ idf · tag_vector over the listing's tags, at unit length.

        Dividing by the length of the TF-IDF row, as TfidfTransformer does, would only be
        undone by the unit length.
        """
        sums = np.zeros((len(facts), self.tag_dimensions))
        row_of = np.array([self.vocabulary.get(tag, -1) for tag in facts.tags], dtype="i4")
        rows = row_of[facts.tag_codes] if len(row_of) else facts.tag_codes
        known = rows >= 0
        rows = rows[known]
        if len(rows) and self.tag_dimensions:
            listing_of = np.repeat(np.arange(len(facts)), facts.tag_counts)[known]
            starts = np.flatnonzero(np.diff(listing_of, prepend=-1))
            weighted = self.tag_vectors[rows] * self.idf[rows, np.newaxis]
            sums[listing_of[starts]] = np.add.reduceat(weighted, starts, axis=0)
        return unit_rows(sums, nothing=0.0)

    def _locations(self, facts: ListingFacts) -> np.ndarray:
        """(n, n_clusters): 1 for the cluster whose centre is nearest on the sphere."""
        one_hot = np.zeros((len(facts), len(self.centres)))
        if len(self.centres):
            places = unit_sphere(facts.latitudes, facts.longitudes)
            known = np.flatnonzero(np.isfinite(places[:, 0]))
            x, y, z = places[known].T[:, :, np.newaxis]
            # float32 leaves their lengths a little off 1, which would outweigh a kilometre.
            centres = unit_rows(self.centres.astype(np.float64), nothing=0.0)
            nearness = x * centres[:, 0] + y * centres[:, 1] + z * centres[:, 2]
            one_hot[known, nearness.argmax(axis=1)] = 1
        return one_hot

    def _compensation(self, facts: ListingFacts) -> np.ndarray:
        """(n,): log(1 + compensation), standardised within its currency; 0 if unknown."""
        scaled = np.zeros(len(facts))
        for code, currency in enumerate(facts.currencies):
            scaler = self.compensation_scalers.get(currency)
            which = np.flatnonzero(facts.currency_codes == code)
            scaled[which] = self._scaled(np.log1p(facts.compensation[which]), scaler)
        return scaled

    def _scaled(self, values: np.ndarray, scaler: Scaler | None) -> np.ndarray:
        if scaler is None:
            return np.zeros(len(values))
        scaled = np.clip((values - scaler.mean) / scaler.scale, -self.limit, self.limit)
        return np.nan_to_num(scaled, nan=0.0)


def unit_sphere(latitudes: np.ndarray, longitudes: np.ndarray) -> np.ndarray:
    """(n, 3) unit vectors of places in degrees; NaN where unknown."""
    latitude, longitude = np.radians(latitudes), np.radians(longitudes)
    return np.stack(
        [
            np.cos(latitude) * np.cos(longitude),
            np.cos(latitude) * np.sin(longitude),
            np.sin(latitude),
        ],
        axis=1,
    )


def unit_rows(vectors: np.ndarray, nothing: float) -> np.ndarray:
    """Rows at unit length; rows shorter than NOTHING become `nothing` throughout."""
    lengths = np.sqrt((vectors * vectors).sum(axis=1))
    is_something = lengths >= NOTHING
    unit = np.full_like(vectors, nothing)
    unit[is_something] = vectors[is_something] / lengths[is_something, np.newaxis]
    return unit


def _block(start: int, length: int, weight: float) -> dict[str, float]:
    return {"start": start, "length": length, "weight": weight}
