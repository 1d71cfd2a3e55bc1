-- How unevenly applications fall on open listings, or on their posters: a Lorenz curve.
--
-- By groups of subjects with as many applications each: within a group the curve is a straight
-- line, so that a million listings are a few hundred lines.
--
-- Called by   jobs.refresh_analytics
-- Costs       all open listings

create or replace function analytics.application_curve(subject text, as_of timestamptz)
returns table (
    percentile smallint,
    share_of_applications double precision,
    gini double precision,
    without_application_share double precision,
    subject_count bigint
)
language sql
stable
begin atomic
    with applied as (
        select
            l.listing_id,
            l.poster_uid,
            coalesce(m.apply_count, 0)::bigint as apply_count
        from feed.listings as l
        left join feed.engagement_metrics as m using (listing_id)
        where
            l.status = 'open'
            and (l.expires_at is null or l.expires_at > application_curve.as_of)
    ),

    subjects as (
        select a.apply_count
        from applied as a
        where application_curve.subject = 'listing'
        union all
        select sum(a.apply_count)::bigint
        from applied as a
        where
            application_curve.subject = 'poster'
            and a.poster_uid is not null
        group by a.poster_uid
    ),

    groups as (
        select
            s.apply_count,
            count(*) as size
        from subjects as s
        group by s.apply_count
    ),

    -- how many subjects come before the group, and what they have
    ordered as (
        select
            g.apply_count,
            g.size,
            sum(g.size) over before - g.size as rank_before,
            sum(g.size * g.apply_count) over before - g.size * g.apply_count as sum_before
        from groups as g
        window before as (order by g.apply_count)
    ),

    totals as (
        select
            sum(o.size) as subject_count,
            nullif(sum(o.size * o.apply_count), 0) as apply_count,
            coalesce(sum(o.size) filter (where o.apply_count = 0), 0) as idle_count,
            -- sum of rank * applications, ranks from 1
            sum(o.apply_count * (o.size * o.rank_before + o.size * (o.size + 1) / 2.0)) as ranked
        from ordered as o
    )

    select
        p.percentile::smallint,
        (
            (
                select o.sum_before + (q.rank - o.rank_before) * o.apply_count
                from ordered as o
                where q.rank between o.rank_before and o.rank_before + o.size
                order by o.apply_count
                limit 1
            ) / t.apply_count
        )::double precision,
        (
            2 * t.ranked / (t.subject_count * t.apply_count)
            - (t.subject_count + 1) / t.subject_count
        )::double precision,
        (t.idle_count / t.subject_count)::double precision,
        t.subject_count::bigint
    from totals as t
    cross join generate_series(0, 100) as p (percentile)
    cross join lateral (select t.subject_count * p.percentile / 100.0 as rank) as q
    where t.subject_count > 0;
end;

comment on function analytics.application_curve is
'What share of all applications the least applied-to 0, 1, … 100 percent have, of open listings
(subject listing) or of posters with open listings (subject poster), with the Gini coefficient
and the share of those without any. Between two subjects the curve is a straight line.';
