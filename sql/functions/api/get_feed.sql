-- The listings that a user should see now, best first.
--
-- Stable, so that blocks, changes and everything of the user are read in one snapshot. The
-- answer is that of feed.score_listings, found without scoring every listing.
--
-- Called by   clients

create or replace function api.get_feed(
    user_uid uuid default null,
    "limit" integer default 200,
    profile text default null,
    as_of timestamptz default null,
    exclude uuid[] default '{}'
)
returns table (
    rank integer,
    listing_id uuid,
    poster_uid uuid,
    external_id text,
    title text,
    description text,
    url text,
    image_url text,
    attributes jsonb,
    tags text[],
    lat double precision,
    lon double precision,
    compensation numeric,
    currency text,
    created_at timestamptz,
    expires_at timestamptz,
    distance_km double precision,
    score double precision,
    components jsonb,
    reason text,
    ticket text
)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
-- Look-ups by key, the same for every user: planning again, or compiling, costs more than it saves.
set plan_cache_mode = force_generic_plan
set jit = off
as $$
#variable_conflict use_column
declare
    asker constant uuid := identity.acting_for(get_feed.user_uid);
    -- Not now(): a listing seen after this transaction began, but committed before this
    -- statement, is seen.
    feed_time constant timestamptz := coalesce(get_feed.as_of, clock_timestamp());
    -- On GET PostgREST keeps the limit for itself; the gateway tells what it will leave.
    wanted constant integer := least(
        get_feed."limit",
        (
            nullif(current_setting('request.headers', true), '')::json ->> 'x-feed-limit'
        )::integer
    );
    chosen feed.ranking_profiles;
    key feed.ticket_keys;
begin
    if get_feed."limit" is null or get_feed."limit" not between 1 and 200 then
        raise sqlstate 'PT400' using
            message = 'limit must be a number from 1 to 200',
            hint = 'Ask for the next page with exclude: the listing_ids already shown.';
    end if;

    if cardinality(get_feed.exclude) > 1000 then
        raise sqlstate 'PT400' using
            message = 'exclude holds more than 1000 listings',
            hint = 'Send the 1000 shown last.';
    end if;

    if (get_feed.profile is not null or get_feed.as_of is not null) and not identity.is_service()
    then
        raise sqlstate 'PT403' using
            message = 'profile and as_of are for service_role only',
            hint = 'Leave them out.';
    end if;

    select p.* into chosen
    from feed.ranking_profiles as p
    where p.profile_name = coalesce(get_feed.profile, feed.profile_of(asker));

    if chosen.profile_name is null then
        raise sqlstate 'PT404' using
            message = format(
                'there is no ranking profile "%s"', feed.one_line(get_feed.profile)
            ),
            hint = 'Leave profile out for the user''s own.';
    end if;

    if not chosen.is_offered then
        raise sqlstate 'PT409' using
            message = format('the ranking profile "%s" is not offered', chosen.profile_name),
            detail = 'On later data it was not above default by more than the interval.',
            hint = 'To use it all the same, set is_offered in feed.ranking_profiles.';
    end if;

    select k.* into key
    from feed.ticket_keys as k
    order by k.key_no desc
    limit 1;

    return query
    with best as (
        select
            row_number() over (
                order by round(s.score::numeric, 9) desc, s.created_at desc, s.listing_id asc
            )::integer as rank,
            s.*
        from feed.best_listings(
            asker,
            chosen.profile_name,
            feed_time,
            wanted,
            array_remove(coalesce(get_feed.exclude, '{}'), null)
        ) as f
        cross join lateral feed.rescored_listings(
            asker,
            chosen.profile_name,
            feed_time,
            f.listing_nos,
            f.collaborative_scores,
            f.neighbor_counts,
            f.content_scores,
            f.poster_affinity_scores,
            f.poster_choice_counts,
            f.item_similarity_scores,
            f.similar_choice_counts
        ) as s
        order by round(s.score::numeric, 9) desc, s.created_at desc, s.listing_id asc
        limit wanted
    )

    select
        b.rank,
        l.listing_id,
        l.poster_uid,
        l.external_id,
        l.title,
        l.description,
        l.url,
        l.image_url,
        l.attributes,
        l.tags,
        ext.st_y(l.location::ext.geometry),
        ext.st_x(l.location::ext.geometry),
        l.compensation,
        l.currency,
        l.created_at,
        l.expires_at,
        b.distance_km,
        b.score,
        c.components,
        feed.reason(
            d.component_names,
            l,
            m,
            o,
            b.distance_km,
            b.matched_tag_count,
            b.has_inferred_tags,
            b.neighbor_count,
            b.content_score,
            b.poster_choice_count,
            b.similar_choice_count,
            feed_time
        ),
        t.body || '.' || feed.ticket_signature(key.secret, asker, t.body)
    from best as b
    inner join feed.listings as l using (listing_id)
    left join feed.engagement_metrics as m using (listing_id)
    left join feed.posters as o on l.poster_uid = o.poster_uid
    cross join lateral (
        select
            feed.weighted_components(
                chosen,
                b.location_score,
                b.tag_score,
                b.engagement_score,
                b.recency_score,
                b.poster_score,
                b.collaborative_score,
                b.content_score,
                b.poster_affinity_score,
                b.item_similarity_score
            ) as components
        offset 0
    ) as c
    cross join lateral feed.leading_components(c.components) as d
    cross join lateral (
        select
            feed.ticket_body(
                key.key_no,
                b.listing_id,
                b.rank,
                b.score,
                chosen.profile_name,
                now(),
                feed.ticket_components(
                    b.location_score,
                    b.tag_score,
                    b.engagement_score,
                    b.recency_score,
                    b.poster_score,
                    b.collaborative_score,
                    b.content_score,
                    b.poster_affinity_score,
                    b.item_similarity_score
                )
            ) as body
        offset 0
    ) as t
    order by b.rank;
end;
$$;

comment on function api.get_feed is
'The listings that the user should see now, best first

The true best of all eligible listings under the ranking formula: whatever was committed before the
request counts. Reading it writes nothing. For the next page send what was shown as `exclude`; an
offset would repeat or skip listings, because the feed changes between two requests.

Arguments:
- user_uid: Whose feed. The token''s own, and may be left out; service_role names any known user.
- limit: 1 to 200 rows. On GET it trims the answer, and /api/v1/feed takes 50 when it is left out.
- profile: A ranking profile other than the user''s own, which is default or that of an
  experiment; for service_role.
- as_of: The feed as of another moment, by today''s data; for service_role.
- exclude: Listings not to show, at most 1000: those already shown.

Answers a row a listing:
- rank: 1 is the best.
- distance_km: Great-circle distance; null if either place is unknown.
- score: In [0,1]: the sum of the contributions.
- components: {"location": {"value", "weight", "contribution"}, …}, one for each of the seven, and
  poster_affinity and item_similarity where the profile weighs them.
- reason: The facts of the two largest contributions, in words.
- ticket: Signed by the server; send it to track_impressions when the row is really on the screen.

Errors:
- 400: A limit that is not from 1 to 200, more than 1000 in exclude, what is no uuid, or, from
  service_role, no user_uid.
- 401: No token, or one that is not believed.
- 403: Somebody else''s feed; profile or as_of from anybody but service_role.
- 404: No such user or profile.
- 409: A profile that is not offered.';
