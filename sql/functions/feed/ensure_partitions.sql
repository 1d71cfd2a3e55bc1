-- Makes the monthly partitions that a span of time needs.
--
-- A partition is made beside its parent and then attached: `create table … partition of`
-- would lock readers out.
--
-- Called by   jobs.keep_house, deployment, pgfeed load

create or replace function feed.ensure_partitions(
    from_time timestamptz,
    to_time timestamptz
)
returns integer
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
as $$
declare
    parent text;
    month timestamptz;
    partition text;
    made integer := 0;
begin
    -- Two callers for the same month: the second finds it made.
    perform pg_advisory_xact_lock(hashtext('feed.ensure_partitions'));

    foreach parent in array array['user_interactions', 'feed_impressions']
    loop
        for month in
            select generate_series(
                date_trunc('month', from_time), date_trunc('month', to_time), interval '1 month'
            )
        loop
            partition := parent || to_char(month, '_YYYY_MM');
            continue when to_regclass('feed.' || partition) is not null;

            -- Its rows have counted: they are in the base, and would count again.
            if parent = 'user_interactions' and exists (
                select from feed.data_lifetimes as d
                where month + interval '1 month' <= now() - d.interaction_lifetime
            ) then
                raise exception 'the log of % is no longer kept', to_char(month, 'YYYY-MM') using
                    errcode = 'restrict_violation',
                    hint = 'feed.data_lifetimes says how long interactions are kept.';
            end if;

            execute format(
                'create table feed.%I (like feed.%I including defaults including constraints)',
                partition, parent
            );
            execute format(
                'alter table feed.%I attach partition feed.%I for values from (%L) to (%L)',
                parent, partition, month, month + interval '1 month'
            );
            execute format(
                'comment on table feed.%I is %L',
                partition, format('Rows of feed.%s of one month.', parent)
            );
            made := made + 1;
        end loop;
    end loop;

    return made;
end;
$$;

comment on function feed.ensure_partitions is
'Makes the missing monthly partitions of user_interactions and feed_impressions from the
month of from_time to that of to_time (UTC), and returns how many it made. A month of the log
that has outlived feed.data_lifetimes is refused. Definer: a caller
needs the right to execute it, which only feed_owner''s members have.';
