-- Scores and components in real feeds of a sample of users, in twenty buckets.
--
-- What users get, from api.get_feed itself, not what every listing would score: an analyst asks
-- which components tell apart what is in a feed. The sample is another one every day, and the
-- same within a day, so that two runs of a day can be compared.
--
-- Called by   jobs.refresh_analytics
-- Costs       sample_user_count feeds a profile

create or replace function analytics.sampled_components(as_of timestamptz)
returns table (profile_name text, component text, bucket_no smallint, listing_count bigint)
language sql
stable
begin atomic
    with sample as materialized (
        select
            u.user_uid,
            r.sample_feed_length
        from feed.users as u
        cross join analytics.refresh_parameters as r
        order by
            hashtextextended(
                u.user_uid::text, analytics.day_of(sampled_components.as_of) - date '2000-01-01'
            ),
            u.user_uid
        limit (select q.sample_user_count from analytics.refresh_parameters as q)
    ),

    feed_rows as materialized (
        select
            p.profile_name,
            f.score,
            f.components
        from feed.ranking_profiles as p
        cross join sample as s
        cross join
            lateral api.get_feed(
                s.user_uid, s.sample_feed_length, p.profile_name, sampled_components.as_of
            ) as f
        where p.is_offered
    ),

    buckets as (
        select
            v.profile_name,
            v.component,
            least(floor(v.value * 20), 19)::smallint as bucket_no,
            count(*) as listing_count
        from (
            select
                f.profile_name,
                'score' as component,
                f.score as value
            from feed_rows as f
            union all
            select
                f.profile_name,
                c.key,
                (c.value ->> 'value')::double precision
            from feed_rows as f
            cross join lateral jsonb_each(f.components) as c (key, value)
        ) as v
        group by v.profile_name, v.component, least(floor(v.value * 20), 19)::smallint
    )

    select
        k.profile_name,
        k.component,
        n.bucket_no::smallint,
        coalesce(b.listing_count, 0)
    from (
        select distinct
            o.profile_name,
            o.component
        from buckets as o
    ) as k
    cross join generate_series(0, 19) as n (bucket_no)
    left join buckets as b
        on
            k.profile_name = b.profile_name
            and k.component = b.component
            and n.bucket_no = b.bucket_no;
end;

comment on function analytics.sampled_components is
'How the scores and component values are distributed over the feeds of sample_user_count users,
every profile that is offered in turn. Of a profile whose feeds are all empty there is no row.';
