-- Takes back disable_row_checks.sql.

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
            and t.tgenabled = 'D'
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
            'alter table only %s enable trigger %I', row_check.relation, row_check.tgname
        );
    end loop;
end;
$$;
