-- Foreign keys of the log, the matrix and the counters are not checked row by row for the
-- rest of the transaction: check_references.sql has asked for all rows at once, under locks
-- that keep users and listings from going. A quarter of the time of a large load.
--
-- Only the checks of these tables' own rows; every other trigger stays as it is. Nobody else
-- sees the change: enable_row_checks.sql takes it back in the same transaction.

do $$
declare
    row_check record;
begin
    for row_check in
        select
            t.tgrelid::regclass as relation,
            t.tgname
        from pg_catalog.pg_trigger as t
        where
            t.tgisinternal
            and t.tgenabled = 'O'
            and t.tgfoid in ('"RI_FKey_check_ins"'::regproc, '"RI_FKey_check_upd"'::regproc)
            and t.tgrelid in (
                select p.relid
                from pg_catalog.pg_partition_tree('feed.user_interactions') as p
                where p.isleaf
                union all
                select p.relid
                from pg_catalog.pg_partition_tree('feed.feed_impressions') as p
                where p.isleaf
                union all
                select 'feed.user_listing_states'::regclass
                union all
                select 'feed.engagement_metrics'::regclass
            )
        order by t.tgrelid, t.tgname
    loop
        execute format(
            'alter table only %s disable trigger %I', row_check.relation, row_check.tgname
        );
    end loop;
end;
$$;
