-- feed.user_feed_preferences: normal form

create or replace function feed.tg_user_feed_preferences__normalize()
returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    new.preferred_tags := feed.normalized_tags(new.preferred_tags);
    new.blocked_tags := feed.normalized_tags(new.blocked_tags);
    new.updated_at := now();

    return new;
end;
$$;

comment on function feed.tg_user_feed_preferences__normalize is
'Normalises both sets of tags and notes the time.';

create or replace trigger t10_normalize
before insert or update on feed.user_feed_preferences
for each row
execute function feed.tg_user_feed_preferences__normalize();
