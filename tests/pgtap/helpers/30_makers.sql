-- Makers: rows by name, with defaults for all that a test does not care about.
--
-- Definer, so that a test can make rows while it acts as somebody. They write to the tables,
-- never through the api, so that the api is tested against what it did not make itself.

create or replace function tests.user(
    name text,
    lat double precision default null,
    lon double precision default null,
    max_distance double precision default null,
    preferred_tags text[] default null,
    blocked_tags text[] default null,
    personalization_enabled boolean default null
)
returns uuid
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    uid constant uuid := tests.user_uid(name);
begin
    insert into feed.users as u (user_uid, location)
    values (uid, ext.st_setsrid(ext.st_makepoint(lon, lat), 4326)::ext.geography)
    on conflict (user_uid) do update set location = excluded.location;

    if num_nonnulls(max_distance, preferred_tags, blocked_tags, personalization_enabled) > 0 then
        insert into feed.user_feed_preferences (
            user_uid, max_distance, preferred_tags, blocked_tags, personalization_enabled
        )
        values (
            uid,
            max_distance,
            coalesce(preferred_tags, '{}'),
            coalesce(blocked_tags, '{}'),
            coalesce(personalization_enabled, true)
        );
    end if;

    return uid;
end;
$$;

comment on function tests.user is
'A user; preferences only if any is given, since many users have no row of them.';

create or replace function tests.poster(
    name text,
    average_rating double precision default null,
    rating_count integer default 0,
    accepted_count integer default 0,
    completed_count integer default 0
)
returns uuid
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    uid constant uuid := tests.user_uid(name);
begin
    insert into feed.users (user_uid)
    values (uid)
    on conflict do nothing;

    insert into feed.posters (
        poster_uid, average_rating, rating_count, accepted_count, completed_count
    )
    values (uid, average_rating, rating_count, accepted_count, completed_count);

    return uid;
end;
$$;

comment on function tests.poster is 'A user who posts.';

create or replace function tests.listing(
    name text,
    poster text default null,
    tags text[] default '{}',
    lat double precision default null,
    lon double precision default null,
    compensation numeric default null,
    currency text default null,
    status feed.listing_status default 'open',
    created_at timestamptz default now(),
    expires_at timestamptz default null,
    external_id text default null
)
returns uuid
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    id constant uuid := tests.listing_id(name);
begin
    if poster is not null and not exists (
        select from feed.posters as p
        where p.poster_uid = tests.user_uid(poster)
    ) then
        perform tests.poster(poster);
    end if;

    insert into feed.listings (
        listing_id, poster_uid, title, tags, location, compensation, currency, status,
        created_at, expires_at, external_id
    )
    values (
        id,
        tests.user_uid(poster),
        name,
        tags,
        ext.st_setsrid(ext.st_makepoint(lon, lat), 4326)::ext.geography,
        compensation,
        currency,
        status,
        created_at,
        expires_at,
        external_id
    );

    return id;
end;
$$;

comment on function tests.listing is 'An open listing posted now, by nobody and nowhere.';

create or replace function tests.interaction(
    user_name text,
    listing_name text,
    type feed.interaction_type,
    at timestamptz default now(),
    event text default null,
    metadata jsonb default '{}'
)
returns uuid
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    id constant uuid := coalesce(tests.event_id(event), gen_random_uuid());
begin
    perform feed.ensure_partitions(at, at);

    insert into feed.user_interactions (
        user_uid, listing_id, type, metadata, created_at, event_id
    )
    values (
        tests.user_uid(user_name), tests.listing_id(listing_name), type, metadata, at, id
    );

    return id;
end;
$$;

comment on function tests.interaction is 'A row of the log, written as one statement.';

create or replace function tests.undo(event text)
returns void
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    delete from feed.user_interactions as i
    where i.event_id = tests.event_id(undo.event);
end;
$$;

comment on function tests.undo is 'Deletes the row of an event from the log.';

create or replace function tests.engagement(
    listing_name text,
    engagement_score double precision default 0,
    trending_score double precision default 0
)
returns void
language sql
security definer
set search_path = pg_catalog, pg_temp
begin atomic
    insert into feed.engagement_metrics as m (
        listing_id, engagement_score, trending_score, is_stale
    )
    values (
        tests.listing_id(engagement.listing_name),
        engagement.engagement_score,
        engagement.trending_score,
        false
    )
    on conflict (listing_id) do update set
        engagement_score = excluded.engagement_score,
        trending_score = excluded.trending_score,
        is_stale = false;
end;

comment on function tests.engagement is 'What the hourly job would have stored.';

create or replace function tests.model()
returns integer
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    id integer := (select c.model_id from ml.current_model as c);
begin
    if id is null then
        -- a projection that knows no tag, no place, no pay and no poster
        insert into ml.models (trained_at, parameters)
        values (
            now(),
            '{
                "blocks": {
                    "tags": {"start": 0, "length": 0, "weight": 1},
                    "location": {"start": 0, "length": 0, "weight": 1},
                    "compensation": {"start": 0, "length": 1, "weight": 1},
                    "poster": {"start": 1, "length": 1, "weight": 1}
                },
                "compensation_scalers": {},
                "poster_scaler": null,
                "scaled_value_limit": 3
            }'
        )
        returning model_id into id;

        update ml.current_model as c
        set
            model_id = id,
            published_at = now();
    end if;

    return id;
end;
$$;

comment on function tests.model is
'The model in force, made if there is none; listings made after it have a null vector.';

create or replace function tests.user_vector(
    name text,
    vector real[] default null,
    tag_preference jsonb default '{}'
)
returns void
language sql
security definer
set search_path = pg_catalog, pg_temp
begin atomic
    insert into ml.user_vectors (
        model_id, user_no, tag_preference, activity_level, feature_vector
    )
    values (
        tests.model(),
        tests.user_no(user_vector.name),
        user_vector.tag_preference,
        1,
        user_vector.vector
    );
end;

comment on function tests.user_vector is 'What the training would have learned of a user.';

create or replace function tests.listing_vector(name text, vector real[])
returns void
language sql
security definer
set search_path = pg_catalog, pg_temp
begin atomic
    insert into ml.listing_vectors as v (model_id, listing_no, feature_vector)
    values (tests.model(), tests.listing_no(listing_vector.name), listing_vector.vector)
    on conflict (model_id, listing_no) do update set feature_vector = excluded.feature_vector;
end;

comment on function tests.listing_vector is 'The vector of a listing under the model in force.';

create or replace function tests.neighbors(name text, neighbors text[], similarities real[])
returns void
language sql
security definer
set search_path = pg_catalog, pg_temp
begin atomic
    insert into ml.user_neighbors (model_id, user_no, neighbor_nos, similarities)
    select
        tests.model(),
        tests.user_no(neighbors.name),
        array_agg(tests.user_no(n.name) order by n.place),
        neighbors.similarities
    from unnest(neighbors.neighbors) with ordinality as n (name, place);
end;

comment on function tests.neighbors is 'Whom the training would have found similar to a user.';

create or replace function tests.goes_with(name text, listings text[], similarities real[])
returns void
language sql
security definer
set search_path = pg_catalog, pg_temp
begin atomic
    insert into ml.listing_neighbors (model_id, listing_no, neighbor_nos, similarities)
    select
        tests.model(),
        tests.listing_no(goes_with.name),
        array_agg(tests.listing_no(n.name) order by n.place),
        goes_with.similarities
    from unnest(goes_with.listings) with ordinality as n (name, place);
end;

comment on function tests.goes_with is
'Which listings the training would have found to go with one that users choose.';

create or replace function tests.impression(
    user_name text,
    listing_name text,
    at timestamptz default now(),
    "position" integer default 1,
    profile_name text default 'default'
)
returns void
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform feed.ensure_partitions(at, at);

    insert into feed.feed_impressions (
        ticket, user_uid, listing_id, position, score, profile_name, created_at
    )
    values (
        'made by a test',
        tests.user_uid(user_name),
        tests.listing_id(listing_name),
        impression.position,
        0.5,
        impression.profile_name,
        at
    );
end;
$$;

comment on function tests.impression is 'A row of a feed that was on a screen.';
