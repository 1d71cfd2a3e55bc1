-- Users from the application that owns them.
--
-- Called by   the application (service_role)

create or replace function api.upsert_users(users jsonb)
returns jsonb
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    item jsonb;
    index integer;
    uid uuid;
    rule text;
    problem text;
    remedy text;
    inserted integer := 0;
    place ext.geography;
begin
    perform feed.require_batch(users, array[
        'user_uid', 'lat', 'lon', 'max_distance', 'preferred_tags', 'blocked_tags',
        'personalization_enabled'
    ]);

    -- In key order, so that two batches do not deadlock.
    for item, index in
        select
            u.item,
            (u.n - 1)::integer
        from jsonb_array_elements(users) with ordinality as u (item, n)
        order by u.item ->> 'user_uid', u.n
    loop
        uid := (item ->> 'user_uid')::uuid;

        if uid is null then
            raise sqlstate 'PT400' using
                message = 'user_uid is missing',
                hint = 'Every row needs the uuid of the user.';
        end if;

        if not exists (select from feed.users as u where u.user_uid = uid) then
            inserted := inserted + 1;
        end if;

        perform feed.ensure_user(uid);

        if item ?| array['lat', 'lon'] then
            place := feed.make_point(
                (item ->> 'lat')::double precision, (item ->> 'lon')::double precision
            );

            update feed.users as u
            set location = place
            where
                u.user_uid = uid
                and u.location::text is distinct from place::text;
        end if;

        if item ?| array[
            'max_distance', 'preferred_tags', 'blocked_tags', 'personalization_enabled'
        ] then
            perform feed.write_preferences(uid, item);
        end if;
    end loop;

    return jsonb_build_object(
        'inserted', inserted, 'updated', jsonb_array_length(users) - inserted
    );
exception
    when integrity_constraint_violation or data_exception or sqlstate 'PT400' then
        get stacked diagnostics
            rule = constraint_name,
            problem = message_text,
            remedy = pg_exception_hint;
        perform feed.refuse_batch(index, problem, rule, remedy);
        return null;
end;
$$;

comment on function api.upsert_users is
'Makes users known, or changes them; for service_role

Idempotent: the same batch again changes nothing. All or nothing.

Arguments:
- users: At most 1000: [{"user_uid", "lat", "lon", "max_distance", "preferred_tags",
  "blocked_tags", "personalization_enabled"}, …]. Only user_uid is needed; a field left out stays
  as it is, null clears it.

Answers an object:
- inserted: How many were not known.
- updated: How many were known, changed or not.

Errors:
- 400: No array, more than 1000 rows, an unknown field, or a bad value; the message names the row.
- 401: No token, or one that is not believed.
- 403: A token that is not service_role''s.';
