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
    -- not date_trunc, which is stable and would keep this from being inlined
    else date_bin('1 hour', created_at, '2000-01-01 00:00:00+00'::timestamptz)
end;

comment on function feed.dedup_hour is
'The UTC hour in which a view, click or share counts once; -infinity for apply, save and
dismiss, which count once ever.';
