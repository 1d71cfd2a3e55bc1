-- The fact behind each component of one listing, in words.
--
-- Called by   api.get_feed, api.explain_listing

create or replace function feed.component_facts(
    listing_id uuid,
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
begin atomic
    select
        jsonb_build_object(
            'location',
            case
                when component_facts.distance_km is not null
                    then feed.distance_text(component_facts.distance_km)
                when l.location is null then 'not tied to a place'
                else 'we do not know where you are'
            end,
            'tag',
            component_facts.matched_tag_count || ' of '
            || feed.count_text(cardinality(l.tags), 'tag ', 'tags ')
            || case
                when component_facts.has_inferred_tags then 'you often choose'
                when component_facts.matched_tag_count = 1 then 'is yours'
                else 'are yours'
            end,
            'engagement',
            coalesce(
                nullif(
                    concat_ws(
                        ', ',
                        case
                            when m.apply_count > 0
                                then feed.count_text(m.apply_count, 'application', 'applications')
                        end,
                        case
                            when m.save_count > 0
                                then feed.count_text(m.save_count, 'save', 'saves')
                        end,
                        case
                            when m.share_count > 0
                                then feed.count_text(m.share_count, 'share', 'shares')
                        end,
                        case
                            when m.click_count > 0
                                then feed.count_text(m.click_count, 'click', 'clicks')
                        end,
                        case
                            when m.view_count > 0
                                then feed.count_text(m.view_count, 'view', 'views')
                        end
                    ),
                    ''
                ),
                'nobody has seen it yet'
            ),
            'recency', 'posted ' || feed.age_text(component_facts.as_of - l.created_at),
            'poster',
            case
                when o.poster_uid is null then 'poster unknown'
                when o.rating_count = 0 and o.accepted_count = 0 then 'a new poster'
                else
                    concat_ws(
                        ', ',
                        case
                            when o.rating_count > 0 and o.average_rating is not null
                                then
                                    'poster rated ' || to_char(o.average_rating, 'FM0.0')
                                    || ' by ' || o.rating_count
                            else 'poster not rated yet'
                        end,
                        case
                            when o.accepted_count > 0
                                then
                                    o.completed_count || ' of '
                                    || feed.count_text(o.accepted_count, 'deal', 'deals')
                                    || ' completed'
                        end
                    )
            end,
            'collaborative',
            feed.count_text(component_facts.neighbor_count, 'user', 'users')
            || ' with a taste like yours chose it',
            'content',
            round(100 * component_facts.content_score) || ' % like what you chose before'
        )
    from feed.listings as l
    left join feed.engagement_metrics as m on l.listing_id = m.listing_id
    left join feed.posters as o on l.poster_uid = o.poster_uid
    where l.listing_id = component_facts.listing_id;
end;

comment on function feed.component_facts is
'{"location": "1.9 km away", "tag": "4 of 6 tags are yours", …}: the fact behind each of a
listing''s seven components.';
