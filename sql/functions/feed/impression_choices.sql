-- What was on screens, of what it was made, and what the user chose of it.
--
-- Only what profiles ranked that have the parameters of default: by other half-lives or distances
-- the components are other numbers. A component that is not known is NaN, and components come as
-- many as feed.component_names, whatever the ticket held.
--
-- An interaction belongs to an impression as analysts have it; viewing is no choice, since who
-- looks closer may well turn away.
--
-- Called by   python/pgfeed/fit/impressions.py
-- Costs       the impressions and interactions of the time

create or replace function feed.impression_choices(
    from_time timestamptz,
    to_time timestamptz,
    impression_limit integer
)
returns table (
    user_no integer,
    shown_at timestamptz,
    shown_position integer,
    components real[],
    is_chosen boolean
)
language sql
stable
begin atomic
    with comparable as materialized (
        select p.profile_name
        from feed.ranking_profiles as p
        inner join feed.ranking_profiles as d on d.profile_name = 'default'
        where not exists (
                select
                from jsonb_each(to_jsonb(p)) as own (name, value)
                inner join jsonb_each(to_jsonb(d)) as theirs (name, value) using (name)
                where
                    own.value <> theirs.value
                    and own.name !~ '_weight$'
                    and own.name <> all('{profile_name,created_at,evaluation,is_offered}')
            )
    ),

    shown as materialized (
        select
            i.user_uid,
            i.listing_id,
            i.created_at,
            i.position,
            i.components
        from feed.feed_impressions as i
        inner join comparable as c using (profile_name)
        where
            i.created_at > impression_choices.from_time
            and i.created_at <= impression_choices.to_time
            and i.components is not null
        order by i.created_at desc, i.user_uid asc, i.position asc
        limit impression_choices.impression_limit
    ),

    chosen as materialized (
        select distinct
            a.user_uid,
            a.listing_id,
            a.shown_at
        from analytics.refresh_parameters as p
        cross join
            lateral analytics.attributed_events(
                analytics.day_of(impression_choices.from_time),
                analytics.day_of(impression_choices.to_time),
                p.attribution_window
            ) as a
        where a.type in ('click', 'save', 'share', 'apply')
    )

    select
        u.user_no,
        s.created_at,
        s.position,
        array_replace(
            s.components[1:n.count] || array_fill(
                'NaN'::real, array[greatest(n.count - cardinality(s.components), 0)]
            ),
            null,
            'NaN'
        ),
        c.shown_at is not null
    from shown as s
    inner join feed.users as u on s.user_uid = u.user_uid
    cross join (select cardinality(feed.component_names()) as count) as n
    left join chosen as c
        on
            s.user_uid = c.user_uid
            and s.listing_id = c.listing_id
            and s.created_at = c.shown_at;
end;

comment on function feed.impression_choices is
'The latest impression_limit impressions of (from_time, to_time] that say what they were made of,
and whether the user clicked, saved, shared or applied to what they saw.';
