"""The components of a score, in the order of feed.component_names."""

COMPONENTS = (
    "location",
    "tag",
    "engagement",
    "recency",
    "poster",
    "collaborative",
    "content",
    "poster_affinity",
    "item_similarity",
)
