-- Since when the log has everything: where its oldest month begins.
--
-- What is no longer in the log was in a month that retention took, and retention takes the oldest
-- first: so it was before this.
--
-- Called by   the trigger t50_uncount, for a pair of which nothing is left in the log
-- Costs       a look at the catalogue

create or replace function feed.log_start()
returns timestamptz
language sql
stable
begin atomic
    select
        min(
            substring(
                pg_catalog.pg_get_expr(c.relpartbound, c.oid) from $$FROM \('([^']+)'\)$$
            )::timestamptz
        )
    from pg_catalog.pg_inherits as i
    inner join pg_catalog.pg_class as c on i.inhrelid = c.oid
    where i.inhparent = 'feed.user_interactions'::regclass;
end;

comment on function feed.log_start is
'Where the oldest partition of user_interactions begins; null without any.';
