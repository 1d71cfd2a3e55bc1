-- The profile that ranks for a user when the request names none.
--
-- plpgsql, because it keeps its plan: an SQL function that reads a table is planned in every
-- request that calls it, which takes five times as long as the look-up.
--
-- Called by   api.get_feed, api.explain_listing
-- Reads       feed.experiments, a few rows, and the profile's

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
            inner join feed.ranking_profiles as p using (profile_name)
            where
                e.buckets @> feed.bucket_of(profile_of.user_uid)
                and p.is_offered
        ),
        'default'
    );
end;
$$;

comment on function feed.profile_of is
'The profile of the experiment that has the user''s bucket, if it is offered, else default.';
