-- feed.user_interactions: written once, never changed
--
-- An update would move counters in ways that nobody has asked for; TRUNCATE would not count
-- at all. Retract the event, or delete its row.

create or replace function feed.tg_user_interactions__refuse()
returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    raise exception '% of feed.user_interactions is refused', lower(tg_op) using
        errcode = 'restrict_violation',
        hint = 'Insert and delete rows; the counters follow these.';
end;
$$;

comment on function feed.tg_user_interactions__refuse is
'Refuses to change or truncate the log.';

create or replace trigger t10_refuse_update
before update on feed.user_interactions
for each statement
execute function feed.tg_user_interactions__refuse();

create or replace trigger t10_refuse_truncate
before truncate on feed.user_interactions
for each statement
execute function feed.tg_user_interactions__refuse();
