-- Looking: what a test compares.

create or replace function tests.is_near(
    have double precision,
    want double precision,
    description text,
    tolerance double precision default 1e-12
)
returns text
language sql
return (
    select
        ext.ok(n.is_near, is_near.description)
        || case
            when n.is_near then ''
            else
                e'\n' || ext.diag(
                    'have ' || coalesce(is_near.have::text, 'null')
                    || ', want ' || coalesce(is_near.want::text, 'null')
                )
        end
    from (
        select coalesce(abs(is_near.have - is_near.want) <= is_near.tolerance, false) as is_near
    ) as n
);

comment on function tests.is_near is 'Passes if two numbers differ by at most the tolerance.';

create or replace function tests.counters(listing_name text)
returns text
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
return coalesce(
    (
        select
            concat_ws(
                ' ',
                nullif(m.view_count, 0) || ' view',
                nullif(m.click_count, 0) || ' click',
                nullif(m.apply_count, 0) || ' apply',
                nullif(m.save_count, 0) || ' save',
                nullif(m.share_count, 0) || ' share',
                nullif(m.dismiss_count, 0) || ' dismiss'
            )
        from feed.engagement_metrics as m
        where m.listing_id = tests.listing_id(counters.listing_name)
    ),
    ''
);

comment on function tests.counters is 'What is counted of a listing: "2 view 1 apply".';

create or replace function tests.log_size()
returns bigint
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
return (select count(*) from feed.user_interactions);

comment on function tests.log_size is 'The number of rows in the log.';

create or replace view tests.wrong_counters as
select
    listing_id,
    to_jsonb(e) as expected,
    to_jsonb(m) as stored
from (
    select
        w.listing_id,
        w.view_count,
        w.click_count,
        w.apply_count,
        w.save_count,
        w.share_count,
        w.dismiss_count
    from feed.expected_engagement as w
) as e
full join (
    select
        s.listing_id,
        s.view_count,
        s.click_count,
        s.apply_count,
        s.save_count,
        s.share_count,
        s.dismiss_count
    from feed.engagement_metrics as s
    where
        s.view_count + s.click_count + s.apply_count + s.save_count + s.share_count
        + s.dismiss_count > 0
) as m using (listing_id)
where to_jsonb(e) is distinct from to_jsonb(m);

comment on view tests.wrong_counters is 'Listings whose counters are not base + recount.';

create or replace function tests.snapshot()
returns jsonb
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
return (
    select jsonb_agg(a.fact order by a.fact)
    from (
        select jsonb_build_array('log', to_jsonb(i)) as fact
        from feed.user_interactions as i
        union all
        select jsonb_build_array('key', to_jsonb(k))
        from feed.interaction_keys as k
        union all
        select jsonb_build_array('state', to_jsonb(s))
        from feed.user_listing_states as s
        union all
        -- counters that went back to zero are as good as none; the scores are the job's
        select
            jsonb_build_array(
                'counter', to_jsonb(m) - 'is_stale' - 'engagement_score' - 'trending_score'
            )
        from feed.engagement_metrics as m
        where
            m.view_count + m.click_count + m.apply_count + m.save_count + m.share_count
            + m.dismiss_count > 0
        union all
        select jsonb_build_array('base', to_jsonb(b))
        from feed.engagement_base as b
    ) as a
);

comment on function tests.snapshot is 'All that counting writes, to compare before and after.';

create or replace function tests.raised(
    query text,
    out state text,
    out message text,
    out detail text,
    out hint text
)
returns record
language plpgsql
as $$
begin
    execute query;
exception
    when others then
        get stacked diagnostics
            state = returned_sqlstate,
            message = message_text,
            detail = pg_exception_detail,
            hint = pg_exception_hint;
end;
$$;

comment on function tests.raised is
'Runs a query and tells what it raised; nulls if nothing. What it wrote is undone if it raised.';

create or replace function tests.is_refused(query text, state text, message text, description text)
returns text
language plpgsql
as $$
declare
    raised record;
    is_right boolean;
begin
    raised := tests.raised(query);
    is_right := coalesce(
        raised.state = is_refused.state
        and raised.message ~ is_refused.message
        and (raised.state !~ '^PT' or raised.hint <> ''),
        false
    );

    return ext.ok(is_right, description)
        || case when is_right then '' else e'\n' || ext.diag(to_jsonb(raised)::text) end;
end;
$$;

comment on function tests.is_refused is
'Passes if the query raises this SQLSTATE with a message that matches and, at the edge (PT4xx),
a hint.';
