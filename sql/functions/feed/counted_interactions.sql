-- The interactions in the log that count, each with the time at which it did.
--
-- One a user, listing, type and UTC hour: the earliest of the hour. Of apply, save and
-- dismiss only the first ever, which user_listing_states remembers. A poster's own
-- interactions have no state, so they fall out.
--
-- Called by   jobs.refresh_engagement, feed.expected_engagement

create or replace function feed.counted_interactions(after timestamptz, until timestamptz)
returns table (
    listing_id uuid,
    user_uid uuid,
    type feed.interaction_type,
    counted_at timestamptz
)
language sql
stable
begin atomic
    select
        i.listing_id,
        i.user_uid,
        i.type,
        min(i.created_at)
    from feed.user_interactions as i
    inner join feed.users as u using (user_uid)
    inner join feed.listings as l using (listing_id)
    inner join feed.user_listing_states as s using (user_no, listing_no)
    where
        -- the earliest of an hour that `after` cuts may lie before it
        i.created_at >= date_trunc('hour', counted_interactions.after, 'UTC')
        and i.created_at <= counted_interactions.until
        and case i.type
            when 'apply' then i.created_at = s.applied_at
            when 'save' then i.created_at = s.saved_at
            when 'dismiss' then i.created_at = s.dismissed_at
            else true
        end
    group by
        i.listing_id, i.user_uid, i.type, feed.dedup_hour(i.type, i.created_at)
    having min(i.created_at) > counted_interactions.after;
end;

comment on function feed.counted_interactions is
'The interactions in the log that count, from after (exclusive) to until (inclusive): one a
user, listing, type and UTC hour; apply, save and dismiss once ever; a poster''s own never.';
