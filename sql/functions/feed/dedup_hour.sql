-- Within what an interaction counts once: its UTC hour, or for ever.
--
-- Called by   feed.tg_user_interactions__count, feed.counted_interactions

create or replace function feed.dedup_hour(type feed.interaction_type, created_at timestamptz)
returns timestamptz
language sql
immutable
parallel safe
return case
    when type in ('apply', 'save', 'dismiss') then '-infinity'
    else date_trunc('hour', created_at, 'UTC')
end;

comment on function feed.dedup_hour is
'The UTC hour in which a view, click or share counts once; -infinity for apply, save and
dismiss, which count once ever.';
