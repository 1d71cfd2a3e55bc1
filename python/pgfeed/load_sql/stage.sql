-- Where a load stands until all of it is known to be good: typed, with line numbers,
-- before any shift in time, seen by this session alone.

drop table if exists
    pg_temp.staged_users,
    pg_temp.staged_posters,
    pg_temp.staged_listings,
    pg_temp.staged_interactions,
    pg_temp.staged_impressions,
    pg_temp.staged_user_tags,
    pg_temp.staged_clock;

create temporary table staged_users (
    line integer not null,
    user_uid uuid not null,
    lat double precision,
    lon double precision,
    created_at timestamptz,
    preferred_tags text[],
    blocked_tags text[],
    max_distance double precision,
    personalization_enabled boolean
);

create temporary table staged_posters (
    line integer not null,
    poster_uid uuid not null,
    average_rating double precision,
    rating_count integer,
    accepted_count integer,
    completed_count integer
);

create temporary table staged_listings (
    line integer not null,
    listing_id uuid not null,
    poster_uid uuid,
    poster_rating double precision,
    external_id text,
    title text,
    title_if_none text not null,
    description text,
    url text,
    image_url text,
    attributes jsonb,
    tags text[],
    lat double precision,
    lon double precision,
    compensation numeric,
    currency text,
    status text,
    created_at timestamptz,
    expires_at timestamptz
);

-- type_number counts feed.interaction_type from 1; seconds below 0 are none. All columns
-- have a fixed width, so that a generator can write them as one array.
create temporary table staged_interactions (
    line integer not null,
    user_uid uuid not null,
    listing_id uuid not null,
    type_number smallint not null,
    seconds double precision not null,
    created_at timestamptz not null,
    event_id uuid not null
);

-- What feeds showed; profile_number counts the profiles of pgfeed.synth from 1.
create temporary table staged_impressions (
    user_uid uuid not null,
    listing_id uuid not null,
    position integer not null,
    score double precision not null,
    profile_number smallint not null,
    created_at timestamptz not null
);

create temporary table staged_user_tags (
    line integer not null,
    user_uid uuid not null,
    tags text[] not null
);

-- One row: what is added to every time of the files.
create temporary table staged_clock (
    shift interval not null
);

grant select, delete on
    staged_users,
    staged_posters,
    staged_listings,
    staged_interactions,
    staged_impressions,
    staged_user_tags,
    staged_clock
to feed_owner;
