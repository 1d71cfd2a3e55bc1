-- The fact behind one component of one listing, in words.
--
-- One expression, so that the planner inlines it and only the component asked for is worded.
--
-- Called by   feed.component_facts, feed.reason

create or replace function feed.component_fact(
    component text,
    listing feed.listings,
    counters feed.engagement_metrics,
    poster feed.posters,
    distance_km double precision,
    matched_tag_count integer,
    has_inferred_tags boolean,
    neighbor_count integer,
    content_score double precision,
    poster_choice_count integer,
    similar_choice_count integer,
    as_of timestamptz
)
returns text
language sql
stable
return case component
    when 'location'
        then
            case
                when distance_km is not null
                    then feed.distance_text(distance_km)
                when (listing).location is null then 'not tied to a place'
                else 'we do not know where you are'
            end
    when 'tag'
        then
            matched_tag_count || ' of '
            || feed.count_text(cardinality((listing).tags), 'tag ', 'tags ')
            || case
                when has_inferred_tags then 'you often choose'
                when matched_tag_count = 1 then 'is yours'
                else 'are yours'
            end
    when 'engagement'
        then
            coalesce(
                nullif(
                    concat_ws(
                        ', ',
                        case
                            when (counters).apply_count > 0
                                then
                                    feed.count_text(
                                        (counters).apply_count, 'application', 'applications'
                                    )
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
            )
    when 'recency'
        then
            'posted ' || feed.age_text(as_of - (listing).created_at)
    when 'poster'
        then
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
            end
    when 'collaborative'
        then
            feed.count_text(neighbor_count, 'user', 'users')
            || ' with a taste like yours chose it'
    when 'content'
        then
            round(100 * content_score) || ' % like what you chose before'
    when 'poster_affinity'
        then
            case
                when (listing).poster_uid is null then 'poster unknown'
                else
                    'you chose '
                    || feed.count_text(poster_choice_count, 'listing', 'listings')
                    || ' of this poster'
            end
    when 'item_similarity'
        then
            'goes with '
            || feed.count_text(similar_choice_count, 'listing', 'listings')
            || ' you chose lately'
end;

comment on function feed.component_fact is
'"1.9 km away", "4 of 6 tags are yours", …: the fact behind a component of a listing.';
