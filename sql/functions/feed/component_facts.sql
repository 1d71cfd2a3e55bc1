-- The fact behind each component of one listing, in words.
--
-- Called by   api.get_feed, api.explain_listing

create or replace function feed.component_facts(
    listing feed.listings,
    counters feed.engagement_metrics,
    poster feed.posters,
    distance_km double precision,
    matched_tag_count integer,
    has_inferred_tags boolean,
    neighbor_count integer,
    content_score double precision,
    as_of timestamptz
)
returns jsonb
language sql
stable
return jsonb_build_object(
    'location',
    case
        when distance_km is not null
            then feed.distance_text(distance_km)
        when (listing).location is null then 'not tied to a place'
        else 'we do not know where you are'
    end,
    'tag',
    matched_tag_count || ' of '
    || feed.count_text(cardinality((listing).tags), 'tag ', 'tags ')
    || case
        when has_inferred_tags then 'you often choose'
        when matched_tag_count = 1 then 'is yours'
        else 'are yours'
    end,
    'engagement',
    coalesce(
        nullif(
            concat_ws(
                ', ',
                case
                    when (counters).apply_count > 0
                        then feed.count_text((counters).apply_count, 'application', 'applications')
                end,
                case
                    when (counters).save_count > 0
                        then feed.count_text((counters).save_count, 'save', 'saves')
                end,
                case
                    when (counters).share_count > 0
                        then feed.count_text((counters).share_count, 'share', 'shares')
                end,
                case
                    when (counters).click_count > 0
                        then feed.count_text((counters).click_count, 'click', 'clicks')
                end,
                case
                    when (counters).view_count > 0
                        then feed.count_text((counters).view_count, 'view', 'views')
                end
            ),
            ''
        ),
        'nobody has seen it yet'
    ),
    'recency', 'posted ' || feed.age_text(as_of - (listing).created_at),
    'poster',
    case
        when (poster).poster_uid is null then 'poster unknown'
        when (poster).rating_count = 0 and (poster).accepted_count = 0 then 'a new poster'
        else
            concat_ws(
                ', ',
                case
                    when (poster).rating_count > 0 and (poster).average_rating is not null
                        then
                            'poster rated ' || to_char((poster).average_rating, 'FM0.0')
                            || ' by ' || (poster).rating_count
                    else 'poster not rated yet'
                end,
                case
                    when (poster).accepted_count > 0
                        then
                            (poster).completed_count || ' of '
                            || feed.count_text((poster).accepted_count, 'deal', 'deals')
                            || ' completed'
                end
            )
    end,
    'collaborative',
    feed.count_text(neighbor_count, 'user', 'users')
    || ' with a taste like yours chose it',
    'content',
    round(100 * content_score) || ' % like what you chose before'
);

comment on function feed.component_facts is
'{"location": "1.9 km away", "tag": "4 of 6 tags are yours", …}: the fact behind each of a
listing''s seven components.';
