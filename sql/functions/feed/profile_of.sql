-- The profile that ranks for a user when the request names none.
--
-- plpgsql, because it keeps its plan: an SQL function that reads a table is planned in every
-- request that calls it, which takes five times as long as the look-up.
--
-- Called by   api.get_feed, api.explain_listing
-- Reads       feed.experiments, a few rows

create or replace function feed.profile_of(user_uid uuid)
returns text
language plpgsql
stable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    return coalesce(
        (
            select e.profile_name
            from feed.experiments as e
            where e.buckets @> feed.bucket_of(profile_of.user_uid)
        ),
        'default'
    );
end;
$$;

comment on function feed.profile_of is
'The profile of the experiment that has the user''s bucket, else default.';
