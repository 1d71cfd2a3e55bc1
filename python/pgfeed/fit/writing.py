"""A learned profile as a row of feed.ranking_profiles, written in the server and outside alike."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from pgfeed.database import Database

# All that is not named is as in default.
INSERT = """
insert into feed.ranking_profiles
select (
    jsonb_populate_record(p, $1::text::jsonb || jsonb_build_object('created_at', now()))
).*
from feed.ranking_profiles as p
where p.profile_name = 'default'
"""


def insert(
    database: Database,
    name: str,
    weights: Mapping[str, Decimal],
    parameters: Mapping[str, Any],
    evaluation: Mapping[str, Any],
    is_offered: bool,
) -> None:
    """weights: by component, of sum exactly 1; parameters: columns that default has otherwise."""
    row = {f"{component}_weight": str(weight) for component, weight in weights.items()}
    row |= parameters | {
        "profile_name": name,
        "evaluation": evaluation,
        "is_offered": is_offered,
    }
    database.run(INSERT, json.dumps(row))
