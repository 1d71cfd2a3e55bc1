-- Refuses what is no batch for an upsert, and a caller who may not.
--
-- Called by   api.upsert_users, api.upsert_posters, api.upsert_listings

create or replace function feed.require_batch(items jsonb, known_fields text[])
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
    unknown record;
begin
    if not identity.is_service() then
        raise sqlstate 'PT403' using
            message = 'this call is for service_role only',
            hint = 'Send a token with the role service_role.';
    end if;

    if jsonb_typeof(items) is distinct from 'array' then
        raise sqlstate 'PT400' using
            message = 'the batch must be an array of objects',
            hint = 'Send [{…}, {…}].';
    elsif jsonb_array_length(items) > 1000 then
        raise sqlstate 'PT400' using
            message = 'a batch holds at most 1000 rows',
            hint = 'Send several batches.';
    end if;

    select
        i.n - 1 as index,
        k.field
    into unknown
    from jsonb_array_elements(items) with ordinality as i (item, n)
    left join lateral (
        select f.field
        from jsonb_object_keys(
            case jsonb_typeof(i.item) when 'object' then i.item else '{}' end
        ) as f (field)
        where f.field <> all (known_fields)
        limit 1
    ) as k on true
    where
        k.field is not null
        or jsonb_typeof(i.item) <> 'object'
    order by i.n
    limit 1;

    if found then
        raise sqlstate 'PT400' using
            message = case
                when unknown.field is null then format('row %s is not an object', unknown.index)
                else
                    format(
                        'row %s has an unknown field "%s"',
                        unknown.index,
                        feed.one_line(unknown.field)
                    )
            end,
            hint = format('Known are %s.', array_to_string(known_fields, ', '));
    end if;
end;
$$;

comment on function feed.require_batch is
'Raises PT403 unless the caller is service_role, PT400 unless items is an array of at most 1000
objects with known fields only.';
