-- What is wrong with a batch, for its sender.
--
-- Constraints are named as the rule they keep (listing_compensation_is_not_negative), so a
-- broken one reads as a sentence.
--
-- Called by   api.upsert_users, api.upsert_posters, api.upsert_listings

create or replace function feed.refuse_batch(
    index integer,
    problem text,
    constraint_name text,
    remedy text
)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    raise sqlstate 'PT400' using
        message = coalesce('row ' || index || ': ', '') || case
            when constraint_name <> '' then 'broken rule: ' || replace(constraint_name, '_', ' ')
            else feed.one_line(problem)
        end,
        hint = coalesce(nullif(remedy, '') || ' ', '')
        || 'Nothing of the batch was written; correct it and send all again.';
end;
$$;

comment on function feed.refuse_batch is
'Raises PT400 with the row of a batch and the rule it breaks.';
