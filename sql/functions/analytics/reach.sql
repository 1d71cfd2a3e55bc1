-- How many users and listings are reached, now.
--
-- Called by   jobs.refresh_analytics
-- Costs       all users, all open listings, the impressions of shown_window

create or replace function analytics.reach(as_of timestamptz)
returns table (measure text, covered_count bigint, total_count bigint)
language sql
stable
begin atomic
    select
        'users_with_personalisation',
        count(*) filter (
            where coalesce(p.personalization_enabled, true)
            and (v.feature_vector is not null or v.tag_preference <> '{}')
        ),
        count(*)
    from feed.users as u
    left join feed.user_feed_preferences as p using (user_uid)
    left join ml.user_vectors as v
        on
            u.user_no = v.user_no
            and v.model_id = (select c.model_id from ml.current_model as c)
    union all
    select
        'users_with_neighbors',
        count(*) filter (where n.neighbor_nos <> '{}'),
        count(*)
    from feed.users as u
    left join ml.user_neighbors as n
        on
            u.user_no = n.user_no
            and n.model_id = (select c.model_id from ml.current_model as c)
    union all
    select
        'listings_shown',
        count(s.listing_id),
        count(*)
    from feed.listings as l
    left join (
        select i.listing_id
        from feed.feed_impressions as i
        cross join analytics.refresh_parameters as p
        where
            i.created_at > reach.as_of - p.shown_window
            and i.created_at <= reach.as_of
        group by i.listing_id
    ) as s using (listing_id)
    where
        l.status = 'open'
        and (l.expires_at is null or l.expires_at > reach.as_of);
end;

comment on function analytics.reach is
'Users with personalisation on of whom the model in force knows a vector or tags, users with
similar users, and open listings that were on a screen within shown_window; each of how many.';
