-- Posters from the application that owns them.
--
-- Called by   the application (service_role)

create or replace function api.upsert_posters(posters jsonb)
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
begin
    perform feed.require_batch(posters, array[
        'poster_uid', 'average_rating', 'rating_count', 'accepted_count', 'completed_count'
    ]);

    -- In key order, so that two batches do not deadlock.
    for item, index in
        select
            p.item,
            (p.n - 1)::integer
        from jsonb_array_elements(posters) with ordinality as p (item, n)
        order by p.item ->> 'poster_uid', p.n
    loop
        uid := (item ->> 'poster_uid')::uuid;

        if uid is null then
            raise sqlstate 'PT400' using
                message = 'poster_uid is missing',
                hint = 'Every row needs the uuid of the poster.';
        end if;

        if not exists (select from feed.posters as p where p.poster_uid = uid) then
            inserted := inserted + 1;
            perform feed.ensure_poster(uid);
        end if;

        update feed.posters as p
        set
            average_rating = w.average_rating,
            rating_count = w.rating_count,
            accepted_count = w.accepted_count,
            completed_count = w.completed_count
        from feed.posters as o
        cross join lateral (
            select
                case
                    when item ? 'average_rating'
                        then (item ->> 'average_rating')::double precision
                    else o.average_rating
                end as average_rating,
                coalesce((item ->> 'rating_count')::integer, o.rating_count) as rating_count,
                coalesce((item ->> 'accepted_count')::integer, o.accepted_count) as accepted_count,
                coalesce((item ->> 'completed_count')::integer, o.completed_count)
                    as completed_count
        ) as w
        where
            p.poster_uid = uid
            and o.poster_uid = uid
            and (o.average_rating, o.rating_count, o.accepted_count, o.completed_count)
            is distinct from (
                w.average_rating, w.rating_count, w.accepted_count, w.completed_count
            );
    end loop;

    return jsonb_build_object(
        'inserted', inserted, 'updated', jsonb_array_length(posters) - inserted
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

comment on function api.upsert_posters is
'Makes posters known, or changes their ratings; for service_role

Their users become known by it. Idempotent: the same batch again changes nothing. All or nothing.

Arguments:
- posters: At most 1000: [{"poster_uid", "average_rating", "rating_count", "accepted_count",
  "completed_count"}, …]. Only poster_uid is needed; a field left out stays as it is.
  average_rating is from 1 to 5 or null; completed_count is at most accepted_count.

Answers an object:
- inserted: How many were not known.
- updated: How many were known, changed or not.

Errors:
- 400: No array, more than 1000 rows, an unknown field, or a bad value; the message names the row.
- 401: No token, or one that is not believed.
- 403: A token that is not service_role''s.';
