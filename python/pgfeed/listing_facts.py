"""What the vectors of listings are made from, as columns. numpy only: on the request path."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class ListingFacts:
    """n listings; unknown numbers are NaN.

    listing_nos: (n,) int32
    tags: the distinct tags; tag_codes (m,) int32 are places in it, listing after listing
    tag_counts: (n,) int64, how many of tag_codes belong to each listing
    currencies: the distinct currencies, '' for none; currency_codes (n,) int32
    latitudes, longitudes: (n,) float64, degrees
    compensation: (n,) float64, in the listing's currency
    poster_scores: (n,) float64 in [0, 1]
    """

    listing_nos: np.ndarray
    tags: list[str]
    tag_codes: np.ndarray
    tag_counts: np.ndarray
    currencies: list[str]
    currency_codes: np.ndarray
    latitudes: np.ndarray
    longitudes: np.ndarray
    compensation: np.ndarray
    poster_scores: np.ndarray

    def __len__(self) -> int:
        return len(self.listing_nos)

    def by_listing_no(self) -> ListingFacts:
        """The same listings in ascending order of listing_no."""
        order = np.argsort(self.listing_nos, kind="stable")
        ends = np.cumsum(self.tag_counts)
        counts = self.tag_counts[order]
        new_ends = np.cumsum(counts)
        shift = (ends - self.tag_counts)[order] - (new_ends - counts)
        places = np.arange(len(self.tag_codes)) + np.repeat(shift, counts)
        return ListingFacts(
            self.listing_nos[order],
            self.tags,
            self.tag_codes[places],
            counts,
            self.currencies,
            self.currency_codes[order],
            self.latitudes[order],
            self.longitudes[order],
            self.compensation[order],
            self.poster_scores[order],
        )

    def part(self, first: int, last: int) -> ListingFacts:
        """The listings first to last - 1, as views."""
        ends = np.cumsum(self.tag_counts)
        begin = int(ends[first - 1]) if first else 0
        end = int(ends[last - 1]) if last else 0
        part = slice(first, last)
        return ListingFacts(
            self.listing_nos[part],
            self.tags,
            self.tag_codes[begin:end],
            self.tag_counts[part],
            self.currencies,
            self.currency_codes[part],
            self.latitudes[part],
            self.longitudes[part],
            self.compensation[part],
            self.poster_scores[part],
        )


COLUMN_TYPES = {
    "listing_nos": "i4",
    "tag_codes": "i4",
    "tag_counts": "i8",
    "currency_codes": "i4",
    "latitudes": "f8",
    "longitudes": "f8",
    "compensation": "f8",
    "poster_scores": "f8",
}


class _Codes(defaultdict):
    """Numbers names in order of appearance, from 0."""

    def __missing__(self, name: str) -> int:
        self[name] = code = len(self)
        return code


@dataclass
class FactsReader:
    """Puts together what SQL sends in pieces (ml.listing_facts, sql/functions/ml)."""

    _tags: _Codes = field(default_factory=_Codes)
    _currencies: _Codes = field(default_factory=_Codes)
    _columns: dict[str, list[np.ndarray]] = field(default_factory=lambda: defaultdict(list))

    def add(self, row: Mapping[str, Any]) -> None:
        """Takes one row: arrays as big-endian bytea, tags and currencies as JSON text."""
        add = self._columns
        add["listing_nos"].append(np.frombuffer(row["listing_nos"] or b"", ">i4").astype("i4"))
        for name in ("latitudes", "longitudes", "compensation", "poster_scores"):
            add[name].append(np.frombuffer(row[name] or b"", ">f8").astype("f8"))

        tag_lists = json.loads(row["tags"] or "[]")
        codes = self._tags
        add["tag_codes"].append(
            np.array([codes[tag] for tags in tag_lists for tag in tags], dtype="i4")
        )
        add["tag_counts"].append(np.array([len(tags) for tags in tag_lists], dtype="i8"))
        codes = self._currencies
        add["currency_codes"].append(
            np.array(
                [codes[name or ""] for name in json.loads(row["currencies"] or "[]")], dtype="i4"
            )
        )

    def facts(self) -> ListingFacts:
        """Everything added so far."""
        columns = {
            name: np.concatenate([np.empty(0, dtype), *self._columns[name]])
            for name, dtype in COLUMN_TYPES.items()
        }
        return ListingFacts(tags=list(self._tags), currencies=list(self._currencies), **columns)
