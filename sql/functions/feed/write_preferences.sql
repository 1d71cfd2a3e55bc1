-- Writes the preferences that a JSON object names; the others stay.
--
-- Called by   api.upsert_users, api.tg_preferences__update

create or replace function feed.write_preferences(user_uid uuid, fields jsonb)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    tag_field text;
    preferred text [];
    blocked text [];
    contradictory text [];
    old feed.user_feed_preferences;
    new feed.user_feed_preferences;
begin
    foreach tag_field in array array['preferred_tags', 'blocked_tags']
    loop
        if
            fields ? tag_field
            and (
                case jsonb_typeof(fields -> tag_field)
                    when 'null' then false
                    when 'array'
                        then jsonb_path_exists(fields -> tag_field, '$[*] ? (@.type() != "string")')
                    else true
                end
            )
        then
            raise sqlstate 'PT400' using
                message = format('%s must be an array of strings', tag_field),
                hint = 'Send ["hiking", "jazz"], or [] for none.';
        end if;
    end loop;

    select p.* into old
    from feed.user_feed_preferences as p
    where p.user_uid = write_preferences.user_uid;

    preferred := case
        when fields ? 'preferred_tags'
            then array(select jsonb_array_elements_text(nullif(fields -> 'preferred_tags', 'null')))
        else coalesce(old.preferred_tags, '{}')
    end;
    blocked := case
        when fields ? 'blocked_tags'
            then array(select jsonb_array_elements_text(nullif(fields -> 'blocked_tags', 'null')))
        else coalesce(old.blocked_tags, '{}')
    end;

    if exists (
        select from unnest(feed.normalized_tags(preferred || blocked)) as t (tag)
        where length(t.tag) > 200 or t.tag ~ '\n'
    ) then
        raise sqlstate 'PT400' using
            message = 'a tag has at most 200 characters, on one line',
            hint = 'Send a few words as a tag: ["hiking", "jazz"].';
    end if;

    select array_agg(p.tag) into contradictory
    from unnest(feed.normalized_tags(preferred)) as p (tag)
    where p.tag = any(feed.normalized_tags(blocked));

    if contradictory is not null then
        raise sqlstate 'PT400' using
            message = format(
                'both preferred and blocked: %s',
                feed.one_line(array_to_string(contradictory, ', '))
            ),
            hint = 'A tag is either preferred or blocked.';
    end if;

    new.max_distance := case
        when fields ? 'max_distance' then (fields ->> 'max_distance')::double precision
        else old.max_distance
    end;

    if new.max_distance <= 0 or new.max_distance >= 'infinity' then
        raise sqlstate 'PT400' using
            message = format('max_distance of %s km is not a distance', new.max_distance),
            hint = 'Send km above 0, or null for no limit.';
    end if;

    insert into feed.user_feed_preferences as p (
        user_uid, max_distance, preferred_tags, blocked_tags, personalization_enabled
    )
    values (
        write_preferences.user_uid,
        new.max_distance,
        preferred,
        blocked,
        coalesce(
            (fields ->> 'personalization_enabled')::boolean, old.personalization_enabled, true
        )
    )
    on conflict (user_uid) do update set
        max_distance = excluded.max_distance,
        preferred_tags = excluded.preferred_tags,
        blocked_tags = excluded.blocked_tags,
        personalization_enabled = excluded.personalization_enabled
    where
        (p.max_distance, p.preferred_tags, p.blocked_tags, p.personalization_enabled)
        is distinct from (
            excluded.max_distance,
            excluded.preferred_tags,
            excluded.blocked_tags,
            excluded.personalization_enabled
        );
end;
$$;

comment on function feed.write_preferences is
'Writes the fields of user_feed_preferences that a JSON object names. PT400 for a tag both
preferred and blocked, or a distance that is none.';
